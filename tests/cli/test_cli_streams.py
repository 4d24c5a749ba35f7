"""Closed standard streams: no document gets what a library prints, and a lost result is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINT_NATIVELY = "import os; from corridor_cli.cli import main; main._fill_closed_descriptors(); "
OPEN_AND_PRINT = "f = open('document', 'wb'); os.write({number}, b'noise'); f.close()"


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    return subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_printed_to_a_closed_stream_ends_in_no_file(number: int, tmp_path: Path) -> None:
    code = PRINT_NATIVELY + OPEN_AND_PRINT.format(number=number)
    done = shell(f'"$PYTHON" -c "{code}" {number}>&-', tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "document").read_bytes() == b""


def test_a_closed_stderr_is_no_error(tmp_path: Path) -> None:
    done = shell('"$PYTHON" -m corridor_cli config show 2>&-', tmp_path)
    assert done.returncode == 0
    assert "max_new_tokens" in done.stdout
    assert shell('"$PYTHON" -m corridor_cli run nothing out --engine echo 2>&-', tmp_path).returncode == 4


def test_a_result_for_a_closed_stdout_is_a_storage_error(tmp_path: Path) -> None:
    done = shell('"$PYTHON" -m corridor_cli schema >&-', tmp_path)
    assert done.returncode == 6
    assert "stdout is closed" in done.stderr
