#!/usr/bin/env bash
# A CUDA machine: correctness of the engine, the throughput table, the job it was made for, and what decodes faster,
# card or processors; offline, with the libraries found there. Each step takes under nine minutes:
#   scripts/gpu_check.sh STEP [--json FILE] [--device cuda:0] [--quick]
#   STEP is correctness, vision, table-1b, table-2b, table-8b, job, media, bench, or all
# Uses .venv where there is one, else PYTHON or python3. What must be carried along: docs/benchmarks/measuring.md.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
exec "$python" scripts/gpu_check.py "$@"
