#!/usr/bin/env bash
# Tries to break vlmtl for longer than the tests do:
#   scripts/torture.sh media [--count 10000] [--seed N] [--codecs h264,vp9,…] [--jobs 2] [--resume]
# Uses .venv where there is one, else PYTHON or python3.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
what=${1:-}
[ $# -eq 0 ] || shift
case "$what" in
  media) exec "$python" scripts/torture_media.py "$@" ;;
  *) echo "torture: say what to torture: media (received '$what')" >&2; exit 2 ;;
esac
