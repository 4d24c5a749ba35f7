"""Does every clip of a labelled folder end as its manifest says it can?

    python scripts/check_videos.py FOLDER            runs the echo engine over FOLDER, then checks
    python scripts/check_videos.py FOLDER OUTPUT     checks what `vlmtl run FOLDER OUTPUT` wrote

FOLDER holds MANIFEST.md, whose tables say for each file what a decoder really yields, and GROUND_TRUTH.json
with labelled cuts. Prints a line a file; exit code 8 when one differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHECK_FAILED = 8
CODEC_NAMES = {"libdav1d": "av1", "msmpeg4": "msmpeg4v3"}
NOT_OURS = ("StalledError", "WorkerDiedError", "InconsistentScanError")
FEW_OF = re.compile(r"(\d+)(?: frames)? of (\d+)|(\d+)/(\d+) frames")
BEST_STREAM = re.compile(r"best stream (\d+)x(\d+)")


@dataclass(frozen=True)
class Expected:
    """What the manifest says of a file; None where it says nothing."""

    name: str
    sha256: str
    status: str | None
    frames: int | None = None
    size: tuple[int, int] | None = None
    codec: str | None = None
    has_warnings: bool = False


def read_manifest(text: str) -> Iterator[Expected]:
    """The rows of both tables: good files, and damaged ones."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-"):
            continue
        if cells[0] == "file":
            header = cells
        else:
            row = dict(zip(header, cells, strict=True))
            yield _damaged(row) if "how" in row else _good(row)


def _good(row: dict[str, str]) -> Expected:
    why = row["why it is here"]
    codec = row["codec/pix/container"].partition("/")[0]
    if row["codec/pix/container"] == "-/-/-":  # it could not be opened then: any ending is good
        return Expected(row["file"], row["sha256"], None)
    if not row["frames"].isdigit() or row["frames"] == "0":
        return Expected(row["file"], row["sha256"], "failed")
    size, rotation = re.match(r"(\d+)x(\d+)", row["size"]), row["size"].rpartition(" ")[2]
    assert size is not None, row
    shape = (int(size[1]), int(size[2]))
    frames: int | None = int(row["frames"])
    if best := BEST_STREAM.search(why):  # the row describes another stream than the one to be read
        shape, frames = (int(best[1]), int(best[2])), None
    if rotation in ("90", "-90", "270"):
        shape = shape[::-1]
    has_lost = FEW_OF.search(why) is not None
    return Expected(
        row["file"], row["sha256"], "complete", frames, shape, CODEC_NAMES.get(codec, codec), has_lost
    )


def _damaged(row: dict[str, str]) -> Expected:
    yields = row["PyAV 18"]
    few = FEW_OF.search(yields)
    if few:
        return Expected(row["file"], row["sha256"], "partial", int(few[1]))
    if concealed := re.match(r"(\d+) frames, silently concealed", yields):
        return Expected(row["file"], row["sha256"], "complete", int(concealed[1]))
    if yields == "same":
        raise ValueError(f"{row['file']}: the manifest must say what is yielded")
    return Expected(row["file"], row["sha256"], "failed")


def differences(expected: Expected, folder: Path, output: Path) -> Iterator[str]:
    """What is other than the manifest says."""
    data = (folder / expected.name).read_bytes()
    if hashlib.sha256(data).hexdigest() != expected.sha256:
        yield "is not the file the manifest describes"
    document = find_document(output, expected.name)
    if document is None:
        yield "has no record, or two"
        return
    source, errors = document["source"], document["errors"]
    if expected.status is not None and document["status"] != expected.status:
        yield f"is {document['status']}, not {expected.status}"
    if any(error["type"] in NOT_OURS or not error["message"] for error in errors):
        yield f"ends by {errors[0]['type']}: {errors[0]['message']}"
    if expected.frames is not None and source["frame_count"] != expected.frames:
        yield f"has {source['frame_count']} frames, not {expected.frames}"
    if expected.size is not None and (source["width"], source["height"]) != expected.size:
        yield f"is {source['width']}x{source['height']}, not {expected.size[0]}x{expected.size[1]}"
    if expected.codec is not None and source["video_codec"] != expected.codec:
        yield f"is {source['video_codec']}, not {expected.codec}"
    if expected.has_warnings and not source["reader"]["warnings"]:
        yield "says nothing of the packets that cannot be decoded"


def cut_differences(truth: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    """Labelled cuts that were not found within a frame, and found ones that are not there."""
    if truth["frames"] != document["source"]["frame_count"]:
        yield f"has {document['source']['frame_count']} frames, labelled are {truth['frames']}"
        return
    end = document["source"]["duration"]
    if not truth["last_pts_s"] < end < truth["last_pts_s"] + 0.5:
        yield f"ends at {end} s, its last frame begins at {truth['last_pts_s']}"
    found = [scene["start_frame"] for scene in document["scenes"] if scene["boundary"] == "cut"]
    for cut in truth["cuts"]:
        if not any(abs(cut - frame) <= 1 for frame in found):
            yield f"the cut at frame {cut} was not found"
    for frame in found:
        is_gradual = any(first <= frame <= last for first, last, _ in truth["gradual"])
        if not is_gradual and not any(abs(cut - frame) <= 1 for cut in truth["cuts"]):
            yield f"a cut at frame {frame}, where there is none"


def find_document(output: Path, name: str) -> dict[str, Any] | None:
    """The one record of a file."""
    paths = [output / f"{name}.{kind}.json" for kind in ("timeline", "failed")]
    found = [path for path in paths if path.exists()]
    return json.loads(found[0].read_bytes()) if len(found) == 1 else None


def run_echo(folder: Path, output: Path) -> None:
    """The command over the folder."""
    command = [sys.executable, "-m", "corridor_cli", "run", str(folder), str(output), "--engine", "echo"]
    code = subprocess.run([*command, "-q"], cwd=ROOT, check=False).returncode
    if code not in (0, 3):
        sys.exit(f"check_videos: vlmtl run ended with exit code {code}")


def check(folder: Path, output: Path) -> int:
    """Print a line for each file of the manifest; how many differ."""
    truth = json.loads((folder / "GROUND_TRUTH.json").read_text())["clips"]
    num_different = 0
    for expected in read_manifest((folder / "MANIFEST.md").read_text()):
        document = find_document(output, expected.name) or {}
        wrong = list(differences(expected, folder, output))
        # Labels of a stream that is not the best one do not fit what is read.
        if expected.name in truth and "stream" not in truth[expected.name] and document.get("scenes"):
            wrong += cut_differences(truth[expected.name], document)
        num_different += bool(wrong)
        errors = document.get("errors") or [{"type": ""}]
        frames = (document.get("source") or {}).get("frame_count")
        told = (
            f"{document.get('status', '-'):<9} {frames if frames is not None else '-':>6} {errors[0]['type']}"
        )
        print(f"{'!' if wrong else ' '} {expected.name:<44} {told}".rstrip())
        for line in wrong:
            print(f"      {line}")
    return num_different


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the clips, with MANIFEST.md and GROUND_TRUTH.json")
    parser.add_argument("output", type=Path, nargs="?", help="what `vlmtl run FOLDER OUTPUT` wrote")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        output = arguments.output
        if output is None:
            output = Path(scratch) / "out"
            run_echo(folder, output)
        num_different = check(folder, output)
    print(f"{num_different} of the files end otherwise than the manifest says")
    return CHECK_FAILED if num_different else 0


if __name__ == "__main__":
    sys.exit(main())
