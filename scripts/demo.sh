#!/usr/bin/env bash
# From nothing to timelines: demo.sh [INPUT] [OUTPUT]
# Without INPUT it draws three sample videos by code. Uses the bundled tiny model: no GPU, no download.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
"$here/scripts/setup.sh"
input=${1:-$here/demo/videos}
output=${2:-$here/demo/timelines}
if [ $# -eq 0 ]; then
  "$here/.venv/bin/python" "$here/scripts/sample_clips.py" "$input"
fi

code=0
"$here/.venv/bin/vlmtl" run "$input" "$output" --model tiny || code=$?
"$here/.venv/bin/python" "$here/scripts/show_timelines.py" "$output"
exit "$code"
