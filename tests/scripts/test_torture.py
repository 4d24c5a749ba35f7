"""A hundred mutants through the real command, and that the torture would notice what goes wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torture_media
from torture import batch
from torture.batch import Ending, run_batch
from torture.fields import length_fields, picture_size_fields, time_fields
from torture.ledger import Ledger, LedgerError, Plan
from torture.mutate import KINDS, Mutant, mutant_of
from torture.originals import CODECS, Original, draw_originals
from torture.summary import summary

SEED = 11
COUNT = 100


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Original]:
    return draw_originals(tmp_path_factory.mktemp("originals"), CODECS)


@pytest.fixture(scope="module")
def mutants(originals: list[Original]) -> list[Mutant]:
    return [mutant_of(number, SEED, originals) for number in range(COUNT)]


@pytest.fixture(scope="module")
def done(
    mutants: list[Mutant], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[Ending, ...], tuple[tuple[str, str], ...]]:
    """The folder of a batch of all mutants, its endings, the broken promises."""
    folder = tmp_path_factory.mktemp("torture") / "batch"
    result = run_batch(mutants, folder, 2)
    return folder, result.endings, result.violations


def test_a_hundred_mutants_break_no_promise(
    done: tuple[Path, tuple[Ending, ...], tuple[tuple[str, str], ...]],
) -> None:
    _, endings, violations = done
    assert violations == ()
    assert [ending.number for ending in endings] == list(range(COUNT))
    assert {ending.status for ending in endings} == {"complete", "partial", "failed"}
    assert not [ending for ending in endings if ending.error in batch.LOSSES]


def test_mutants_are_the_same_each_time_and_differ_from_the_good_file(
    originals: list[Original], mutants: list[Mutant]
) -> None:
    assert mutants == [mutant_of(number, SEED, originals) for number in range(COUNT)]
    assert all(mutant.data != mutant.original.data for mutant in mutants)
    assert {mutant.original.codec for mutant in mutants} == set(CODECS)
    assert {kind for mutant in mutants for kind in mutant.kinds} == set(KINDS)
    assert mutant_of(3, SEED + 1, originals).data != mutants[3].data


def test_every_container_has_lengths_sizes_and_times_to_lie_about(originals: list[Original]) -> None:
    for original in originals:
        assert length_fields(original.data), original.name
        assert picture_size_fields(original.data), original.name
        assert time_fields(original.data), original.name


def test_records_that_are_missing_doubled_or_wrong_are_noticed(
    done: tuple[Path, tuple[Ending, ...], tuple[tuple[str, str], ...]], mutants: list[Mutant], tmp_path: Path
) -> None:
    folder, endings, _ = done
    output = tmp_path / "out"
    shutil.copytree(folder / "out", output)
    good = {
        status: next(e.number for e in endings if e.status == status) for status in ("complete", "failed")
    }
    complete, failed = mutants[good["complete"]], mutants[good["failed"]]
    record = output / f"{complete.name}.timeline.json"
    assert batch._look_at(complete, output)[1] == []

    shutil.copy(record, output / f"{complete.name}.failed.json")
    assert batch._look_at(complete, output)[1] == ["2 records instead of one"]
    (output / f"{complete.name}.failed.json").unlink()

    document = json.loads(record.read_bytes())
    scan = output / ".vlmtl" / "scans"
    shutil.rmtree(scan)
    assert batch._look_at(complete, output)[1] == ["no scan record"]
    document["run"]["wall_seconds"] = 1000.0
    record.write_text(json.dumps(document))
    assert "took 1000 s" in " ".join(batch._look_at(complete, output)[1])
    record.unlink()
    assert batch._look_at(complete, output)[1] == ["0 records instead of one"]

    wrong = output / f"{failed.name}.failed.json"
    document = json.loads(wrong.read_bytes())
    document["errors"][0] |= {"type": "KeyError", "message": "'x'"}
    wrong.write_text(json.dumps(document))
    assert len(batch._look_at(failed, output)[1]) == 2
    (output / "stray.txt").touch()
    assert list(batch._folder_problems(output, mutants)) == ["an unexpected file: stray.txt"]


def test_a_run_that_crashes_or_hangs_is_noticed(
    mutants: list[Mutant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_batch(mutants[:1], tmp_path / "a", jobs=0)  # no such number of workers: exit code 2
    assert "the run ended with exit code 2" in result.violations[0][1]
    monkeypatch.setattr(batch, "SECONDS_PER_MUTANT", -59.9)
    result = run_batch(mutants[:1], tmp_path / "b", 1)
    assert result.endings == ()
    assert "the run hung and was killed" in result.violations[0][1]


def test_a_torture_goes_on_where_it_was_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--count", "4", "--batch", "2", "--codecs", "mjpeg,vp8", "--work", str(tmp_path)]
    assert torture_media.main(words) == 0
    first = capsys.readouterr().out
    ledger = tmp_path / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    assert len(lines) == 3
    ledger.write_text("".join(lines[:2]) + lines[2][:40])  # killed while it wrote the last line
    assert torture_media.main(words) == 2
    assert "give --resume" in capsys.readouterr().err
    assert torture_media.main([*words, "--resume"]) == 0
    second = capsys.readouterr()
    assert "batch 0" not in second.err
    assert [line for line in second.out.splitlines()[1:] if "slowest" not in line] == [
        line for line in first.splitlines()[1:] if "slowest" not in line
    ]


def test_a_ledger_of_another_plan_is_refused(tmp_path: Path) -> None:
    plan = Plan(10, 1, 5, ("vp8",), "digest")
    Ledger(tmp_path / "ledger.jsonl", plan, resume=False)
    with pytest.raises(LedgerError, match="another plan"):
        Ledger(tmp_path / "ledger.jsonl", dataclasses.replace(plan, seed=2), resume=True)


def test_the_summary_names_every_mutant_that_cost_a_worker(tmp_path: Path) -> None:
    plan = Plan(2, 1, 2, ("vp8",), "digest")
    ledger = Ledger(tmp_path / "ledger.jsonl", plan, resume=False)
    died = Ending(
        1, "vp8", "vp8.webm", ("lengths",), "failed", "WorkerDiedError", "killed by SIGSEGV", 2, 0.1
    )
    fine = Ending(0, "vp8", "vp8.webm", ("times",), "complete", "", "", 1, 0.1)
    ledger.add(0, batch.BatchResult((fine, died), (("000001-vp8.webm", "a broken one"),)), 1.0)
    text = "\n".join(summary(plan, ledger))
    assert "cost a worker: 1\n  1 vp8.webm (lengths): failed, killed by SIGSEGV" in text
    assert "broken promises: 1\n  batch 0 000001-vp8.webm: a broken one" in text
