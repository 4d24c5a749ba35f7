"""`vlmtl doctor`: a good machine, broken ones, and checks that fail or hang."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from corridor_cli.cli.doctor import check_lines
from corridor_cli.cli.main import call
from corridor_cli.engine.locate import bundled_folder
from corridor_cli.errors import ExitCode
from corridor_cli.hosts.answer_device import ENGINE, LOAD
from corridor_cli.hosts.answer_reader import CODECS, READ
from corridor_cli.hosts.question import Answer, Question
from corridor_cli.runners.checkup.check import Check, guarded
from corridor_cli.runners.checkup.devices import check_devices
from corridor_cli.runners.checkup.known import FAILURES, advice_for, check_environment
from corridor_cli.runners.checkup.model import check_model, check_network
from corridor_cli.runners.checkup.readers import check_optional, check_pyav
from corridor_cli.runners.doctor import DoctorOptions, exit_code_of, run_doctor
from corridor_cli.settings import ModelSettings

WIDTH = 80
CPU = {"name": None, "free_bytes": 8 * 1024**3, "total_bytes": 16 * 1024**3, "bfloat16_speedup": None}
CARD = {"name": "A card", "free_bytes": 20 * 1024**3, "total_bytes": 24 * 1024**3, "bfloat16_speedup": 7.9}
NEW_CUDA = {"cuda_build": "13.0"}
ON_CPU = {"torch": "2.13.0", "cuda_build": None, "device cpu": CPU, "chosen": "cpu"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def answered(problem: str = "", step: str = "", printed: str = "", **facts: Any) -> Answer:
    return Answer(facts, step, problem, printed)


def row_of(rows: Sequence[Check] | Iterator[Check], name: str, group: str = "") -> Check:
    (found,) = [row for row in rows if row.name == name and group in row.group]
    return found


def doctor(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "corridor_cli", "doctor", *arguments]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
    )


@pytest.fixture
def quick() -> DoctorOptions:
    """No child is in time: what main itself checks is quick."""
    return DoctorOptions(None, [], {}, reader_seconds=0.01, device_seconds=0.01)


def test_this_machine_can_do_the_work(tmp_path: Path) -> None:
    done = doctor("--model", "tiny", "--json", folder=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["exit_code"] == 0
    rows = {(row["group"], row["name"]): row for row in told["checks"]}
    assert len(rows) == len(told["checks"])
    assert {row["status"] for row in told["checks"]} <= {"ok", "note"}
    for key in [("readers", "pyav"), ("devices", "cpu"), ("devices", "chosen"), ("machine", "shared memory")]:
        assert rows[key]["status"] == "ok", rows[key]
    assert "8 of 8 drawn frames read" in rows["readers", "pyav"]["found"]
    assert set(rows["readers", "codecs"]["found"].split()) >= {"h264", "hevc", "vp9", "mpeg4"}
    assert "tiny, bundled, whole: 1 weight file" in rows["model", "model"]["found"]
    assert rows["model", "engine"]["found"].startswith("local")
    assert "in float32" in rows["model", "fits"]["found"]
    assert all(row["advice"] for row in told["checks"] if row["status"] == "note")


def test_children_that_give_no_answer_are_rows_on_a_page_of_80_columns(quick: DoctorOptions) -> None:
    rows = list(run_doctor(quick))
    assert exit_code_of(rows) == ExitCode.MODEL
    pyav, torch = row_of(rows, "pyav"), [row for row in rows if row.group == "devices"]
    assert (pyav.status, pyav.exit_code) == ("problem", ExitCode.MODEL)
    # How far it came in that time, and in what it takes to end it, is the machine's affair.
    assert pyav.found.startswith("gave no answer within 0.01 s, at: ")
    assert [row.found for row in torch] == ["loading it gave no answer within 0.01 s"]
    for name in ("decord", "torchcodec"):
        assert row_of(rows, name, "readers").found in (
            "not tried, as there was no clip",
            "not installed; PyAV does its work",
        )
    assert all(row.advice for row in rows if row.status != "ok")
    for row in rows:
        assert max(len(line) for line in check_lines(row, with_heading=True)) <= WIDTH


def test_wrong_settings_come_first_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("scenes:\n  detektor: none\ncaption:\n  max_new_tokens: many\n")
    rows = list(run_doctor(DoctorOptions(wrong, [], {}, reader_seconds=0.01, device_seconds=0.01)))
    assert exit_code_of(rows) == ExitCode.USAGE
    settings = row_of(rows, "settings")
    assert (settings.status, settings.exit_code) == ("problem", ExitCode.USAGE)
    assert f"{wrong}:2:3" in settings.found
    assert settings.found.endswith("(and 1 more)")
    assert row_of(rows, "tiny (bundled)").status == "ok"


def test_settings_from_the_environment_are_counted(quick: DoctorOptions) -> None:
    options = DoctorOptions(None, [], {"VLMTL_SCENES__DETECTOR": "none"}, 0.01, 0.01)
    assert "1 from the environment" in row_of(run_doctor(options), "settings").found


def test_a_temporary_folder_and_memory_files_are_needed(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "sys.path[:] = sys.argv[1:]\n"
        "from corridor_cli.runners.doctor import DoctorOptions, exit_code_of, run_doctor\n"
        "rows = list(run_doctor(DoctorOptions(None, [], {}, 0.01, 0.01)))\n"
        "print(*(f'{row.name}: {row.exit_code} {row.found} {row.advice}' for row in rows), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *sys.path], capture_output=True, text=True, check=False
    )
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert told["shared memory"].startswith("6 Shared memory of 67,108,864 bytes cannot be had"), done
    assert told["temporary"].startswith("6 nothing can be written there: File too large")
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert soft != 4096, "the limit was to be the child's alone"


def test_a_check_that_raises_or_hangs_is_a_row() -> None:
    def raising() -> Iterator[Check]:
        yield Check("group", "first", "ok", "good")
        raise ZeroDivisionError("by zero")

    def hanging() -> Iterator[Check]:
        yield Check("group", "first", "ok", "good")
        time.sleep(600)

    first, second = guarded("group", "name", raising)
    assert (first.status, second.status) == ("ok", "note")
    assert second.found == "the check itself failed (ZeroDivisionError: by zero)"
    first, second = guarded("group", "name", hanging, limit_seconds=0.5)
    assert (first.status, second.found) == ("ok", "the check gave no answer within 0.5 s")


def test_a_clip_that_a_reader_cannot_read_is_told(tmp_path: Path) -> None:
    clip = tmp_path / "torn.mkv"
    clip.write_bytes(b"\x1a\x45\xdf\xa3" + b"nothing" * 99)
    with Question("corridor_cli.hosts.answer_reader", "decord", str(clip), limit_seconds=60) as question:
        row = check_optional("decord", "0.6.0", question.answer(), is_asked_for=False)
    assert row.status == "note"
    assert str(clip) in row.found
    assert "decode.reader: pyav" in row.advice


@pytest.mark.parametrize(
    ("answer", "said", "advice"),
    [
        (answered("crashed (SIGSEGV)", READ), "0.1: crashed (SIGSEGV)", "Reinstall it"),
        (answered("crashed (SIGILL)", READ), "crashed (SIGILL)", "newer processor"),
        (answered("gave no answer within 9 s", READ), "gave no answer within 9 s", "Reinstall it"),
        (answered(instead="torchcodec: libx.so: undefined symbol: _ZN5"), "undefined", "for another torch"),
        (answered(frames=8, is_right=False), "wrong frames", "Reinstall it"),
    ],
)
def test_what_an_optional_reader_does_wrong_is_a_note(answer: Answer, said: str, advice: str) -> None:
    row = check_optional("torchcodec", "0.1", answer, is_asked_for=False)
    assert (row.status, row.exit_code) == ("note", None)
    assert said in row.found
    assert advice in row.advice


def test_a_reader_that_is_asked_for_should_be_there() -> None:
    assert check_optional("torchcodec", None, None, is_asked_for=False).status == "ok"
    row = check_optional("torchcodec", None, None, is_asked_for=True)
    assert "vlmtl[torchcodec]" in row.advice


def test_codecs_are_decoded_present_missing_or_not_reached() -> None:
    good = {"ffmpeg": "8.1", "frames": 8, "is_right": True, "clip": "/c"}
    verdicts = {f"codec {name}": "decoded" for name in CODECS}
    pyav, codecs = check_pyav(answered(**good, **verdicts))
    assert (pyav.status, codecs.status, codecs.found) == ("ok", "ok", " ".join(CODECS))
    pyav, codecs = check_pyav(
        answered(**good, **{**verdicts, "codec av1": "missing", "codec vp8": "present"})
    )
    assert (pyav.status, codecs.status) == ("ok", "note")
    assert codecs.found.endswith("there, not tried: vp8; cannot be decoded: av1")
    # An encoder that crashes is no reader that does.
    some = dict(list(verdicts.items())[:2])
    pyav, codecs = check_pyav(answered("crashed (SIGSEGV)", "codec vp8", **good, **some))
    assert (pyav.status, codecs.status) == ("ok", "note")
    assert codecs.found.endswith("prores: it crashed (SIGSEGV) at codec vp8")
    (pyav,) = check_pyav(answered(**{"failed loading PyAV": "ImportError: libavcodec.so.62: cannot open"}))
    assert (pyav.status, pyav.exit_code) == ("problem", ExitCode.MODEL)


@pytest.mark.parametrize(
    ("facts", "has_driver", "name", "status", "said", "advice"),
    [
        (ON_CPU, False, "torch", "ok", "built for the CPU alone", ""),
        (ON_CPU, True, "torch", "note", "an NVIDIA driver is here", "leaves the card idle"),
        (ON_CPU | NEW_CUDA, False, "torch", "note", "sees no device", "install the NVIDIA driver"),
        (
            ON_CPU | NEW_CUDA | {"cuda_warnings": ["The NVIDIA driver on your system is too old (12020)"]},
            True, "torch", "note", "too old (12020)", "Update the NVIDIA driver",
        ),
        (ON_CPU | NEW_CUDA, True, "torch", "note", "sees no device", "nvidia-smi"),
        (
            ON_CPU | {"failed using cuda:0": "RuntimeError: CUDA error: no kernel image is available\nmore"},
            True, "cuda:0", "problem", "no kernel image is available", "no code for the card",
        ),
        (ON_CPU | {"device cuda:0": CARD}, True, "cuda:0", "ok", "bfloat16 is the fast precision", ""),
        (ON_CPU, False, "cpu", "ok", "8.0 GiB free of 16.0 GiB; precision not measured yet", ""),
        (
            {**ON_CPU, "chosen": None, "refused": "Device 'cuda:3' does not exist", "hint": "Use auto."},
            False, "chosen", "problem", "does not exist", "Use auto.",
        ),
        (
            ON_CPU | {f"failed {ENGINE}": "RuntimeError: operator torchvision::nms does not exist"},
            False, "engine", "problem", "torchvision::nms", "upgrade or uninstall torchvision",
        ),
        (
            {f"failed {LOAD}": "OSError: libcudnn.so.9: cannot open"},
            False, "torch", "problem", "libcudnn", "reinstall torch",
        ),
    ],
)  # fmt: skip
def test_what_torch_says_becomes_a_row(
    facts: dict[str, Any], has_driver: bool, name: str, status: str, said: str, advice: str
) -> None:
    row = row_of(check_devices(answered(**facts), "auto", has_nvidia_driver=has_driver), name)
    assert row.status == status
    assert said in row.found
    assert advice in row.advice
    assert (row.exit_code == ExitCode.MODEL) == (status == "problem")


@pytest.fixture(scope="module")
def wrong_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command, given wrong settings and a device that does not exist."""
    wrong = tmp_path_factory.mktemp("doctor") / "wrong.yaml"
    wrong.write_text("nope: 1\n")
    device = "gpu_pipeline.internvl3.device=cuda:97"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = call(["doctor", "-c", str(wrong), "--model", "tiny", "--set", device])
    return code, out.getvalue(), err.getvalue()


