"""Pictures over batch sizes: throughput, latency, memory, and what latency buys."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from corridor_cli.bench.document import BenchDocument, PointResult
from corridor_cli.bench.picture_canvas import COLOURS, batch_axis, canvas, plain_numbers, value_axis
from corridor_cli.bench.picture_sentences import (
    latency_sentence,
    memory_sentence,
    pareto_sentence,
    throughput_sentence,
)
from corridor_cli.bench.selection import (
    batch_curve,
    clean_curve,
    is_dominated,
    loop_point,
    memory_limit_bytes,
    size_of,
)

BATCH_TITLE = "requests together (batch size)"
_GIB = 1024**3
_FAR, _OUT_OF_SIGHT = 4, 10
_MEMORY_LINES = (
    ("peak_device_bytes", "in use on the device", "blue", "o"),
    ("peak_reserved_bytes", "reserved by the engine", "green", "s"),
    ("peak_allocated_bytes", "allocated by the engine", "purple", "^"),
    ("peak_host_bytes", "main memory of the processes", "ochre", "D"),
)
_LATENCY_LINES = (
    ("p50", "blue", "o"),
    ("p90", "green", "s"),
    ("p95", "purple", "^"),
    ("p99", "vermilion", "D"),
)


def throughput(document: BenchDocument) -> str | None:
    """Frames/s by batch size, with the spread of repeats, the loop, the roofline, the recommended size and
    what failed; None for fewer than two sizes."""
    rows = clean_curve(document)
    if len(rows) < 2:
        return None
    with canvas("throughput", "Throughput by batch size") as page:
        axes = page.axes(BATCH_TITLE, "frames/s")
        shown = _draw_rates(axes, rows)
        bounds = [(size_of(row), row.roofline.frames_per_second) for row in rows if row.roofline]
        if bounds:
            axes.plot(
                *zip(*bounds, strict=True), "--", color=COLOURS["ink"], label="roofline", gid="roofline"
            )
            shown += [rate for _, rate in bounds]
        loop = loop_point(document)
        if loop is not None and loop.frames_per_second is not None:
            axes.axhline(
                loop.frames_per_second,
                color=COLOURS["ochre"],
                ls="-.",
                label="loop, one at a time",
                gid="loop",
            )
            shown.append(loop.frames_per_second)
        # Far below its roof a curve would be a flat line.
        is_far_below = max(shown) > _FAR * max(row.frames_per_second or 0.0 for row in rows)
        value_axis(axes, shown, may_be_log=is_far_below)
        _mark_recommended(axes, document, rows)
        sizes = [size for size in map(size_of, rows) if size is not None]
        batch_axis(axes, sizes + _mark_failed(axes, document))
        page.legend(axes)
        return page.svg(throughput_sentence(document))


def _draw_rates(axes: Axes, rows: Sequence[PointResult]) -> list[float]:
    """The curve with bars from the slowest to the fastest repeat; the heights that must be in sight."""
    sizes = [size_of(row) or 1 for row in rows]
    rates = [row.frames_per_second or 0.0 for row in rows]
    spreads = [row.frames_per_second_spread for row in rows]
    below = [rate - spread.min if spread else 0.0 for rate, spread in zip(rates, spreads, strict=True)]
    above = [spread.max - rate if spread else 0.0 for rate, spread in zip(rates, spreads, strict=True)]
    axes.errorbar(
        sizes, rates, yerr=[below, above], fmt="none", ecolor=COLOURS["blue"], elinewidth=1.2, capsize=3
    )
    axes.plot(sizes, rates, "-o", color=COLOURS["blue"], label="engine, with spread", gid="rates")
    noisy = [place for place, row in enumerate(rows) if row.is_noisy]
    if noisy:
        axes.plot(
            [sizes[each] for each in noisy], [rates[each] for each in noisy], "s", ms=9, mew=1.2,
            mfc="none", mec=COLOURS["purple"], label="noisy", gid="noisy",
        )  # fmt: skip
    return [rate + more for rate, more in zip(rates, above, strict=True)]


def _mark_recommended(axes: Axes, document: BenchDocument, rows: Sequence[PointResult]) -> None:
    choice = document.verdict.recommended if document.verdict else None
    row = next((row for row in rows if choice and size_of(row) == choice.batch_size), None)
    if choice is not None and row is not None and row.frames_per_second is not None:
        axes.plot(
            [choice.batch_size], [row.frames_per_second], "o", ms=12, mew=1.6, mfc="none",
            mec=COLOURS["green"], label=f"recommended: {choice.batch_size}", gid="recommended",
        )  # fmt: skip


def _mark_failed(axes: Axes, document: BenchDocument) -> list[int]:
    """Crosses on the axis where a size ran out of memory, died or failed; those sizes."""
    names = {"out_of_memory": ("out of memory", "x"), "died": ("died", "P"), "failed": ("failed", "X")}
    marked: list[int] = []
    for status, (word, mark) in names.items():
        rows = [row for row in batch_curve(document) if row.status == status]
        sizes = [row.batch_size for row in rows if isinstance(row.batch_size, int)]
        if sizes:
            axes.plot(
                sizes, [0.0] * len(sizes), mark, ms=7, mew=1.6, color=COLOURS["vermilion"], clip_on=False,
                label=word, gid=f"failed-{status}", transform=axes.get_xaxis_transform(), zorder=5,
            )  # fmt: skip
        marked += sizes
    return marked


def latency(document: BenchDocument) -> str | None:
    """Percentiles of latency and the median time to the first token, with the limit that was set."""
    rows = [row for row in clean_curve(document) if row.latency_ms is not None]
    if len(rows) < 2:
        return None
    with canvas("latency", "Latency by batch size") as page:
        axes = page.axes(BATCH_TITLE, "latency, ms")
        shown: list[float] = []
        lines = [("latency_ms", name, name, colour, f"-{mark}") for name, colour, mark in _LATENCY_LINES]
        lines.append(("ttft_ms", "p50", "first token, p50", "ochre", "--v"))
        for part, field, label, colour, look in lines:
            known = [(size_of(row), getattr(getattr(row, part), field, None)) for row in rows]
            found = [(size, value) for size, value in known if value is not None]
            if found:
                gid = f"{part}-{field}"
                axes.plot(*zip(*found, strict=True), look, color=COLOURS[colour], label=label, gid=gid)
                shown += [value for _, value in found]
        limit = document.verdict.max_latency_ms if document.verdict else None
        if limit is not None:
            label = f"limit for p95: {limit:g} ms"
            axes.axhline(limit, color=COLOURS["ink"], ls=":", lw=1.8, label=label, gid="limit")
            shown.append(limit)
        value_axis(axes, shown, may_be_log=True)
        batch_axis(axes, [size_of(row) or 1 for row in rows])
        page.legend(axes)
        return page.svg(latency_sentence(document))


def memory(document: BenchDocument) -> str | None:
    """Peaks of memory by batch size, the device's limit, and the sizes that found it."""
    rows = clean_curve(document)
    if len(rows) < 2:
        return None
    with canvas("memory", "Memory by batch size") as page:
        axes = page.axes(BATCH_TITLE, "peak memory, GiB")
        shown: list[float] = []
        for field, label, colour, mark in _MEMORY_LINES:
            known = [(size_of(row), getattr(row.memory, field)) for row in rows]
            found = [(size, value / _GIB) for size, value in known if value is not None]
            if found:
                axes.plot(
                    *zip(*found, strict=True), f"-{mark}", color=COLOURS[colour], label=label, gid=field
                )
                shown += [value for _, value in found]
        if not shown:
            return None
        limit = memory_limit_bytes(document)
        if limit is not None and limit / _GIB < _OUT_OF_SIGHT * max(shown):
            label = f"all there is: {limit / _GIB:.1f} GiB"
            axes.axhline(limit / _GIB, color=COLOURS["ink"], ls="--", label=label, gid="limit")
            shown.append(limit / _GIB)
        value_axis(axes, shown)
        batch_axis(axes, [size_of(row) or 1 for row in rows] + _mark_failed(axes, document))
        page.legend(axes)
        return page.svg(memory_sentence(document))


