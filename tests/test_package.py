"""What a user installs: a wheel that carries the default settings, the bundled model and the pages' files."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import corridor_cli

ROOT = Path(__file__).parents[1]
PAGE_FILES = ROOT / "corridor_cli/timeline/report/files"


def test_the_wheel_carries_whatever_is_no_code(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("corridor_cli", "config"):
        shutil.copytree(
            ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    command = [
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        tmp_path,
        source,
    ]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("vlmtl-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        settings = archive.read("corridor_cli/processing.yaml")
    assert f"-{corridor_cli.__version__}-" in wheel.name
    assert settings == (ROOT / "config" / "processing.yaml").read_bytes()
    model = {
        f"corridor_cli/models/tiny/{path.name}" for path in (ROOT / "corridor_cli/models/tiny").iterdir()
    }
    assert "corridor_cli/models/tiny/model.safetensors" in model
    assert model <= names
    pages = {f"corridor_cli/timeline/report/files/{path.name}" for path in PAGE_FILES.iterdir()}
    assert "corridor_cli/timeline/report/files/page.css" in pages
    assert pages <= names
    assert not {name for name in names if name.startswith(("tests", "scripts"))}
