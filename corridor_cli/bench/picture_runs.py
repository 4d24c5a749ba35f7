"""Pictures of the other axes, of the whole way, and of a long run."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from corridor_cli.bench.document import BenchDocument, HardwareUse, Window
from corridor_cli.bench.picture_canvas import COLOURS, canvas, plain_numbers, value_axis
from corridor_cli.bench.picture_sentences import AXIS_WORDS, axes_sentence, long_run_sentence
from corridor_cli.bench.selection import AXES, axis_curve
from corridor_cli.bench.whole_way import stage_words, stages_sentence
from corridor_cli.bench.wording import batch_in_words, figure

_STAGE_COLOURS = {
    "decode": "vermilion",
    "tile": "ochre",
    "vision": "blue",
    "prefill": "green",
    "steps": "purple",
    "write": "ink",
}
_MINUTE = 60.0
_ABOVE_MINUTES = 300.0
_PANELS: tuple[tuple[str, str, Callable[[HardwareUse], float | None]], ...] = (
    ("power, W", "ochre", lambda use: use.device_watts_mean),
    ("most, °C", "vermilion", lambda use: use.device_celsius_max),
    ("clock, MHz", "green", lambda use: use.device_sm_mhz_mean),
)


def axes(document: BenchDocument) -> str | None:
    """Throughput along frames a request, tiles a frame and output tokens; None where none was varied."""
    curves = {axis: rows for axis in AXES if (rows := axis_curve(document, axis))}
    if not curves:
        return None
    with canvas("axes", "Throughput along the other axes", 3.0) as page:
        panels = page.figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
        for panel, (axis, rows) in zip(panels, curves.items(), strict=True):
            values = [getattr(row, axis) for row in rows]
            rates = [row.frames_per_second or 0.0 for row in rows]
            ends = [row.frames_per_second_spread for row in rows]
            below = [rate - end.min if end else 0.0 for rate, end in zip(rates, ends, strict=True)]
            above = [end.max - rate if end else 0.0 for rate, end in zip(rates, ends, strict=True)]
            panel.errorbar(
                values,
                rates,
                yerr=[below, above],
                fmt="none",
                ecolor=COLOURS["blue"],
                elinewidth=1.2,
                capsize=3,
            )
            panel.plot(values, rates, "-o", color=COLOURS["blue"], gid=f"axis-{axis}")
            panel.set_xscale("log", base=2)
            panel.xaxis.set_major_locator(FixedLocator(values))
            panel.xaxis.set_minor_locator(NullLocator())
            panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            panel.set_xlabel(f"{AXIS_WORDS[axis]}\n(batch {batch_in_words(rows[0])})")
        panels[0].set_ylabel("frames/s")
        value_axis(panels[0], [row.frames_per_second or 0.0 for rows in curves.values() for row in rows])
        return page.svg(axes_sentence(document))


def whole_way(document: BenchDocument) -> str | None:
    """How long each stage worked from files to timelines, beside the wall clock; None where none was run."""
    pipe = document.pipe
    if pipe is None or not pipe.seconds_by_stage:
        return None
    names, seconds = list(pipe.seconds_by_stage), list(pipe.seconds_by_stage.values())
    with canvas("whole-way", "Stages from files to timelines", 0.9 + 0.34 * len(names)) as page:
        axes = page.axes("seconds of work", "")
        colours = [COLOURS[_STAGE_COLOURS.get(name, "faint")] for name in names]
        for place, bar in enumerate(axes.barh(range(len(names)), seconds, 0.66, color=colours)):
            bar.set_gid(f"stage-{place}")
            axes.annotate(
                f"{figure(seconds[place])} s", (seconds[place], place), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=9,
            )  # fmt: skip
        axes.axvline(
            pipe.wall_seconds, linestyle="--", color=COLOURS["ink"], gid="wall",
            label=f"wall clock: {figure(pipe.wall_seconds)} s",
        )  # fmt: skip
        axes.set_yticks(range(len(names)), [stage_words(name) for name in names])
        axes.invert_yaxis()  # the way goes from top to bottom
        axes.set_xlim(0, 1.15 * max(pipe.wall_seconds, *seconds))
        axes.xaxis.set_major_formatter(plain_numbers())
        axes.grid(visible=False, axis="y")
        page.legend(axes)
        told = stages_sentence(pipe)
        return page.svg(f"{told[:1].upper()}{told[1:]}.")


def long_run(document: BenchDocument) -> str | None:
    """Frames/s, power, temperature and clock over time, where the device slowed itself down shaded."""
    run = document.long_run
    if run is None or len(run.windows) < 2:
        return None
    known = [
        (title, colour, ask)
        for title, colour, ask in _PANELS
        if any(ask(window.hardware) is not None for window in run.windows)
    ]
    with canvas("long-run", "A long run", 1.5 + 1.05 * len(known) + 0.6) as page:
        heights = [1.7, *([1.0] * len(known))]
        panels = page.figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        unit = _MINUTE if run.seconds > _ABOVE_MINUTES else 1.0
        times = [(window.start_seconds + window.seconds / 2) / unit for window in run.windows]
        rates = [window.frames_per_second for window in run.windows]
        panels[0].plot(times, rates, color=COLOURS["blue"], gid="long-rates")
        panels[0].set_ylabel("frames/s")
        value_axis(panels[0], rates)
        for panel, (title, colour, ask) in zip(panels[1:], known, strict=True):
            values = [ask(window.hardware) for window in run.windows]
            panel.plot(
                times, [float("nan") if value is None else value for value in values], color=COLOURS[colour],
                gid=f"long-{title.split(',')[0]}",
            )  # fmt: skip
            panel.set_ylabel(title)
            panel.yaxis.set_major_locator(MaxNLocator(4))
            panel.yaxis.set_major_formatter(plain_numbers())
        for number, panel in enumerate(panels):
            _shade_slow(panel, run.windows, unit, f"slow-{number}")
        panels[-1].set_xlabel(f"time, {'minutes' if unit > 1 else 'seconds'}")
        page.figure.align_ylabels(list(panels))
        page.legend(panels[0])
        return page.svg(long_run_sentence(run))


def _shade_slow(panel: Axes, windows: list[Window], unit: float, gid: str) -> None:
    """One shade from the first window of a stretch in which the device slowed itself down to its last."""
    start: float | None = None
    stretch = 0
    for window in [*windows, None]:
        is_slow = window is not None and bool(window.hardware.throttle_reasons)
        if is_slow and start is None and window is not None:
            start = window.start_seconds
        if not is_slow and start is not None:
            end = window.start_seconds if window else windows[-1].start_seconds + windows[-1].seconds
            label = None if stretch else "the device slowed itself down"
            panel.axvspan(
                start / unit,
                end / unit,
                color=COLOURS["faint"],
                alpha=0.2,
                lw=0,
                label=label,
                gid=f"{gid}-{stretch}",
            )
            start, stretch = None, stretch + 1
