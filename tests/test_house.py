"""The walls of the house: who may import whom, what main never loads, how large a room may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "corridor_cli"

# Imports only point to a lower row; rooms of one row do not import each other (docs/architecture.md).
ROWS = [
    {"records", "errors", "settings", "printable", "prompts", "small_files"},
    {"config", "hardware", "telemetry"},
    {"media", "scenes", "cuts", "transcripts", "engine", "timeline"},
    {"hosts"},
    {"pipeline"},
    {"runners"},
    {"bench"},
    {"cli"},
]
ROW_OF = {room: number for number, rooms in enumerate(ROWS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "models" not in path.parts)
INNER = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] not in ("__init__.py", "__main__.py")]
MAX_MODULE_LINES = 275
MAX_FUNCTION_LINES = 60


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    """Rooms the module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "corridor_cli" and parts[1] in ROW_OF:
                yield parts[1]


@pytest.mark.parametrize("path", INNER, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    row = ROW_OF[room]
    for other in set(imported_rooms(path)) - {room}:
        is_below = ROW_OF[other] < row or (row == ROW_OF[other] == 0)
        assert is_below, f"{room} (row {row}) imports {other} (row {ROW_OF[other]})"


def test_every_room_has_a_row() -> None:
    rooms = {room_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert rooms == set(ROW_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, f"{node.name} is too long"


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(out.stdout.split())


def test_main_loads_no_decoder_and_no_network() -> None:
    runners = [
        "runners.local",
        "runners.scenes",
        "runners.probe",
        "runners.estimate",
        "runners.doctor",
        "runners.report",
    ]
    modules = [*runners, "cli.run", "cli.scene_results", "cli.estimate_lines", "cli.live"]
    loaded = loaded_after("import " + ", ".join(f"corridor_cli.{module}" for module in modules))
    assert not loaded & {"torch", "transformers", "av", "decord", "torchcodec"}


def test_main_measures_without_a_network() -> None:
    modules = [
        "bench.peaks",
        "bench.roofline",
        "bench.sampler",
        "bench.compare",
        "bench.limits",
        "bench.files",
    ]
    loaded = loaded_after("import " + ", ".join(f"corridor_cli.{module}" for module in modules))
    assert not loaded & {"torch", "transformers", "av", "decord", "torchcodec", "matplotlib", "pynvml"}


def test_a_media_worker_loads_no_network_and_no_schema() -> None:
    loaded = loaded_after("import corridor_cli.hosts.media_worker")
    assert not loaded & {"torch", "torchcodec", "transformers", "decord", "pydantic", "typer", "rich", "yaml"}


def test_an_engine_loads_no_decoder_and_no_schema() -> None:
    loaded = loaded_after("import corridor_cli.engine.local.engine")
    assert not loaded & {"av", "decord", "pydantic", "typer"}
