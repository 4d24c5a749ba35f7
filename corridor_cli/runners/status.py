"""What stands in an output folder: done, partial, failed, to be done again, or not begun, and why.

Nothing is written, no video is opened, no model is loaded or fetched.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corridor_cli.errors import ExitCode, ModelError, NoInputsError, UsageError
from corridor_cli.media.discover import Discovery, discover
from corridor_cli.pipeline.plan import ModelIdentity
from corridor_cli.printable import printable
from corridor_cli.runners.inputs import find_cuts, find_transcripts
from corridor_cli.runners.model_name import identify_model_here
from corridor_cli.runners.standing import STATES, Judge, Standing, State, source_of
from corridor_cli.settings import Settings
from corridor_cli.telemetry import Reporter
from corridor_cli.timeline.done import Committed, committed
from corridor_cli.timeline.exports.find import files_below
from corridor_cli.timeline.exports.registry import beside, choose_formats
from corridor_cli.timeline.glance import glance_at
from corridor_cli.timeline.holder import Holder, find_holder
from corridor_cli.timeline.layout import FAILED_SUFFIX, TIMELINE_SUFFIX, OutputLayout, output_name


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Where every video stands, the least finished first. `are_inputs_known` is false where nobody has said
    what the inputs are: then nothing is pending or extra. `holder` is at work in the folder right now."""

    output: Path
    standings: tuple[Standing, ...]
    are_inputs_known: bool
    is_model_known: bool
    holder: Holder | None

    @property
    def counts(self) -> dict[State, int]:
        """How many there are of each state, in the order of `STATES`."""
        found = Counter(each.state for each in self.standings)
        return {state: found[state] for state in STATES}

    @property
    def exit_code(self) -> ExitCode:
        """0 when nothing is left to do, 4 when every video failed, else 3. Extra documents do not count."""
        states = {each.state for each in self.standings} - {"extra"}
        if states == {"failed"}:
            return ExitCode.NO_INPUTS
        return ExitCode.OK if states <= {"done"} else ExitCode.PARTIAL


def open_output(root: Path) -> OutputLayout:
    """The layout of a folder that a run has written to. Raises `UsageError`."""
    hint = "OUTPUT is the folder of an earlier `vlmtl run INPUT... OUTPUT`; here it comes first."
    if not root.is_dir():
        kind = "is a file, not a folder" if root.exists() else "does not exist"
        raise UsageError(f"OUTPUT is {printable(root)}, which {kind}.", hint=hint)
    layout = OutputLayout(root.resolve())
    if not layout.state.is_dir() and not _documents_below(layout):
        raise UsageError(
            f"OUTPUT is {printable(root)}, which holds nothing that a run has written.", hint=hint
        )
    return layout


def look_at_output(
    layout: OutputLayout, inputs: Sequence[str] | None, settings: Settings, reporter: Reporter
) -> StatusReport:
    """Tell where the videos of `inputs` stand; without inputs, those whose documents are there.

    Raises `StorageError` where OUTPUT cannot be read, `ConfigError` for cuts that can be right for no video,
    and `NoInputsError` where there is neither a document nor an input.
    """
    holder = find_holder(layout)  # first: what ends while we look is told as it was in the end
    documents = _documents_below(layout)
    found = None if inputs is None else discover(inputs, settings.input, layout.root)
    model = _name_model(settings, reporter)
    cuts = find_cuts(found.sources, settings.scenes, reporter) if found else None
    exports = beside(choose_formats(settings.output.exports))
    judge = Judge(layout, settings, model, cuts, exports, find_transcripts(settings.caption))
    if found is None:
        standings = [_judge_document(judge, *each, is_input=True) for each in documents.items()]
    else:
        standings = list(_judge_inputs(judge, found, documents))
    if not standings:
        raise NoInputsError(
            f"{printable(layout.root)} holds no document, and no input is known.",
            hint="Name the inputs as well: `vlmtl status OUTPUT INPUT...`",
        )
    standings.sort(key=lambda each: (STATES.index(each.state), each.video.split("/")))
    return StatusReport(layout.root, tuple(standings), found is not None, model is not None, holder)


def _name_model(settings: Settings, reporter: Reporter) -> ModelIdentity | None:
    try:
        return identify_model_here(settings)
    except ModelError as error:
        reporter.warn(
            f"{error.message.removesuffix('.')}: whether captions are of the model wanted is not looked at "
            "(--model names it)"
        )
        return None


def _documents_below(layout: OutputLayout) -> dict[str, str]:
    """Each document's path below OUTPUT by that path without its suffix; a timeline before a failure."""
    found: dict[str, str] = {}
    top = len(str(layout.root).rstrip("/")) + 1
    for folder, name in files_below(layout.root):
        below = f"{folder}/{name}"[top:]
        if name.endswith(TIMELINE_SUFFIX):
            found[below.removesuffix(TIMELINE_SUFFIX)] = below
        elif name.endswith(FAILED_SUFFIX):
            found.setdefault(below.removesuffix(FAILED_SUFFIX), below)
    return found


def _judge_inputs(judge: Judge, found: Discovery, documents: dict[str, str]) -> Iterator[Standing]:
    claimed: set[str] = set()
    for problem in found.problems:
        message = problem.error.message.removeprefix(f"{printable(problem.path)}: ")
        yield Standing("failed", problem.path, problem.path, None, f"{message} ({problem.error.type})")
    for source in found.sources:
        relative = str(source.relative)
        name = output_name(relative)
        claimed.add(name)
        if name not in documents:
            yield Standing("pending", relative, str(source.path), None, "no run has finished it")
            continue
        state, why = judge.judge(name, committed(judge.layout, relative), source.path)
        yield Standing(state, relative, str(source.path), documents[name], why)
    for name, below in documents.items():
        if name not in claimed:
            yield _judge_document(judge, name, below, is_input=False)


def _judge_document(judge: Judge, name: str, below: str, *, is_input: bool) -> Standing:
    """A document, at its path below OUTPUT, by what it says of its source itself."""
    found = _committed_as(judge.layout, name)
    document = found.timeline or found.failed
    source = None if document is None else source_of(document)
    shown = None if source is None else str(source)
    is_gone = source is not None and not os.path.exists(source)  # noqa: PTH110  a Path raises where it may not look
    if not is_input:
        why = "its video is gone, or called otherwise now" if is_gone else "its video is none of the inputs"
        return Standing("extra", name, shown, below, why)
    state, why = judge.judge(name, found, source)
    gone = "the video is gone" if is_gone else ""
    return Standing(state, name, shown, below, "; ".join(filter(None, (why, gone))))


def _committed_as(layout: OutputLayout, name: str) -> Committed:
    """What is there under a name of OUTPUT. Of a marked one the real name is not known, nor the note of its
    pictures: they are taken for whole."""
    if output_name(name) == name:
        return committed(layout, name)
    timeline, failed = (glance_at(layout.root / (name + each)) for each in (TIMELINE_SUFFIX, FAILED_SUFFIX))
    return Committed(timeline, failed, is_whole=True)
