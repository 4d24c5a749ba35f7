"""The page of benchmarks says what the committed results say, and of what kind each file is."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import benchmarks_readme
import pytest
from benchmarks_readme import FOLDER, NOT_CURRENT, main, readme_of
from result_tables.markdown import command_block, table

from corridor_cli.bench.document import Choice, LongRun, PipeResult, RooflineShare, Verdict
from tests.bench.bench_documents import document, failed_point, point, write

ENGINES = "2026-11-21-cpu-1b.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the committed results."""
    return shutil.copytree(FOLDER, tmp_path / "benchmarks")


def committed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def test_the_committed_page_is_what_the_results_say() -> None:
    assert main(["--check"]) == 0, "run python scripts/benchmarks_readme.py"


def test_a_page_that_is_not_current_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = committed(ENGINES)
    results["results"][0]["seconds_per_frame"]["median"] = 9.0
    (folder / ENGINES).write_text(json.dumps(results))
    before = (folder / "README.md").read_text()
    assert main(["--check", "--folder", str(folder)]) == NOT_CURRENT
    assert "run python scripts/benchmarks_readme.py" in capsys.readouterr().err
    assert (folder / "README.md").read_text() == before
    assert main(["--folder", str(folder)]) == 0
    assert main(["--check", "--folder", str(folder)]) == 0
    assert "| 9.000 (" in (folder / "README.md").read_text()
    (folder / "README.md").unlink()
    assert main(["--check", "--folder", str(folder)]) == NOT_CURRENT


def test_engines_stand_side_by_side_with_work_machine_and_command() -> None:
    page = readme_of(FOLDER)
    section = page[page.index("Intel(R)") : page.index(f"[{ENGINES}]")]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    assert rows[2:] == [
        "transformers, one frame at a time",
        "transformers, static batch of 8",
        "vLLM 0.32.0, CPU build",
        "this engine, bf16",
        "this engine, int8",
    ]
    (ours,) = [each for each in committed(ENGINES)["results"] if each["contestant"] == "ours-bf16"]
    assert f"| {ours['seconds_per_frame']['median']:.3f} (" in section
    assert "16 frames of 1 tile, 318 prompt tokens, 32 new tokens each; 5 interleaved rounds" in section
    assert "torch 2.13.0+cpu" in section
    assert "--contestants loop,static8,vllm,ours-bf16,ours-int8" in section
    assert "2026-11-21" in section


def test_what_was_not_run_is_told() -> None:
    page = readme_of(FOLDER)
    section = page[: page.index("[2026-11-26-cpu-avx2-1b.json]")]
    assert section.count("| not run |") == 3
    assert "**Nothing was measured on a GPU yet**" in page


def test_every_result_and_every_page_is_named() -> None:
    page = readme_of(FOLDER)
    for path in (*FOLDER.glob("*.json"), *FOLDER.glob("2*.md"), FOLDER / "measuring.md"):
        assert f"]({path.name})" in page
    for target in re.findall(r"\]\(([^)]+)\)", page):
        assert (FOLDER / target).is_file()


def test_no_folder_of_a_machine_is_on_the_page() -> None:
    assert not re.search(r"(?<![\w/.])/(?:tmp|home|root|work)/", readme_of(FOLDER))
    assert command_block("bench.py --a /tmp/x/dummy --python /opt/v/bin/python --json /tmp/o.json --n 3") == (
        "```\npython scripts/bench.py --a dummy --python FOLDER/bin/python --n 3\n```"
    )


def test_a_contestant_that_failed_is_told(folder: Path) -> None:
    results = committed(ENGINES)
    results["results"][2] = {"contestant": "vllm", "failure": "ended with exit code 1"}
    (folder / ENGINES).write_text(json.dumps(results))
    assert "| vLLM |  | not measured: ended with exit code 1 |" in readme_of(folder)


