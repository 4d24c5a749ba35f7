#!/usr/bin/env bash
# Makes .venv with the pinned requirements and this package (editable). Does nothing when that is done already.
# Needs Python 3.11, 3.12 or 3.13 with venv; PYTHON=/path/to/python chooses one.
# FFmpeg of the system is optional (Debian: apt-get install ffmpeg): torchcodec loads its libraries, and the tests of
# exports give its programs our subtitles and chapters. Without it those tests are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$candidate" -c 'import sys, venv; raise SystemExit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "setup: no Python 3.11 to 3.13 found; install one or set PYTHON=/path/to/python" >&2
  exit 2
}

stamp=.venv/installed
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum)
if [ -x .venv/bin/vlmtl ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

[ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
echo "setup: installing the pinned requirements into .venv (once; PyTorch is the large one)" >&2
# pip would compile twelve thousand modules on one processor; here all take part, and tests of others are left out.
# A module that does not compile here (torch brings some for newer Pythons) fails where it is imported, or never.
compile() { .venv/bin/python -m compileall -qq -x 'site-packages/(.*/)?(tests|torch/testing)/' "$@" >&2 || true; }
packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# torch alone and first: pinned, it takes the build your package index prefers (a CPU build where that is offered).
pip install --quiet --no-compile --constraint constraints.txt torch >&2
compile "$packages/torch" "$packages/sympy" &
pip install --quiet --no-compile --constraint constraints.txt --editable '.[bench,dev,torchcodec]' >&2
wait
compile -j 0 "$packages"
echo "$wanted" > "$stamp"
