"""Which readers decode here, and which codecs: what the children that tried it said."""

from __future__ import annotations

from collections.abc import Iterator

from corridor_cli.errors import ExitCode
from corridor_cli.hosts.answer_reader import CODECS, LOAD, NUM_FRAMES, READ
from corridor_cli.hosts.question import Answer
from corridor_cli.runners.checkup.check import Check, Group, first_line
from corridor_cli.runners.checkup.known import advice_for

_GROUP = Group("readers")
_REINSTALL_AV = "Reinstall it: pip install --force-reinstall av"
_VERDICTS = {
    "decoded": "{}",
    "present": "there, not tried: {}",
    "missing": "cannot be decoded: {}",
    "not reached": "not reached: {}",
}
_WITHOUT = "Reinstall it, or set decode.reader: pyav, which does its work."


def check_pyav(answer: Answer) -> Iterator[Check]:
    """PyAV is what every video falls back on: without it nothing is read."""
    facts = answer.facts
    failure = facts.get(f"failed {LOAD}") or facts.get(f"failed {READ}")
    if not failure and answer.problem:
        failure = f"{answer.problem}, at: {answer.step or 'its start'}"
    is_read = facts.get("frames") == NUM_FRAMES and facts.get("is_right")
    told = f"FFmpeg {facts.get('ffmpeg') or 'of unknown version'}"
    if is_read:
        yield _GROUP.ok("pyav", f"{told}, {NUM_FRAMES} of {NUM_FRAMES} drawn frames read")
    elif failure or "frames" in facts:
        found = first_line(str(failure)) if failure else f"{told}, wrong frames came out of a drawn clip"
        yield _GROUP.problem("pyav", found, advice_for(found + answer.printed, _REINSTALL_AV), ExitCode.MODEL)
    else:
        yield _GROUP.note("pyav", f"{told}; no encoder to draw a clip with", _REINSTALL_AV)
    if any(name.startswith("codec ") for name in facts):
        yield _codecs(answer)


def _codecs(answer: Answer) -> Check:
    verdicts = {name: answer.facts.get(f"codec {name}", "not reached") for name in CODECS}
    told = {verdict: [name for name in CODECS if verdicts[name] == verdict] for verdict in _VERDICTS}
    parts = [_VERDICTS[verdict].format(" ".join(names)) for verdict, names in told.items() if names]
    found = "; ".join(parts)
    if told["not reached"]:
        return _GROUP.note("codecs", f"{found}: it {answer.problem} at {answer.step}", _REINSTALL_AV)
    if told["missing"]:
        return _GROUP.note("codecs", found, "Install PyAV's own wheel, whose FFmpeg has them: pip install av")
    return _GROUP.ok("codecs", found)


def check_optional(name: str, version: str | None, answer: Answer | None, *, is_asked_for: bool) -> Check:
    """decord or torchcodec: what fails here costs speed at most, for PyAV does its work.

    `version` is None where it is not installed, `answer` where there was no clip to try it on.
    """
    if version is None:
        advice = f'Install it (pip install "vlmtl[{name}]")' if name == "torchcodec" else "Install it"
        if is_asked_for:
            found = "not installed, and decode.reader asks for it; PyAV reads instead"
            return _GROUP.note(name, found, f"{advice}, or set decode.reader: auto.")
        return _GROUP.ok(name, "not installed; PyAV does its work")
    if answer is None:
        return _GROUP.note(name, "not tried, as there was no clip", "See pyav above.")
    failure = answer.facts.get(f"failed {READ}") or answer.facts.get("instead") or answer.problem
    if failure:
        found = f"{version}: {first_line(str(failure))}"
        return _GROUP.note(name, found, advice_for(f"{failure}{answer.printed}", _WITHOUT))
    frames, is_right = answer.facts.get("frames"), answer.facts.get("is_right")
    if not is_right:
        return _GROUP.note(name, f"{version}: wrong frames came out of a drawn clip", _WITHOUT)
    return _GROUP.ok(name, f"{version}, {frames} of {NUM_FRAMES} drawn frames read")
