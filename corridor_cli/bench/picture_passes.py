"""Pictures of what a request's time is spent on, and how near that comes to what the device can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.bench.picture_batches import BATCH_TITLE
from corridor_cli.bench.picture_canvas import COLOURS, batch_axis, canvas, plain_numbers, value_axis
from corridor_cli.bench.picture_sentences import ceilings_sentence, pass_shares, stages_sentence
from corridor_cli.bench.roofline import (
    Workload,
    body_weights,
    head_weights,
    number_bytes,
    prefill_flops,
    projector_flops,
    request_flops,
    request_step_bytes,
    vision_flops,
    weight_bytes,
)
from corridor_cli.bench.selection import clean_curve, network_shape, size_of
from corridor_cli.bench.wording import figure
from corridor_cli.engine.local.shape import NetworkShape

_PASSES = {"vision": "blue", "prefill": "green", "steps": "purple", "tile": "ochre"}
_CEILINGS = (
    ("mfu_vision", "vision, of arithmetic", "blue", "o"),
    ("mfu_prefill", "prefill, of arithmetic", "green", "s"),
    ("mbu_steps", "steps, of reading", "purple", "^"),
)
_LOW_SHARE = 0.4
_REST_TITLE = "rest: idle or not told"


def stages(document: BenchDocument) -> str | None:
    """Shares of a request's time by pass, a bar a batch size, with the whole time in milliseconds above."""
    rows = [row for row in clean_curve(document) if pass_shares(row)]
    if not rows:
        return None
    shares = [pass_shares(row) for row in rows]
    names = [name for name in _PASSES if any(name in each for each in shares)]
    names += sorted({name for each in shares for name in each} - {*_PASSES, "rest"})
    with canvas("stages", "Where a request's time goes") as page:
        axes = page.axes(BATCH_TITLE, "share of a request's time")
        bottoms = [0.0] * len(rows)
        for number, name in enumerate([*names, "rest"]):
            heights = [each.get(name, 0.0) for each in shares]
            is_rest = name == "rest"
            colour = COLOURS[_PASSES.get(name, "vermilion")] if not is_rest else COLOURS["faint"]
            bars = axes.bar(
                range(len(rows)), heights, 0.72, bottom=bottoms, color=colour, alpha=0.35 if is_rest else 0.9,
                label=_REST_TITLE if is_rest else name[:40],
            )  # fmt: skip
            for place, bar in enumerate(bars):
                bar.set_gid(f"bar-{name if name in _PASSES or is_rest else f'other-{number}'}-{place}")
            bottoms = [below + height for below, height in zip(bottoms, heights, strict=True)]
        _write_wholes(axes, rows)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        axes.grid(visible=False, axis="x")
        page.legend(axes)
        return page.svg(stages_sentence(rows))


def _write_wholes(axes: Axes, rows: Sequence[PointResult]) -> None:
    for place, row in enumerate(rows):
        if row.requests_per_second:
            text = f"{figure(1000 / row.requests_per_second)} ms"
            axes.annotate(
                text, (place, 1.0), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9
            )
    axes.set_xticks(range(len(rows)), [str(size_of(row)) for row in rows])


def ceilings(document: BenchDocument) -> str | None:
    """Shares of their measured peak that vision, prefill and steps reach, by batch size."""
    rows = [row for row in clean_curve(document) if row.roofline is not None]
    if len(rows) < 2:
        return None
    with canvas("ceilings", "How near each pass comes to its peak") as page:
        axes = page.axes(BATCH_TITLE, "share of the measured peak")
        shown: list[float] = []
        for field, label, colour, mark in _CEILINGS:
            known = [(size_of(row), getattr(row.roofline, field)) for row in rows]
            found = [(size, share) for size, share in known if share is not None]
            if found:
                axes.plot(
                    *zip(*found, strict=True), f"-{mark}", color=COLOURS[colour], label=label, gid=field
                )
                shown += [share for _, share in found]
        if not shown:
            return None
        value_axis(axes, shown if max(shown) < _LOW_SHARE else [1.0, *shown])
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        batch_axis(axes, [size_of(row) or 1 for row in rows])
        page.legend(axes)
        return page.svg(ceilings_sentence(rows))


@dataclass(frozen=True, slots=True)
class Placed:
    """A pass of one batch size in the roofline: FLOP a byte, FLOP/s."""

    name: str
    batch_size: int
    intensity: float
    flops_per_second: float


