"""The benchmark scripts measure what they say: the same work for everyone. How fast it is, is no test."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_check
import pytest
from bench.checks import Options, Result, at_least, attempt, keep, read
from bench.dummy_checkpoint import END_TOKEN_IDS, dummy_config, write_dummy_checkpoint
from bench.telling import spread, table, tree_memory_bytes
from bench.worker import prepare
from bench.workload import TILE_LAYOUTS, Workload, prompt_of_length

from corridor_cli.engine.local.tiles import TileRule, count_tiles
from tests.clips import draw

ROOT = Path(__file__).parents[2]

# Each script loads torch in several processes, one after the other.
pytestmark = pytest.mark.timeout(300)


def run_script(*arguments: str | Path, timeout_seconds: float = 290) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a script under `scripts/`."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        cwd=ROOT / "scripts",
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="session")
def small_dummy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real vocabulary and tile, towers of one narrow layer."""
    config = dummy_config("internvl3-1b", num_layers=1)
    for tower in (config.vision_config, config.text_config):
        tower.hidden_size, tower.num_attention_heads, tower.intermediate_size = 32, 2, 64
    config.text_config.num_key_value_heads = 1
    folder = tmp_path_factory.mktemp("dummy") / "checkpoint"
    write_dummy_checkpoint(folder, config)
    return folder


def test_the_contestants_do_the_same_work(small_dummy: Path) -> None:
    code, out, err = run_script(
        "bench_engine.py", "--checkpoint", small_dummy, "--contestants", "static2,ours,vllm",
        "--pairs", "1", "--frames", "3", "--tokens", "5",
    )  # fmt: skip
    document = json.loads(out.splitlines()[-1])
    by_name: dict[str, Any] = {each["contestant"]: each for each in document["results"]}
    ran = [by_name[name] for name in ("static2", "ours")]
    assert [each["failure"] for each in ran] == ["", ""], err
    assert all(each["all_tokens_made"] for each in ran)
    # The loop, in this process, which has torch and transformers already.
    workload = Workload(num_frames=3, tiles=1, prompt=prompt_of_length(40), output_tokens=5)
    work, _ = prepare("loop", small_dummy, workload, "cpu")
    assert {(each["prompt_tokens"], 3 * 5) for each in ran} == {work(workload.frames())}
    assert by_name["static2"]["times_the_first"]["median"] == 1.0
    assert by_name["ours"]["rounds"][0]["peak_bytes"] > 0
    assert "--vllm-python" in by_name["vllm"]["failure"]
    assert code == 1  # a contestant was asked for that could not be measured


def test_a_dummy_checkpoint_never_ends_a_caption(small_dummy: Path) -> None:
    from safetensors import safe_open

    with safe_open(small_dummy / "model.safetensors", "pt") as file:
        head = file.get_tensor("language_model.lm_head.weight")
    assert not head[list(END_TOKEN_IDS)].any()
    assert head[[0, 151_673]].any(dim=1).all()


def test_a_dummy_checkpoint_is_not_written_over_something(small_dummy: Path) -> None:
    code, _, err = run_script("make_dummy_checkpoint.py", small_dummy)
    assert code == 2
    assert "give another name" in err


@pytest.mark.parametrize("tiles", TILE_LAYOUTS)
def test_frames_make_the_tiles_they_are_named_after(tiles: int) -> None:
    (frame,) = Workload(1, tiles, "", 1).frames()
    rule = TileRule(448, Workload(1, tiles, "", 1).max_tiles, (0, 0, 0), (1, 1, 1))
    assert count_tiles(frame.shape[1], frame.shape[0], rule) == tiles


@pytest.mark.parametrize("num_characters", [1, 40, 97, 300])
def test_prompts_have_the_length_asked_for(num_characters: int) -> None:
    text = prompt_of_length(num_characters)
    assert len(text) == len(text.strip()) == len(text.encode()) == num_characters


def test_the_pipe_is_measured_on_the_same_picks() -> None:
    code, out, err = run_script(
        "bench_tiny.py", "--clips", "1", "--scenes", "2", "--pairs", "1", "--tokens", "4"
    )
    assert code == 0, err
    document = json.loads(out.splitlines()[-1])
    assert document["workload"]["picks"] >= 2
    assert document["workload"]["frames_decoded"] == 50
    assert all(len(values) == 1 and values[0] > 0 for values in document["seconds"].values())


def test_scans_are_measured_on_the_same_frames() -> None:
    code, out, err = run_script(
        "bench_media.py", "--sizes", "480p", "--seconds", "3", "--rounds", "1",
        "--contestants", "decode;scan;scan, 2 cores;keyframes",
    )  # fmt: skip
    assert code == 0, err
    (result,) = json.loads(out.splitlines()[-1])["results"]
    told = result["contestants"]
    assert {each["frames"] for each in told.values()} == {75}
    assert {told[name]["boundaries"] for name in ("scan", "scan, 2 cores", "keyframes")} == {1}
    assert result["keyframes"] == {
        "boundaries_of_full_scan": 1, "found": 1, "found_within_one_frame": 1, "extra": 0,
    }  # fmt: skip
    assert result["ratios"]["scan over decode"]["cpu"]["median"] > 0


def call_script(
    main: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: Any,
) -> tuple[int, str, str]:
    """The same of a script called in this process, which has torch and transformers already."""
    monkeypatch.setattr(sys, "argv", ["script.py", *map(str, arguments)])
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as in a process of its own
        code = main()
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_step_of_the_gpu_check_is_rehearsed_on_the_cpu(tmp_path: Path) -> None:
    arguments = ("correctness", "--quick", "--device", "cpu", "--json", tmp_path / "results.json")
    check_rehearsal("correctness", tmp_path, run_script("gpu_check.py", *arguments))


