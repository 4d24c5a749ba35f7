"""What a run tells in a pipe, as JSON, quietly, verbosely, and on a terminal of 80 columns."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console
from scripted_run import HOSTILE, NUM_VIDEOS, counters, outcome, play

from corridor_cli.cli.live import LiveReporter, terminal
from corridor_cli.cli.progress import LogReporter, Rates
from corridor_cli.cli.reporting import open_reporter
from corridor_cli.errors import ModelError
from corridor_cli.settings import LoggingSettings

ARGUMENTS = ["run", "in", "out"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def told(settings: LoggingSettings, stream: io.StringIO) -> list[str]:
    """All lines of the scripted run with its closing summary."""
    with open_reporter(settings, stream) as reporter:
        for _ in play(reporter):
            pass
        reporter.run_finished(outcome(), ARGUMENTS, is_dry_run=False)
    return stream.getvalue().splitlines()


def test_a_pipe_gets_a_plain_line_now_and_then_and_a_summary() -> None:
    lines = told(LoggingSettings(progress_seconds=5.0), io.StringIO())
    assert lines[:3] == [
        "settings from ./config/processing.yaml, found in the current folder",
        "12 videos to do, 3 need nothing",
        "model OpenGVLab/InternVL3-2B-hf on cuda:0 (bfloat16), batch size 16",
    ]
    progress = [line for line in lines if line.startswith("videos ")]
    assert progress == [
        "videos 5/12 (1 failed) · scenes 6,725 · captions 20,005 (256 waiting) · 1,200 frames/s · "
        "batch 128 · memory 112.0 GiB · elapsed 5.0 s · ETA 7.0 s",
        "videos 10/12 (2 failed) · scenes 13,450 · captions 40,010 (256 waiting) · 1,200 frames/s · "
        "batch 128 · memory 112.0 GiB · elapsed 10 s · ETA 2.0 s",
    ]
    shown = "a[/]\\n\\x1b[31mb\\xff:smile:"
    assert f"vlmtl: error: {shown}4: failed: {shown} is a text file" in lines
    assert f"vlmtl: warning: {shown}: the header lies" in lines
    assert lines[-5:] == [
        "9 complete, 3 failed, 3 skipped; 108 scenes, 324 captions in 3 min 12 s",
        *(f"  failed: {shown}{number}: {shown} is a text file (NotVideoError)" for number in (4, 8, 12)),
        "to try them again: vlmtl run --retry-failed in out",
    ]


def test_unknown_figures_are_not_made_up() -> None:
    lines = told(LoggingSettings(progress_seconds=0.4), io.StringIO())
    first = next(line for line in lines if line.startswith("videos "))
    assert "· - frames/s ·" in first
    assert "memory -" in first
    assert first.endswith("ETA not known yet")


def test_verbose_adds_a_line_for_each_batch_and_video() -> None:
    lines = told(LoggingSettings(level="debug"), io.StringIO())
    work, memory = "1.24 s, 16 tiles, 402 tokens", "peak memory 12.0 GiB, free 3.0 GiB"
    batch = f"batch of 16: {work}, {memory}, 1 × out of memory, next batch 8"
    assert lines.count(batch) == NUM_VIDEOS
    assert "  batch size 16: 70 MiB a request, 1.3 GiB free" in lines
    assert "reading 1.mp4: h264 1920×1080, 23.98 fps, 1 min 2 s; reader pyav: a full scan" in lines
    assert "1.mp4: complete, 12 scenes" in lines


def test_quiet_tells_errors_and_nothing_else() -> None:
    for stream in (io.StringIO(), Terminal()):
        lines = told(LoggingSettings(level="error"), stream)
        assert len(lines) == 3
        assert all(line.startswith("vlmtl: error: a[/]") for line in lines)


def test_json_lines_hold_the_fields_of_each_event() -> None:
    lines = told(LoggingSettings(level="debug", format="json", progress_seconds=5.0), Terminal())
    assert all(line.isascii() for line in lines)
    events = [json.loads(line) for line in lines]
    assert {"time", "level", "event", "message"} <= set.intersection(*map(set, events))
    (batch, *_) = (event for event in events if event["event"] == "batch")
    assert (batch["batch_size"], batch["wall_seconds"], batch["peak_memory_bytes"]) == (16, 1.24, 12 * 2**30)
    (progress, *_) = (event for event in events if event["event"] == "progress")
    assert (progress["videos_done"], progress["frames_per_second"]) == (5, 1200.0)
    assert progress["eta_seconds"] == pytest.approx(7.0)
    (failed, *_) = (
        event for event in events if event["event"] == "video_finished" and event["level"] == "error"
    )
    assert failed["relative"] == f"{HOSTILE}4"
    assert failed["error"]["type"] == "NotVideoError"
    (finished,) = (event for event in events if event["event"] == "run_finished")
    assert (finished["exit_code"], finished["num_failed"]) == (3, 3)


def test_an_error_that_ends_a_run_is_a_json_line_too() -> None:
    stream = io.StringIO()
    with open_reporter(LoggingSettings(format="json"), stream) as reporter:
        reporter.run_failed(ModelError("no model", hint="Give --model tiny."))
    event = json.loads(stream.getvalue())
    assert (event["event"], event["exit_code"]) == ("run_failed", 5)
    assert event["message"] == "no model. Give --model tiny."


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for term in ("dumb", ""):
        monkeypatch.setenv("TERM", term)
        with open_reporter(LoggingSettings(), Terminal()) as reporter:
            assert type(reporter) is LogReporter


def test_a_terminal_gets_bars_which_are_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    with open_reporter(LoggingSettings(), stream) as reporter:
        assert isinstance(reporter, LiveReporter)
        for _ in play(reporter):
            pass
        reporter.run_finished(outcome(), ARGUMENTS, is_dry_run=False)
    drawn = stream.getvalue()
    assert "\x1b[31mb" not in drawn, "a file name reached the terminal as a command"
    assert "━" in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1, "the cursor is hidden and shown again"
    assert "━" not in drawn[drawn.rindex("\x1b[2K") :], "the bars are wiped"


@pytest.mark.parametrize("second", [0.5, 3.0, 7.5, 12.0])
def test_eighty_columns_hold_everything(second: float) -> None:
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    reporter = LiveReporter(console, "info")
    for tick in play(reporter):
        if tick >= second:
            break
    console.print(reporter.picture(counters(second)))
    bar, counts, state = console.export_text().splitlines()[-3:]
    assert max(map(len, (bar, counts, state))) <= 80
    assert re.search(rf"━ videos {int(second)}/12( \(\d failed\))?$", bar.rstrip())
    assert "…" not in counts + state
    assert re.match(r"scenes [\d,]+ · captions [\d,]+ \(256 waiting\) · (-|[\d,]+) frames/s", counts)
    assert re.match(
        r"batch 128 · memory (-|112.0 GiB) · elapsed .* · ETA (not known yet|\d.*)$", state.rstrip()
    )


def test_names_are_shown_as_they_are_and_never_as_markup() -> None:
    stream = Terminal()
    console = terminal(stream)
    reporter = LiveReporter(console, "info")
    reporter.note("[red]x[/] [/] :smile: 12")
    assert stream.getvalue().strip() == "[red]x[/] [/] :smile: 12"


def test_frames_a_second_forget_what_is_long_ago() -> None:
    rate = Rates()
    for second in range(100):
        rate.update(counters(second / 10))
    assert rate.frames_per_second == pytest.approx(1200, rel=0.01)
    for second in range(10, 40):
        rate.update(replace(counters(second), frames_decoded=12_000))
    assert rate.frames_per_second == 0


def test_the_rate_is_that_of_captions_while_nothing_is_decoded() -> None:
    rates = Rates()
    for second in range(30):
        rates.update(replace(counters(second), frames_decoded=500, captions_done=3 * second))
    assert rates.words() == "3 captions/s"
    for second in range(30, 60):
        rates.update(replace(counters(second), frames_decoded=500, captions_done=90))
    assert rates.words() == "0 frames/s"
    rates.update(replace(counters(60), frames_decoded=1500, captions_done=90))
    assert rates.words() == "91 frames/s", "over the eleven seconds since the last one before the ten"


def test_a_long_error_is_broken_at_words_and_a_command_not_at_all() -> None:
    stream = Terminal()
    reporter = LiveReporter(Console(file=stream, width=40, color_system=None), "info")
    words = " ".join(["word"] * 20)
    reporter.warn(words)
    reporter.note(words)
    *warning, note = stream.getvalue().splitlines()
    assert " ".join(line.strip() for line in warning) == f"vlmtl: warning: {words}"
    assert max(map(len, warning)) <= 40
    assert note == words