def test_a_device_that_does_not_exist_is_refused_by_torch_itself(wrong_page: tuple[int, str, str]) -> None:
    _, out, _ = wrong_page
    rows = dict(re.findall(r"^  (\w+ +\S+) +((?:.+\n?)(?: {20,}.+\n)*)", out, re.MULTILINE))
    told = {tuple(row.split()): " ".join(found.split()) for row, found in rows.items()}
    assert "'cuda:97' does not exist" in told["problem", "chosen"]
    assert told["ok", "cpu"]


def test_each_known_failure_has_an_advice_that_is_found() -> None:
    assert advice_for("something new", "otherwise") == "otherwise"
    assert all(each.advice and len(each.advice) < 100 for each in FAILURES)


@pytest.mark.parametrize(
    ("environ", "has_driver", "name", "said"),
    [
        ({"OMP_NUM_THREADS": "many"}, False, "OMP_NUM_THREADS", "no number of threads"),
        ({"OMP_NUM_THREADS": "0"}, False, "OMP_NUM_THREADS", "no number of threads"),
        ({"OMP_NUM_THREADS": "9999"}, False, "OMP_NUM_THREADS", "more than the"),
        ({"CUDA_VISIBLE_DEVICES": ""}, True, "CUDA_VISIBLE_DEVICES", "hidden from torch"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, True, "CUDA_VISIBLE_DEVICES", "hidden from torch"),
        ({"CUDA_VISIBLE_DEVICES": ""}, False, "none", "no known bad combination"),
        ({}, True, "none", "no known bad combination"),
    ],
)
def test_odd_variables_are_told(environ: dict[str, str], has_driver: bool, name: str, said: str) -> None:
    row = row_of(check_environment(environ, has_nvidia_driver=has_driver), name)
    assert said in row.found
    assert (row.status == "ok") == (name == "none")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, with the network switched off."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hub"


