#!/usr/bin/env bash
# The engine on a CUDA machine: correctness, the throughput table, and the job it was made for; offline, with
# the torch and transformers found there. Each step takes under nine minutes:
#   scripts/gpu_check.sh correctness|vision|table-1b|table-2b|table-8b|job|all [--json FILE] [--device cuda:0] [--quick]
# Uses .venv where there is one, else PYTHON or python3. What must be carried along: docs/benchmarks/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
exec "$python" scripts/gpu_check.py "$@"
