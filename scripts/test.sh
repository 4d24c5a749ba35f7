#!/usr/bin/env bash
# Everything that must hold before a change lands: lint, types, tests.
# All the tests run two at a time where there are two processors, file by file, and then those marked `alone`.
# TEST_WORKERS=N sets how many run at a time; 1 runs all in one process. So do arguments, which go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
# Tests start some hundred processes: where PYTHONDONTWRITEBYTECODE is set each would compile the package again.
.venv/bin/python -m compileall -q corridor_cli scripts

workers=${TEST_WORKERS:-$(nproc 2>/dev/null || echo 1)}
# Most tests that take long start several processes each: more at a time than asked for is no gain. On two
# processors three took longer than two (923 s; two had taken 731 s, another day).
[ -n "${TEST_WORKERS:-}" ] || [ "$workers" -le 2 ] || workers=2
if [ $# -gt 0 ] || [ "$workers" -le 1 ]; then
  .venv/bin/mypy
  exec .venv/bin/python -m pytest "$@"
fi
# The first time mypy takes a minute of one processor, which the tests leave here and there while they wait.
types=$(mktemp)
trap 'jobs -p | xargs -r kill; rm -f "$types"' EXIT
nice .venv/bin/mypy >"$types" 2>&1 &
mypy=$!
code=0
# What takes longest is told, for whoever has to make it quicker.
.venv/bin/python -m pytest --numprocesses "$workers" --dist loadfile --no-loadscope-reorder --durations 25 \
  -m "not alone" || code=$?
types_code=0
wait "$mypy" || types_code=$?
cat "$types"
[ "$types_code" = 0 ] || code=$types_code
# Only the files that hold such a test: to collect all of them takes half a minute.
mapfile -t files < <(grep -rl --include='test_*.py' 'mark\.alone' tests | sort)
.venv/bin/python -m pytest -m alone "${files[@]}" || code=$?
exit "$code"
