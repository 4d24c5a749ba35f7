"""The caption log: nothing that was answered is lost, nothing torn is believed."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeline_samples import MODEL, caption, failed_caption

from corridor_cli.errors import StorageError
from corridor_cli.records import Caption, ErrorInfo, RequestKey, Role
from corridor_cli.timeline.log import CaptionLog, Reuse, known_captions

FIRST, SECOND, THIRD = (caption(scene, Role.FIRST, f"scene {scene}: ü \n </script>") for scene in range(3))
NEW = caption(9, Role.LAST, "new")


def read(path: Path, reuse: Reuse = "all", video: int = 0) -> dict[tuple[int, Role], Caption]:
    log = CaptionLog(path, video, reuse=reuse, fsync=False)
    return log.captions


def write(path: Path, *answers: Caption) -> None:
    log = CaptionLog(path, 0, fsync=False)
    for answer in answers:
        log.append(answer)


def by_place(*answers: Caption) -> dict[tuple[int, Role], Caption]:
    return {(each.key.scene, each.key.role): each for each in answers}


def test_what_was_appended_is_known_at_once_and_later(tmp_path: Path) -> None:
    path = tmp_path / "ab" / "log.jsonl"
    log = CaptionLog(path, 0, fsync=True)
    assert log.captions == {}
    log.append(FIRST)
    log.append(failed_caption(1, Role.LAST))
    assert log.captions == by_place(FIRST, failed_caption(1, Role.LAST))
    assert read(path) == by_place(FIRST, failed_caption(1, Role.LAST))


def test_the_log_serves_the_ordinal_a_video_has_in_this_run(tmp_path: Path) -> None:
    write(tmp_path / "log", FIRST)
    assert read(tmp_path / "log", video=7)[0, Role.FIRST].key == RequestKey(7, 0, Role.FIRST)


def test_the_model_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for _ in range(2):
        log = CaptionLog(path, 0, fsync=False)
        log.append_model(MODEL)
        log.append_model(MODEL)
        assert log.model == MODEL
    assert path.read_bytes().count(b"\n") == 1


def test_a_line_torn_at_any_byte_is_skipped_and_harms_no_later_one(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write(whole, FIRST, SECOND, THIRD)
    data = whole.read_bytes()
    ends = [place for place, byte in enumerate(data) if byte == ord("\n")]
    torn = tmp_path / "torn"
    for length in range(len(data) + 1):
        torn.write_bytes(data[:length])
        # A line whose newline alone is missing is whole.
        known = by_place(*(FIRST, SECOND, THIRD)[: sum(end <= length for end in ends)])
        assert read(torn) == known
        write(torn, NEW)
        assert read(torn) == {**known, **by_place(NEW)}


def test_a_damaged_byte_costs_its_line_and_never_lies(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, FIRST, SECOND)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :])
        found = read(path)
        assert found.items() <= by_place(FIRST, SECOND).items()
        assert found or data[place] == ord("\n")


@pytest.mark.parametrize(
    "payload",
    [b"{}", b"[]", b"null", b'{"caption": null}', b'{"caption": {}}', b'{"model": {}}', b'{"new": 1}', b"["],
)
def test_a_sound_line_of_another_kind_is_skipped(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"%08x %s\n\n\xff\xfe\n" % (zlib.crc32(payload), payload))
    write(path, FIRST)
    assert read(path) == by_place(FIRST)


def test_the_first_text_stands_and_beats_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log"
    failed, again = failed_caption(0, Role.FIRST), failed_caption(0, Role.FIRST, "again")
    write(path, failed, again)
    assert read(path) == by_place(failed)
    write(path, FIRST, caption(0, Role.FIRST, "later"))
    assert read(path) == by_place(FIRST)


def test_failed_captions_are_asked_again_only_when_wanted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    failed = failed_caption(1, Role.FIRST)
    write(path, FIRST, failed)
    assert read(path, "all") == by_place(FIRST, failed)
    assert read(path, "good") == by_place(FIRST)
    log = CaptionLog(path, 0, reuse="good", fsync=False)
    log.append(failed)
    assert log.captions == by_place(FIRST, failed)
    assert read(path, "none") == {}
    assert read(path) == {}


def test_steps_of_a_summary_are_known_by_their_names_and_are_no_captions(tmp_path: Path) -> None:
    path = tmp_path / "log"
    step = Caption(RequestKey(0, -1, None, "0.0.ab"), "", 5, 0, None, ErrorInfo("caption", "Odd", "no"))
    better = Caption(RequestKey(0, -1, None, "0.0.ab"), "Boats.", 5, 2, "stop")
    other = Caption(RequestKey(0, -1, None, "1.0.cd"), "All.", 5, 2, "stop")
    write(path, FIRST, step, better, other)
    log = CaptionLog(path, 0, fsync=False)
    assert log.captions == by_place(FIRST)
    assert log.summary == {"0.0.ab": better, "1.0.cd": other}
    assert known_captions(path, 0) == {}, "nobody wrote down which model it was"


# A pair of surrogates comes back as the character it means; `caption_text` would join it anyway.
ANY_TEXT = st.text(st.characters(exclude_categories=[])).map(lambda text: json.loads(json.dumps(text)))
CAPTIONS = st.builds(
    Caption,
    key=st.builds(RequestKey, st.just(3), st.integers(0, 10**6), st.sampled_from([*Role, None]), st.just("")),
    # A pair of surrogates comes back as the character it means; `caption_text` would join it anyway.
    text=st.text(st.characters(exclude_categories=[])).filter(
        lambda text: json.loads(json.dumps(text)) == text
    ),
    prompt_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    finish_reason=st.sampled_from(["stop", "length", None]),
    error=st.none() | st.builds(ErrorInfo, st.text(), st.text(), st.text()),
    retry_of=st.sampled_from([None, "empty", "repetitive"]),
)


@given(answers=st.lists(CAPTIONS, max_size=8, unique_by=lambda each: (each.key.scene, each.key.role)))
def test_any_caption_comes_back_as_it_went(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Caption]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    write(path, *answers)
    assert read(path, video=3) == by_place(*answers)


@contextmanager
def limit(what: int, value: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def test_any_number_of_logs_may_be_in_use_at_once(tmp_path: Path) -> None:
    with limit(resource.RLIMIT_NOFILE, 64):
        logs = [CaptionLog(tmp_path / f"{i}", 0, fsync=False) for i in range(100)]
        for log in logs:
            log.append(FIRST)
    assert all(read(tmp_path / f"{i}") == by_place(FIRST) for i in range(100))


@pytest.mark.parametrize("room", [0, 1, 50])
def test_a_disk_that_fills_up_in_a_line_costs_that_line_only(room: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, FIRST)
    log = CaptionLog(path, 0, fsync=False)
    with (
        limit(resource.RLIMIT_FSIZE, path.stat().st_size + room),
        pytest.raises(StorageError, match=r"append to .*EFBIG"),
    ):
        log.append(SECOND)
    assert log.captions == by_place(FIRST)
    log.append(THIRD)
    assert read(path) == by_place(FIRST, THIRD)


def test_a_log_that_cannot_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(StorageError, match="Cannot open"):
        CaptionLog(tmp_path / "log", 0, fsync=False)


APPEND_FOR_EVER = """
import sys, itertools
from pathlib import Path
from corridor_cli.records import Caption, RequestKey, Role
from corridor_cli.timeline.log import CaptionLog
log = CaptionLog(Path(sys.argv[1]), 0, fsync=False)
for scene in itertools.count(len(log.captions)):
    log.append(Caption(RequestKey(0, scene, Role.FIRST), f"scene {scene} " * 50, 1, 2, "stop"))
    print(scene, flush=True)
"""


def test_a_killed_writer_has_lost_nothing_that_it_said_was_logged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for kill in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", APPEND_FOR_EVER, os.fspath(path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(10 + 7 * kill):
            process.stdout.readline()
        process.kill()
        said = process.stdout.read().split(b"\n")[:-1]
        process.stdout.close()
        process.wait()
        known = read(path)
        assert [scene for scene, _ in known] == list(range(len(known)))
        assert not said or len(known) > int(said[-1])
        assert all(each.text == f"scene {scene} " * 50 for (scene, _), each in known.items())
