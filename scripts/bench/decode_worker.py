"""One process that decodes a file over and over for some seconds, for `gpu_media.py`.

    python decode_worker.py FILE WAY DEVICE SECONDS

Prints `ready` once everything is loaded and decoded once, waits for a line, then prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]


def main() -> int:
    path, way, device, seconds = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    try:
        from bench.readers import scan

        first = scan(path, way, device)
    except Exception as error:  # noqa: BLE001 - whatever a library on a foreign machine raises is the result
        print(json.dumps({"failure": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}))
        return 1
    print("ready", flush=True)
    sys.stdin.readline()
    started, num_frames = time.perf_counter(), 0
    while not num_frames or time.perf_counter() - started < seconds:
        num_frames += scan(path, way, device).num_frames
    fps = num_frames / (time.perf_counter() - started)
    print(json.dumps({"fps": fps, "how": first.how}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