def roofline(document: BenchDocument) -> str | None:
    """The measured peaks as a roof, and under it each pass by batch size.

    None where a peak, the network's shape or all shares of peaks are unknown. Bytes are those of weights,
    read once a pass of a whole batch, and of keys and values; numbers between layers are not counted.
    """
    peaks = document.peaks or {}
    arithmetic, reading = peaks.get("flops_per_second"), peaks.get("read_bytes_per_second")
    if not isinstance(arithmetic, int | float) or not isinstance(reading, int | float):
        return None
    placed = list(_placed(document, arithmetic, reading)) if arithmetic > 0 and reading > 0 else []
    if not placed:
        return None
    with canvas("roofline", "Roofline") as page:
        axes = page.axes("arithmetic intensity, FLOP a byte", "TFLOP/s")
        ridge = arithmetic / reading
        low = min([ridge / 10, *(each.intensity / 2 for each in placed)])
        high = max([ridge * 10, *(each.intensity * 2 for each in placed)])
        axes.plot(
            [low, ridge, high], [low * reading / 1e12, arithmetic / 1e12, arithmetic / 1e12], "--",
            color=COLOURS["ink"], gid="roof",
            label=f"measured peaks: {figure(arithmetic / 1e12)} TFLOP/s, {figure(reading / 1e9)} GB/s",
        )  # fmt: skip
        for name, mark in (("vision", "o"), ("prefill", "s"), ("steps", "^")):
            own = [each for each in placed if each.name == name]
            if own:
                x, y = [each.intensity for each in own], [each.flops_per_second / 1e12 for each in own]
                axes.plot(x, y, f"-{mark}", color=COLOURS[_PASSES[name]], label=name, gid=f"placed-{name}")
                _label_ends(axes, own)
        _log_axes(axes)
        axes.set_xlim(low, high)
        axes.set_ylim(min(each.flops_per_second for each in placed) / 2.5e12, 2 * arithmetic / 1e12)
        page.legend(axes)
        return page.svg(roofline_sentence(placed))


def _placed(document: BenchDocument, arithmetic: float, reading: float) -> Iterator[Placed]:
    shape, facts = network_shape(document), document.environment
    each_weight = weight_bytes(str(facts.get("dtype")), facts.get("quantization"))
    each_number = number_bytes(str(facts.get("dtype")))
    if shape is None or each_weight is None or each_number is None:
        return
    for row in clean_curve(document):
        size, share = size_of(row), row.roofline
        if size is None or share is None:
            continue
        visual = row.frames * row.tiles * shape.tokens_per_tile
        tokens = max(1, round(row.mean_output_tokens or 1))
        text = max(0, (row.prompt_tokens or 0) - visual)
        work = Workload(row.tiles, text, tokens, batch_size=size, frames=row.frames)
        tiles = row.frames * row.tiles * (vision_flops(shape) + projector_flops(shape))
        prompt = prefill_flops(shape, row.prompt_tokens or visual + text)
        # The first token comes out of the prefill, so a step less is taken than the formula has.
        steps = ((request_flops(shape, work) or 0.0) - tiles - prompt) * (tokens - 1) / tokens
        read = request_step_bytes(shape, work, bytes_per_weight=each_weight, bytes_per_kv=each_number) or 0.0
        body = each_weight * (body_weights(shape.text) + head_weights(shape.text))
        if share.mfu_vision:
            weights = each_weight * _vision_weights(shape)
            yield Placed("vision", size, size * tiles / weights, share.mfu_vision * arithmetic)
        if share.mfu_prefill:
            yield Placed("prefill", size, size * prompt / body, share.mfu_prefill * arithmetic)
        if share.mbu_steps and read and steps > 0:
            yield Placed("steps", size, steps / read, share.mbu_steps * reading * steps / read)


def _vision_weights(shape: NetworkShape) -> int:
    """Numbers in the matrices of the encoder and the projector."""
    vision, wide = shape.vision, 4 * shape.vision.hidden
    layers = vision.num_layers * (4 * vision.hidden**2 + 2 * vision.hidden * vision.intermediate)
    return layers + 3 * vision.patch_px**2 * vision.hidden + wide * shape.text.hidden + shape.text.hidden**2


def _label_ends(axes: Axes, placed: Sequence[Placed]) -> None:
    """The smallest and the largest batch size."""
    for each in {placed[0], placed[-1]}:
        place = (each.intensity, each.flops_per_second / 1e12)
        axes.annotate(
            str(each.batch_size), place, xytext=(0, -11), textcoords="offset points", ha="center", fontsize=9
        )


def _log_axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(10, numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(plain_numbers())


def roofline_sentence(placed: Sequence[Placed]) -> str:
    """What bounds which pass."""
    steps = [each for each in placed if each.name == "steps"]
    text = "Vision and prefill lie right of the ridge, where arithmetic bounds them"
    if steps:
        text = (
            f"A decode step makes {figure(steps[0].intensity)} FLOP of a byte at batch {steps[0].batch_size} "
            f"and {figure(steps[-1].intensity)} at batch {steps[-1].batch_size}: larger batches climb along "
            "the slope of reading"
        )
    return f"{text}; numbers beside marks are batch sizes."
