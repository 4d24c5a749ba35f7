#!/usr/bin/env bash
# Engine correctness on a CUDA machine, offline, with the torch and transformers found there. Arguments go to
# gpu_check.py. Uses .venv where there is one, else PYTHON or python3; needs numpy, psutil and annotated-types.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
exec "$python" scripts/gpu_check.py "$@"
