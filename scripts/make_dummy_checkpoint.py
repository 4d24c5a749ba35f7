"""Write a checkpoint folder of a real InternVL3 shape with random weights, for measuring speed.

    python scripts/make_dummy_checkpoint.py FOLDER [--preset internvl3-1b]

The 1B takes 1.9 GB of disk, 2B 4.2, 8B 15.9. Its captions are noise and never end by themselves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.dummy_checkpoint import TEXT_SIZES, dummy_config, write_dummy_checkpoint


def main() -> int:
    """Refuses to write where something already is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="must be new or empty")
    parser.add_argument("--preset", choices=sorted(TEXT_SIZES), default="internvl3-1b")
    parser.add_argument("--layers", type=int, default=None, help="fewer layers in both towers, to try out")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        print(f"{folder} is there and not an empty folder; give another name.", file=sys.stderr)
        return 2
    num_parameters = write_dummy_checkpoint(folder, dummy_config(arguments.preset, arguments.layers))
    print(f"{folder}: {arguments.preset}, {num_parameters / 1e6:.1f} M parameters, random, bfloat16")
    return 0


if __name__ == "__main__":
    sys.exit(main())
