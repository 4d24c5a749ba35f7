"""A child that is asked one thing: what it said counts, whatever becomes of it afterwards."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from corridor_cli.hosts.question import Answer, Question

CHILDREN = {
    "good": "print('noise'); teller.tell(word=word)",
    "crash": "teller.tell(word=word); os.kill(os.getpid(), 11)",
    "leaves": "teller.tell(word=word); print('no licence', flush=True); os._exit(3)",
    "hangs": "teller.tell(word=word); time.sleep(600)",
    "raises": "raise OSError('libgone.so: cannot open')",
}
BEGINNING = """
import os, time
from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.question import Teller

def main(answer_fd, parent_pid, word):
    enter_child(parent_pid)
    teller = Teller(answer_fd)
    with teller.step("the work"):
        """
END = """
    with teller.step("the rest"):
        teller.tell(pid=os.getpid())
"""


@pytest.fixture(autouse=True)
def _children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in CHILDREN.items():
        (tmp_path / f"asked_{name}.py").write_text(BEGINNING + line + END)
    monkeypatch.syspath_prepend(tmp_path)


def ask(name: str, limit_seconds: float = 30) -> Answer:
    with Question(f"asked_{name}", "yes", limit_seconds=limit_seconds) as question:
        return question.answer()


def test_what_a_good_child_says_is_told_and_what_it_prints_is_apart() -> None:
    answer = ask("good")
    assert (answer.facts["word"], answer.step, answer.problem) == ("yes", "the rest", "")
    assert answer.printed == "noise"


def test_what_raises_ends_its_step_and_no_other() -> None:
    answer = ask("raises")
    assert answer.facts["failed the work"] == "OSError: libgone.so: cannot open"
    assert "pid" in answer.facts
    assert answer.problem == ""


def test_a_crash_is_told_with_what_was_said_before() -> None:
    answer = ask("crash")
    assert (answer.facts, answer.step) == ({"word": "yes"}, "the work")
    assert answer.problem == "crashed (SIGSEGV)"
    answer = ask("leaves")
    assert (answer.problem, answer.printed) == ("ended with exit code 3", "no licence")


def test_a_child_that_hangs_is_given_up_in_time_and_gone_afterwards() -> None:
    started = time.monotonic()
    with Question("asked_hangs", "yes", limit_seconds=2) as question:
        answer = question.answer()
        pid = question._process.pid
    assert time.monotonic() - started < 10
    assert answer.problem == "gave no answer within 2 s"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_module_that_is_not_there_is_a_problem() -> None:
    answer = ask("nowhere")
    assert answer.problem == "ended with exit code 1"
    assert "No module named 'asked_nowhere'" in answer.printed