def test_a_sweep_is_a_table_of_points(folder: Path) -> None:
    roofline = RooflineShare(
        frames_per_second=20.0, share=0.5, vision_seconds=0.01, prefill_seconds=0.01, decode_seconds=0.03,
        is_step_bound_by_memory=True,
    )  # fmt: skip
    points = [
        point((10.0, 10.1, 9.9), roofline=roofline, share_of_roofline=0.5, speedup_over_loop=3.25),
        point((10.0, 14.0, 9.0), batch_size="auto"),
        failed_point(64),
    ]
    pipe = PipeResult(
        batch_size=8, num_videos=3, num_scenes=9, num_captions=27, video_seconds=60, wall_seconds=20,
        scenes_per_second=0.45, captions_per_second=1.35, times_real_time=3.0, seconds_by_stage={},
        busy_share=None, starved_share=None, exit_code=0,
    )  # fmt: skip
    long_run = LongRun(batch_size=8, seconds=600, frames_per_second=9.5, windows=[], drift=0.97)
    verdict = Verdict(recommended=Choice(batch_size=8, reason="the smallest within 3 % of the best"))
    bench = document(points, pipe=pipe, long_run=long_run, verdict=verdict, is_complete=False)
    write(folder / "2027-01-01-somewhere.json", bench)
    page = readme_of(folder)
    section = page[page.index("## This engine by `vlmtl bench`") : page.index("[2027-01-01-somewhere.json]")]
    assert "dummy:internvl3-1b, 2027-01-01" in section
    assert "cpu AMD EPYC; usable cpus 2" in section
    assert "vlmtl bench --preset internvl3-1b" in section
    latency = points[0].latency_ms
    assert latency is not None
    shown = f"{latency.p50:.0f} / {latency.p95:.0f} ms"
    assert f"| 10.00 (9.90–10.10), n = 3 | 3.25 | 0.50 | {shown} | - | - | - |" in section
    assert "(9.00–14.00), n = 3, noisy |" in section
    assert "| batch 64, frames 1, tiles 1, tokens 32 | out of memory |" in section
    assert "Not complete" in section
    assert "Recommended: batch size 8, the smallest within 3 % of the best." in section
    assert "3.00 times real time" in section
    assert "the last quarter 0.970 times the first" in section


def test_steps_of_a_card_and_readers_are_told(folder: Path) -> None:
    facts = committed(ENGINES)["machine"] | {"device": "NVIDIA H200", "device_gib": 139.8, "cuda": "13.0"}
    results = [
        {"check": "frames/s", "holds": True, "figure": "420 (goal 413)", "details": {}},
        {"check": "tokens", "holds": None, "figure": "not measured", "details": {}},
    ]
    steps = {"steps": {"table-1b": {"environment": facts, "seconds": 99.5, "results": results}}}
    (folder / "2027-01-01-h200.json").write_text(json.dumps(steps))
    spread = {"median": 400.0, "min": 380.0, "max": 410.0}
    clip = {
        "clip": "h264-480p",
        "pyav": {"scan_fps": spread},
        "decord": {"scan_failure": "no"},
        "torchcodec": {},
    }
    told = {"environment": committed(ENGINES)["machine"], "rounds": 5, "results": [clip]}
    (folder / "2027-01-01-readers.json").write_text(json.dumps(told))
    page = readme_of(folder)
    assert "| frames/s | holds | 420 (goal 413) |" in page
    assert "| tokens | not judged | not measured |" in page
    assert "device NVIDIA H200" in page
    assert "Nothing was measured on a GPU" not in page
    assert "| h264-480p | 400 (380–410) | - | - | - | - | - |" in page


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("2027-01-01-x.json", '{"some": "thing"}', "2027-01-01-x.json: of no kind"),
        ("results.json", "{}", "results.json: allowed: YYYY-MM-DD-what.json"),
    ],
)
def test_a_file_of_no_known_kind_is_not_left_out(folder: Path, name: str, content: str, said: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=re.escape(said)):
        readme_of(folder)


def test_each_committed_file_is_of_one_kind_only() -> None:
    for path in FOLDER.glob("*.json"):
        kinds = [is_kind(committed(path.name)) for _, _, is_kind, _ in benchmarks_readme.SECTIONS]
        assert kinds.count(True) == 1, path.name


def test_a_cell_cannot_break_its_table() -> None:
    assert table(["a"], [["x | y"]]).splitlines()[-1] == r"| x \| y |"
