"""The end of a run: what failed and why, how to try it again, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from scripted_run import HOSTILE, outcome, video

from corridor_cli.cli.summary import dry_run_lines, outcome_as_json, retry_command, summary_lines
from corridor_cli.errors import ExitCode
from corridor_cli.records import ErrorInfo
from corridor_cli.telemetry import RunOutcome, VideoOutcome

NOTHING = RunOutcome(
    exit_code=ExitCode.OK,
    num_complete=0,
    num_partial=0,
    num_failed=0,
    num_skipped=0,
    num_pending=0,
    num_scenes=0,
    num_captions=0,
    wall_seconds=0.1,
)


def test_a_run_without_failures_is_one_line() -> None:
    done = replace(NOTHING, num_complete=2, num_scenes=1, num_captions=3)
    assert summary_lines(done, ["run", "a", "b"], is_dry_run=False) == [
        "2 complete; 1 scene, 3 captions in 0.1 s"
    ]
    assert summary_lines(NOTHING, ["run", "a", "b"], is_dry_run=False)[0].startswith("no videos; 0 scenes")


def test_a_name_that_the_message_tells_is_not_told_twice() -> None:
    error = ErrorInfo("open", "UnreadableError", "/in/a.mp4: does not exist")
    failed = replace(
        NOTHING, num_failed=1, videos=(VideoOutcome("/in/a.mp4", "a.mp4", "failed", error=error),)
    )
    lines = summary_lines(failed, ["run", "a", "b"], is_dry_run=False)
    assert lines[1] == "  failed: /in/a.mp4: does not exist (UnreadableError)"


def test_many_failures_are_cut_short() -> None:
    many = replace(NOTHING, num_failed=50, videos=(video(4),) * 50)
    lines = summary_lines(many, ["run", "a", "b"], is_dry_run=False)
    assert len(lines) == 23
    assert lines[-2] == "  and 30 more; --json lists all of them"


def test_inputs_that_wait_for_a_retry_are_named_with_their_way() -> None:
    waiting = VideoOutcome("/in/a", "a", "skipped", "failed")
    lines = summary_lines(
        replace(NOTHING, num_skipped=1, videos=(waiting,)), ["run", "a", "b"], is_dry_run=False
    )
    assert lines[-1] == "to try them again: vlmtl run --retry-failed a b"
    done = VideoOutcome("/in/a", "a", "skipped", "done")
    assert len(summary_lines(replace(NOTHING, num_skipped=1, videos=(done,)), ["run"], is_dry_run=False)) == 1


def test_a_run_that_was_stopped_says_how_to_go_on() -> None:
    stopped = replace(NOTHING, num_complete=1, num_pending=4)
    lines = summary_lines(stopped, ["run", "a", "b"], is_dry_run=False)
    assert lines[0].startswith("1 complete, 4 not finished;")
    assert lines[-1] == "to go on: give the same command again"


def test_the_retry_command_can_be_pasted() -> None:
    arguments = ["run", "--force", "-c", "my file.yaml", "--retry-failed", "--", "-a", "b\n", "out"]
    assert retry_command(arguments) == "vlmtl run --retry-failed -c 'my file.yaml' -- -a $'b\\x0a' out"
    for output in (["--output", "out"], ["--output=out"]):
        assert retry_command(["scenes", "a", *output]).startswith("vlmtl scenes --retry-failed a --output")
    assert retry_command(["scenes", "a", "--force"]) == "vlmtl scenes a", "nothing was recorded"


def test_json_is_ascii_and_keeps_every_byte_of_a_name() -> None:
    text = outcome_as_json(outcome())
    assert text.isascii()
    document = json.loads(text)
    assert document["exit_code"] == 3
    assert document["videos"][3]["relative"] == f"{HOSTILE}4"
    assert document["videos"][0]["timeline_path"] == "out/1.mp4.timeline.json"
    assert document["videos"][3]["timeline_path"] is None


def test_a_dry_run_lists_each_input_with_what_would_be_done() -> None:
    videos = (
        VideoOutcome("/in/new\n.mp4", "new\n.mp4", "pending", "new"),
        VideoOutcome("/in/old.mp4", "old.mp4", "pending", "stale"),
        VideoOutcome("/in/done.mp4", "done.mp4", "skipped", "done", Path("x")),
        VideoOutcome("/in/bad.mp4", "bad.mp4", "skipped", "failed"),
        VideoOutcome("/in/gone.mp4", "gone.mp4", "failed", "new"),
    )
    planned = replace(NOTHING, num_pending=2, num_skipped=2, num_failed=1, videos=videos)
    assert dry_run_lines(planned) == [
        "FOUND    PLAN                     INPUT",
        "new      do                       /in/new\\n.mp4",
        "stale    do again                 /in/old.mp4",
        "done     skip                     /in/done.mp4",
        "failed   wait for --retry-failed  /in/bad.mp4",
        "new      cannot be read           /in/gone.mp4",
    ]
    assert summary_lines(planned, ["run"], is_dry_run=True) == [
        "dry run: 2 to do, 2 to skip, 1 cannot be read; nothing was done"
    ]