def cached(hub: Path, model: str) -> Path:
    """The bundled checkpoint as `model` in the cache."""
    repository = hub / f"models--{model.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(bundled_folder(), repository / "snapshots" / COMMIT))


def test_a_model_is_found_whole_torn_or_not_at_all(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows_of(model: str) -> list[Check]:
        return list(check_model(ModelSettings(model=model), answered(**ON_CPU)))

    (row,) = rows_of("some/model-hf")
    assert (row.status, row.exit_code) == ("problem", ExitCode.MODEL)
    assert "the network is switched off" in row.found
    folder = cached(hub, "some/model-hf")
    found, engine, fits = rows_of("some/model-hf")
    assert "some/model-hf, in the hub cache, whole" in found.found
    assert (found.status, engine.status, fits.status) == ("ok", "ok", "ok")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    (row,) = rows_of("some/model-hf")
    assert (row.status, row.exit_code) == ("problem", ExitCode.MODEL)
    assert "cut off" in row.advice
    (row,) = check_network({"HF_HUB_OFFLINE": "1"})
    assert (row.status, row.found) == ("note", "switched off (HF_HUB_OFFLINE=1)")
    # With a network neither is a problem: a run fetches what is missing.
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    (row,) = rows_of("some/model-hf")
    assert (row.status, row.advice) == ("note", "To do so now: vlmtl models pull some/model-hf")
    (row,) = rows_of("some/other-hf")
    assert (row.status, row.advice) == ("note", "To fetch it now: vlmtl models pull some/other-hf")
    (row,) = rows_of("no-such-folder")
    assert (row.status, row.exit_code) == ("problem", ExitCode.MODEL)


def test_a_gated_model_wants_a_token(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(hub / "none"))
    settings = ModelSettings(model="meta-llama/Some-Vision")
    assert row_of(check_model(settings, answered(**ON_CPU)), "hub token").status == "note"


def test_a_model_that_does_not_fit_is_a_problem_and_dummy_weights_are_weighed() -> None:
    settings = ModelSettings(load_format="dummy", preset="internvl3-8b")
    fits = row_of(check_model(settings, answered(**ON_CPU)), "fits")
    assert (fits.status, fits.exit_code) == ("problem", ExitCode.MODEL)
    assert "in bfloat16 at least, 8.0 GiB may be used on cpu" in fits.found
    facts = ON_CPU | {"device cuda:0": CARD, "chosen": "cuda:0"}
    assert row_of(check_model(settings, answered(**facts)), "fits").status == "ok"
    facts = ON_CPU | {"device cpu": CPU | {"bfloat16_speedup": 0.01}}
    two = ModelSettings(load_format="dummy", preset="internvl3-2b")
    assert "in float32" in row_of(check_model(two, answered(**facts)), "fits").found
    assert row_of(check_model(ModelSettings(engine="echo"), answered()), "model").status == "ok"
    wrong = ModelSettings(load_format="dummy")
    assert row_of(check_model(wrong, answered()), "model").exit_code == ExitCode.USAGE


def test_the_page_is_plain_and_hostile_names_are_harmless() -> None:
    row = Check("group", "name", "problem", "a\n\x1b[31m" + "long" * 60, "do\x07 this " * 9, ExitCode.MODEL)
    lines = list(check_lines(row, with_heading=False))
    assert max(map(len, lines)) <= WIDTH
    assert all(line.isprintable() for line in lines)


def test_the_command_ends_with_the_code_of_a_run(wrong_page: tuple[int, str, str]) -> None:
    code, out, err = wrong_page
    assert code == ExitCode.USAGE
    assert err == ""
    assert out.splitlines()[-1].endswith("`vlmtl run` cannot work here yet (exit code 2).")
    assert max(map(len, out.splitlines())) <= WIDTH