def pareto(document: BenchDocument) -> str | None:
    """Throughput over p95 latency, a mark a batch size; those that another one beats in both are pale."""
    rows = [row for row in clean_curve(document) if row.latency_ms is not None]
    if len(rows) < 2:
        return None
    with canvas("pareto", "Throughput against latency") as page:
        axes = page.axes("p95 latency, ms", "frames/s")
        front = [row for row in rows if not is_dominated(row, rows)]
        others = [row for row in rows if is_dominated(row, rows)]
        for group, look, alpha, label in (
            (sorted(front, key=_p95), "-o", 1.0, "worth having"),
            (others, "o", 0.4, "another size is faster and sooner"),
        ):
            if group:
                axes.plot(
                    [_p95(row) for row in group], [row.frames_per_second or 0.0 for row in group], look,
                    color=COLOURS["blue"], alpha=alpha, label=label,
                    gid="front" if alpha == 1 else "dominated",
                )  # fmt: skip
        _label_sizes(axes, rows)
        limit = document.verdict.max_latency_ms if document.verdict else None
        if limit is not None:
            label = f"limit for p95: {limit:g} ms"
            axes.axvline(limit, color=COLOURS["ink"], ls=":", lw=1.8, label=label, gid="limit")
        value_axis(axes, [row.frames_per_second or 0.0 for row in rows])
        axes.xaxis.set_major_formatter(plain_numbers())
        axes.set_xlim(0, 1.12 * max([limit or 0.0, *map(_p95, rows)]))
        page.legend(axes)
        return page.svg(pareto_sentence(document))


def _p95(row: PointResult) -> float:
    return row.latency_ms.p95 if row.latency_ms else 0.0


def _label_sizes(axes: Axes, rows: Sequence[PointResult]) -> None:
    for row in rows:
        place = (_p95(row), row.frames_per_second or 0.0)
        # Up and to the left of a front that bends to the right nothing else is drawn.
        axes.annotate(
            str(size_of(row)), place, xytext=(-4, 4), textcoords="offset points", ha="right", fontsize=9
        )
