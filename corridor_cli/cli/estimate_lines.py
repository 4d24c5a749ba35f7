"""An estimate for people: a fact a line, each figure with its range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from corridor_cli.cli.results import reason_of
from corridor_cli.printable import printable
from corridor_cli.telemetry import counted, format_bytes, format_duration

if TYPE_CHECKING:
    from corridor_cli.runners.amounts import Amount
    from corridor_cli.runners.reckon import Estimate

_LABEL_WIDTH = 12
_MAX_LISTED = 20
_NOTABLE_OTHER_WORK = 0.1


def estimate_lines(estimate: Estimate, *, is_verbose: bool) -> Iterator[str]:
    """A fact a line, each figure with its range; what is not known is said so."""
    for label, text in _facts(estimate):
        yield f"{label:<{_LABEL_WIDTH}}{text}"
    if is_verbose:
        yield from (f"{'':<{_LABEL_WIDTH}}{line}" for line in _speeds(estimate))
    for each in estimate.unopened[:_MAX_LISTED]:
        yield f"  cannot be opened: {printable(each.path)}: {reason_of(each.error, each.path)}"
    if len(estimate.unopened) > _MAX_LISTED:
        yield f"  and {len(estimate.unopened) - _MAX_LISTED:,} more; --json lists all of them"


def _facts(estimate: Estimate) -> Iterator[tuple[str, str]]:
    yield "videos", _videos(estimate)
    if not estimate.num_videos:
        yield "in all", "nothing is to be done"
        return
    yield "sample", _sample(estimate)
    if estimate.scenes is None or estimate.decoding is None:
        yield "in all", "not known: nothing of the sample could be scanned"
        return
    yield "scenes", f"{_range(estimate.scenes.scenes, _whole)}; {_captions(estimate)}"
    yield from _times(estimate)
    if estimate.disk is not None:
        pictures = _range(estimate.disk.picture_bytes, _bytes)
        cap = ", where frames.max_saved_bytes ends them" if estimate.disk.is_capped else ""
        yield "disk", f"timelines {_range(estimate.disk.timeline_bytes, _bytes)}, pictures {pictures}{cap}"
    if estimate.cost is not None:
        yield "cost", _range(estimate.cost, _money)


def _videos(estimate: Estimate) -> str:
    parts = [f"{counted(estimate.num_videos, 'video')} to do"]
    if estimate.num_videos:
        length = format_duration(estimate.video_seconds)
        parts.append(f"{length} and about {_whole(estimate.frames)} frames")
    if estimate.num_finished:
        parts.append(f"{estimate.num_finished:,} need nothing")
    if estimate.num_known_scans:
        parts.append(f"{estimate.num_known_scans:,} scanned before")
    if estimate.unopened:
        parts.append(f"{len(estimate.unopened):,} cannot be opened")
    return ", ".join(parts)


def _sample(estimate: Estimate) -> str:
    looked = f"{counted(estimate.num_sampled, 'video')} looked into" if estimate.num_sampled else "none"
    if estimate.num_cut_off:
        looked += f", {estimate.num_cut_off:,} of them only from the beginning"
    share = f"{estimate.sampled_share:.0%} of all material is known"
    busy = ""
    if estimate.other_work > _NOTABLE_OTHER_WORK:
        busy = f"; other work had {estimate.other_work:.0%} of the processors, which makes the times unsure"
    return f"{looked}; {share}; it took {format_duration(estimate.wall_seconds)}{busy}"


def _captions(estimate: Estimate) -> str:
    assert estimate.scenes is not None
    text = f"captions {_range(estimate.scenes.captions, _whole)}"
    if estimate.summaries is not None:
        text += f", requests for summaries {_range(estimate.summaries.requests, _whole)}"
    if estimate.output_tokens is not None:
        text += f", output tokens {_range(estimate.output_tokens, _whole)}"
    return text


def _times(estimate: Estimate) -> Iterator[tuple[str, str]]:
    run, trial = estimate.time, estimate.trial
    assert run is not None
    cores = f"{estimate.workers.reason} ({counted(estimate.num_cpus, 'processor')})"
    yield "decoding", f"{_range(run.decoding, format_duration)}; {cores}"
    if trial is None or run.captioning is None:
        yield "captioning", "not known: no model was asked"
        yield "in all", f"at least {_range(run.seconds, format_duration)}, for decoding alone"
        return
    where = trial.info.device
    if estimate.num_devices > 1:
        where = f"{estimate.num_devices:,} devices like {where}"
    how = "reckoned for a full batch from" if trial.is_reckoned else "measured over"
    each = f"{trial.cost.seconds.expected:.2g} s each, {how} {counted(trial.num_captions, 'caption')}"
    if estimate.summaries is not None and trial.summary is not None:
        each += f"; a summary's request {trial.summary.seconds.expected:.2g} s"
    model = printable(trial.info.model_id)
    yield "captioning", f"{_range(run.captioning, format_duration)} on {where} by {model}; {each}"
    sharing = ", and both share the processors" if run.is_sharing else ""
    yield "in all", f"{_range(run.seconds, format_duration)}; {run.bottleneck} takes longest{sharing}"
    if run.num_devices_until_decoding is not None:
        enough = run.num_devices_until_decoding
        yield (
            "devices",
            f"captioning is divided among devices, decoding is not: from {counted(enough, 'device')} on "
            "decoding takes longest",
        )


def _speeds(estimate: Estimate) -> Iterator[str]:
    decoding = estimate.decoding
    for kind, speed in sorted(decoding.speeds.items(), key=lambda item: str(item)) if decoding else ():
        rate = 1 / speed.seconds_per_frame if speed.seconds_per_frame else 0.0
        source = "" if speed.num_looks else ", guessed from others by pixels"
        yield f"{kind.codec} {kind.size}: {rate:,.0f} frames/s of a core ± {speed.spread:.0%}{source}"
    start = estimate.start
    yield (
        f"start: program {start.program_seconds:.1f} s, worker {start.worker_seconds:.1f} s, "
        f"model {start.model_seconds:.1f} s"
    )


def _range(amount: Amount, shown: Callable[[float], str]) -> str:
    expected, low, high = shown(amount.expected), shown(amount.low), shown(amount.high)
    return expected if low == high else f"{expected} ({low} to {high})"


def _whole(number: float) -> str:
    return f"{round(number):,}"


def _bytes(number: float) -> str:
    return format_bytes(round(number))


def _money(number: float) -> str:
    return f"{number:,.2f}"
