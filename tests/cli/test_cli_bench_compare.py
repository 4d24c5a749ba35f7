"""`vlmtl bench compare`, and that everything else behind `bench` is the sweep's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from corridor_cli.bench.compare import compare
from corridor_cli.bench.document import Memory
from corridor_cli.bench.limits import Judgement
from corridor_cli.cli import bench_comparison, tables
from corridor_cli.cli.bench_comparison import Side, comparison_as_text
from corridor_cli.cli.bench_group import BenchGroup
from corridor_cli.cli.main import call
from corridor_cli.cli.options import PlainUsage, given_arguments
from corridor_cli.errors import ExitCode
from tests.bench.bench_documents import document, failed_point, point, write


@pytest.fixture
def before(tmp_path: Path) -> Path:
    points = [point(batch_size=size, memory=Memory(peak_host_bytes=2**30)) for size in (1, 8)]
    return write(tmp_path / "before.json", document(points))


@pytest.fixture
def after(tmp_path: Path) -> Path:
    points = [
        point((12.0, 12.1, 11.9), batch_size=1, memory=Memory(peak_host_bytes=2**30)),
        point((8.0, 8.1, 7.9), batch_size=8, memory=Memory(peak_host_bytes=3 * 2**30)),
        point(batch_size=64),
    ]
    return write(tmp_path / "after.json", document(points))


def test_a_comparison_is_told_in_words(before: Path, after: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["bench", "compare", str(before), str(after)]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.err == ""
    assert "\x1b" not in told.out
    assert "before.json, 2026-11-26" in told.out
    assert "Machine, versions, model, workload and settings are the same." in told.out
    first, second = told.out.split("batch 8,")
    assert re.search(r"^throughput +10\.0 f/s +12\.0 f/s +\+20\.0 \(\+1\S+ to \+2\S+\)  faster$", first, re.M)
    assert re.search(r"^throughput +10\.0 f/s +8\.00 f/s +-20\.0 \(-2\S+ to -1\S+\)  slower$", second, re.M)
    assert re.search(r"^memory +1\.00 GiB +3\.00 GiB +\+200  no interval$", second, re.M)
    assert re.search(r"^ttft .* no difference shown$", first, re.M)
    assert "only in B: batch 64, frames 1, tiles 1, tokens 32" in told.out


def test_limits_decide_the_exit_code(before: Path, after: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "compare", str(before), str(after)]
    assert call([*command, "--fail-if", "throughput<-30%"]) == ExitCode.OK
    assert "limit throughput<-30%: kept, 2 points" in capsys.readouterr().out
    limits = ["--fail-if", "throughput<-5%", "--fail-if", "memory>10"]
    assert call([*command, *limits]) == ExitCode.CHECK_FAILED
    told = capsys.readouterr()
    assert "limit throughput<-5%: broken, 2 points" in told.out
    first, *others = told.err.splitlines()
    assert first == "vlmtl: error: 2 of 4 checks failed"
    assert "batch 8, frames 1, tiles 1, tokens 32: throughput<-5%: -20.0 % (95 % interval" in others[0]
    assert "memory>10%: +200.0 % (the estimate alone" in others[1]


def test_json_on_stdout_says_all_of_it(before: Path, after: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "compare", str(before), str(after), "--json"]
    assert call([*command, "--fail-if", "throughput<-5%"]) == ExitCode.CHECK_FAILED
    table: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert table["before"]["path"] == str(before)
    assert table["after"]["command"] == ["bench", "--preset", "internvl3-1b"]
    assert [each["changes"][0]["verdict"] for each in table["points"]] == ["faster", "slower"]
    assert table["limits"]["num_points"] == {"throughput<-5%": 2}
    assert [each["point"] for each in table["limits"]["broken"]] == ["batch 8, frames 1, tiles 1, tokens 32"]
    assert call(command) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["limits"] is None


def test_another_machine_is_told_first_and_loudly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "a.json", document([point()]))
    environment = {"cpu": "Intel\x1b[31m Xeon", "flags": ["amx"]}
    other = write(
        tmp_path / "b.json", document([failed_point()], environment=environment, workload={"model": "x"})
    )
    assert call(["bench", "compare", str(one), str(other)]) == ExitCode.OK
    out = capsys.readouterr().out
    assert out.index("THE MACHINES DIFFER") < out.index("THE WORK DIFFERS") < out.index("batch 8")
    assert re.search(r"^machine +cpu +AMD EPYC +Intel\\x1b\[31m Xeon$", out, re.M)
    assert re.search(r'^environment +flags +- +\["amx"\]$', out, re.M)
    assert "note: the second was out of memory: no room for 1.2 GiB" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        ("", "is no result of this version's `vlmtl bench`"),
        ('{"schema": "vlmtl.bench/2"}', "is no result of this version's `vlmtl bench` (vlmtl.bench/1)"),
        ('{"machine": {}, "results": []}', "is no result of this version's `vlmtl bench`"),
    ],
)
def test_another_file_is_refused(
    content: str | None, said: str, before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    if content is not None:
        other.write_text(content)
    assert call(["bench", "compare", str(before), str(other)]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


def test_what_cannot_be_compared_or_read_is_wrong_usage(
    before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write(tmp_path / "empty.json", document([]))
    for arguments, said in (
        ([str(before), str(empty)], "no point in common"),
        (
            [str(before), str(before), "--fail-if", "speed<-5%"],
            "flag --fail-if: got 'speed<-5%', allowed: one of",
        ),
        ([str(before), str(before), "--fail-if", "joules>5%"], "no point has this metric in both files"),
    ):
        assert call(["bench", "compare", *arguments]) == ExitCode.USAGE
        told = capsys.readouterr()
        assert told.out == ""
        assert said in told.err


def test_it_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = (1.0, 9.0, 20.0)
    points = [
        point(speeds, batch_size="auto", memory=Memory(peak_host_bytes=2**40 - 1), joules_per_frame=1e3)
    ]
    told = compare(document(points), document(points, environment={"cpu": "x" * 200}))
    monkeypatch.setattr(tables, "_PIPE_WIDTH", 80)
    side = Side("a.json", "2026-11-26", ["bench"])
    text = comparison_as_text(side, side, told, Judgement({"throughput<-5%": 1}, ()))
    assert max(map(len, text.splitlines())) <= 80
    assert "no difference shown" in text
    assert text.count("x") > 200  # folded, not cut


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("frames/s", 0.12345, "0.123 f/s"),
        ("frames/s", 9.999, "10.0 f/s"),
        ("frames/s", 1234.5, "1,234 f/s"),
        ("ms", 12_345.0, "12.3 s"),
        ("ms", 7.0, "7.00 ms"),
        ("bytes", 5.5 * 2**20, "5.50 MiB"),
        ("bytes", 12.25 * 2**30, "12.2 GiB"),
        ("J/frame", 2.5, "2.50 J"),
    ],
)
def test_values_have_three_digits_and_a_unit(unit: str, value: float, shown: str) -> None:
    assert bench_comparison._VALUES[unit](value) == shown


class FolderCommand(PlainUsage):
    usage = "[INPUT]"


def swept(arguments: list[str]) -> dict[str, Any]:
    """What a sweep like the real one, behind the group, is given. Another command gives an empty table."""
    told: dict[str, Any] = {}
    root = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]}, rich_markup_mode=None)
    group = typer.Typer(cls=BenchGroup, rich_markup_mode=None)

    @group.command("sweep", cls=FolderCommand)
    def sweep(
        context: typer.Context, folder: str = typer.Argument("none", metavar="INPUT"), repeats: int = 1
    ) -> None:
        told.update(folder=folder, repeats=repeats, path=context.command_path, given=given_arguments(context))

    @group.command("compare")
    def other(file: str) -> None:
        assert file

    @root.callback()
    def top() -> None: ...

    root.add_typer(group, name="bench")
    command = typer.main.get_command(root)
    command.main(["bench", *arguments], prog_name="vlmtl", standalone_mode=False, obj=("bench", *arguments))
    return told


@pytest.mark.parametrize(
    ("arguments", "folder", "repeats"),
    [
        ([], "none", 1),
        (["videos/"], "videos/", 1),
        (["videos/", "--repeats", "3"], "videos/", 3),
        (["--repeats", "3", "videos/"], "videos/", 3),
        (["./compare"], "./compare", 1),
        (["--repeats", "2", "compare"], "compare", 2),
        (["sweep"], "sweep", 1),
    ],
)
def test_what_is_not_compare_is_the_sweeps(arguments: list[str], folder: str, repeats: int) -> None:
    assert swept(arguments) == {
        "folder": folder, "repeats": repeats, "path": "vlmtl bench", "given": ("bench", *arguments),
    }  # fmt: skip


def test_compare_is_not_the_sweeps() -> None:
    assert swept(["compare", "a"]) == {}


def test_the_sweeps_help_tells_of_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["bench", "--help"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert out.startswith("Usage: vlmtl bench ")
    assert "`vlmtl bench compare A.json B.json` compares two results." in out
    assert call(["bench", "compare"]) == ExitCode.USAGE
    assert "See `vlmtl bench compare --help`." in capsys.readouterr().err


def test_comparing_loads_neither_network_nor_decoder(before: Path, after: Path) -> None:
    code = (
        "import sys; from corridor_cli.cli.main import call; "
        f"code = call(['bench', 'compare', {str(before)!r}, {str(after)!r}]); "
        "print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    exit_code, *modules = done.stderr.split()
    assert exit_code == "0"
    heavy = {"torch", "transformers", "av", "decord", "numpy", "scipy", "matplotlib"}
    assert heavy.isdisjoint(module.partition(".")[0] for module in modules)