@pytest.mark.parametrize("step", [("vision",), ("table-1b", "--tiles", "3"), ("job",), ("media",)])
def test_the_other_steps_are_rehearsed_in_this_process(
    step: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*step, "--quick", "--device", "cpu", "--json", tmp_path / "results.json")
    check_rehearsal(step[0], tmp_path, call_script(gpu_check.main, monkeypatch, capsys, *arguments))


def check_rehearsal(step: str, folder: Path, done: tuple[int, str, str]) -> None:
    code, out, err = done
    assert code == 0, out + err
    ((name, kept),) = json.loads((folder / "results.json").read_text())["steps"].items()
    assert name.startswith(step)
    assert kept["environment"]["torch"]
    checks = [result["check"] for result in kept["results"]]
    assert all(check in out for check in checks)
    holding = [result["holds"] for result in kept["results"]]
    assert False not in holding
    assert step != "correctness" or holding.count(True) == 6


def test_decoding_says_what_it_could_not_measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bench import gpu_media

    clip = draw("h264.mp4", tmp_path)
    found = gpu_media.run_many(clip, "pyav", "cpu", 2, 0.05)
    assert (found.num_processes, found.why) == (2, "")
    assert found.fps
    for way, file in (("pyav-hwaccel", clip), ("pyav", tmp_path / "missing.mp4"), ("nonsense", clip)):
        missing = gpu_media.run_many(file, way, "cuda:99", 1, 0.05)
        assert missing.fps is None
        assert missing.why
        assert "\n" not in missing.why
    monkeypatch.setattr(gpu_media, "find_spec", lambda name: None)
    told: list[Result] = []
    gpu_media.measure_media(Options("cuda:0", False), told.extend)
    (result,) = told
    assert result.holds is None
    assert "lacks av" in result.figure


def test_the_readers_are_measured_on_the_same_work(tmp_path: Path) -> None:
    clip = draw("h264_bframes.mp4", tmp_path)
    code, out, err = run_script("bench_readers.py", "--rounds", "2", clip)
    assert code == 0, err
    (result,) = json.loads(out.splitlines()[-1])["results"]
    for reader in ("pyav", "decord"):
        assert result[reader]["scan_fps"]["median"] > 0
        assert result[reader]["picks_seconds"]["min"] <= result[reader]["picks_seconds"]["max"]
    code, _, err = run_script("bench_readers.py", "--codecs", "cinepak")
    assert code == 2
    assert "cinepak" in err


def test_every_timeline_is_exported() -> None:
    code, out, err = run_script(
        "bench_export.py", "--timelines", "120", "--rounds", "1", "--format", "parquet,srt"
    )
    assert code == 0, err
    document = json.loads(out.splitlines()[-1])
    assert document["timelines"] == 120
    assert 18_000 < document["bytes_each"] < 25_000
    assert document["timelines_per_second"]["median"] > 0


def test_a_cpu_is_not_asked_for_the_real_figures() -> None:
    code, _, err = run_script("gpu_check.py", "table-8b", "--device", "cpu")
    assert code == 2
    assert "--quick" in err


def test_steps_are_kept_beside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    one, other = Result("a", True, "1"), Result("b", None, "not measured", {"x": 1})
    keep(file, "job", {"torch": "2"}, [one], 1.0)
    keep(file, "correctness", {"torch": "2"}, [other], 1.0)
    assert read(file, "job") == [one]
    assert read(file, "correctness") == [other]
    assert read(file, "table-1b") == []


def test_a_figure_is_judged_unless_it_is_a_rehearsal() -> None:
    real, quick = Options("cuda:0", False), Options("cpu", True)
    assert at_least("x", 95.0, 95, real).holds is True
    assert at_least("x", 94.9, 95, real).holds is False
    assert at_least("x", 1.0, 95, quick).holds is None
    assert at_least("x", None, 95, real).figure == "not measured"


def test_a_step_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = argparse.Namespace(device="cpu", quick=True, json=None)
    (result,) = gpu_check.run_apart(arguments, "table-1b", ["--tiles", "1"], 0.01)
    assert result.holds is False
    assert "did not end" in result.figure


def test_medians_tables_and_memory() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert table([["a", "b"], ["long", "10"]]) == "a      b\nlong  10"
    now_bytes, peak_bytes = tree_memory_bytes(os.getpid())
    assert 0 < now_bytes <= peak_bytes


def test_a_check_that_breaks_is_a_result_and_the_others_are_made() -> None:
    def broken() -> Result:
        raise RuntimeError("CUDA error: no kernel image\nand more")

    (result,) = attempt("tiles", broken)
    assert (result.check, result.holds) == ("tiles", False)
    assert result.figure == "broke: RuntimeError: CUDA error: no kernel image"
    assert attempt("one", lambda: Result("one", True, "fine")) == [Result("one", True, "fine")]


def test_every_kind_of_question_is_asked() -> None:
    code, out, err = run_script("bench_search.py", "--scenes", "3000", "--timelines", "200", "--rounds", "1")
    assert code == 0, err
    document = json.loads(out.splitlines()[-1])
    assert (document["scenes"], document["questions"]) == (3000, 14 * 20)
    assert set(document["seconds"]) == set(document["cpu_seconds"])
    assert 0 < document["seconds"]["all"]["median"] <= document["seconds"]["all"]["p95"]
