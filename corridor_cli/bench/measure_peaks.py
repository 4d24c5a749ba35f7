"""Measures the peaks of a device; a process of its own, started by `peaks.py`.

    python -m corridor_cli.bench.measure_peaks DEVICE PRECISION [--fresh]      one line of JSON on stdout

A peak is the best of several ways and sizes, each the best of several calls: what disturbs a call only makes
it slower. Every call is waited for. Sizes grow until a call would take too long. What is found while other
work keeps the processors busy is told, and not kept.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime

import torch

from corridor_cli.bench.peaks import DevicePeaks, is_record, peaks_from
from corridor_cli.bench.processes import machine_time
from corridor_cli.engine.local.choose_linear import has_onednn_bf16, make_linear
from corridor_cli.errors import ModelError
from corridor_cli.hardware import (
    choose_device,
    choose_threads,
    free_device_bytes,
    keep_measurement,
    kept_measurement,
    machine_key,
)

# Another way of measuring makes other peaks: those kept before do not count.
_METHOD = 1
# Rows, width in, width out: squares, and what InternVL3 multiplies (one tile, four, 32; a 2B's prefill).
SIZES = (
    (512, 512, 512),
    (1024, 1024, 1024),
    (1025, 1024, 4096),
    (2048, 2048, 2048),
    (4100, 1024, 4096),
    (4096, 4096, 4096),
    (32800, 1024, 4096),
    (16384, 1536, 17920),
    (8192, 8192, 8192),
    (16384, 16384, 16384),
)
_CALLS_SECONDS = 0.12
_MAX_CALL_SECONDS = 0.25
_MIN_CALLS = 2
# A card's layers are its plain products; on a CPU oneDNN and FBGEMM may do better than those.
_WAYS = {"cpu": ("product", "layer"), "cuda": ("product",)}
_WAY_SECONDS = {"cpu": 1.0, "cuda": 6.0}
_READ_BYTES = {"cpu": 512 * 1024**2, "cuda": 4 * 1024**3}
_READ_COLUMNS = 4096

Product = Callable[[], object]


def measure(device: str, precision: str) -> DevicePeaks:
    """All peaks of the device, in about four seconds on a CPU."""
    started, others = time.perf_counter(), OtherWork()
    products = measure_products(device, precision)
    best = max(products, key=lambda name: products[name], default=None)
    reading, copying, num_bytes = measure_bandwidths(device)
    read_by = max(reading, key=lambda name: reading[name])
    size = f"{num_bytes / 1024**2:.0f} MiB"
    is_cuda = device != "cpu"
    return DevicePeaks(
        device=device,
        precision=precision,
        device_name=torch.cuda.get_device_name(device) if is_cuda else _processor_name(),
        device_uuid=f"GPU-{torch.cuda.get_device_properties(device).uuid}" if is_cuda else None,
        threads=None if is_cuda else torch.get_num_threads(),
        flops_per_second=products[best] if best else None,
        read_bytes_per_second=reading[read_by],
        copy_bytes_per_second=copying,
        flops_how=f"{best}, best of {len(products)} products" if best else "",
        read_how=f"{read_by} over {size} of float32, best of {len(reading)} ways",
        copy_how=f"copy of {num_bytes / 2 / 1024**2:.0f} MiB, bytes read and written",
        products=products,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        measuring_seconds=round(time.perf_counter() - started, 2),
        other_work_share=round(others.share(), 3),
        problem="" if best else f"no product in {precision} runs on {device}",
    )


class OtherWork:
    """How much of this machine's processor time went to others since this was made."""

    def __init__(self) -> None:
        self._machine, self._own_seconds = machine_time(), time.process_time()

    def share(self) -> float:
        """0 to 1, of all processors."""
        now = machine_time()
        total = now.total_seconds - self._machine.total_seconds
        busy = now.busy_seconds - self._machine.busy_seconds
        others = busy - (time.process_time() - self._own_seconds)
        return min(1.0, max(0.0, others / total)) if total > 0 else 0.0


def measure_products(device: str, precision: str) -> dict[str, float]:
    """FLOP/s by way and size of a product in the precision; empty where none runs."""
    kind = "cpu" if device == "cpu" else "cuda"
    products: dict[str, float] = {}
    for way in _WAYS[kind]:
        deadline = time.perf_counter() + _WAY_SECONDS[kind]
        products |= dict(_product_rates(way, device, precision, deadline))
    return products


def _product_rates(way: str, device: str, precision: str, deadline: float) -> Iterator[tuple[str, float]]:
    """FLOP/s by size, from small to large, until a call would take too long or the time is up."""
    rate = None
    for rows, width, out in SIZES:
        flop = 2 * rows * width * out
        if time.perf_counter() > deadline or (rate and flop / rate > _MAX_CALL_SECONDS):
            return
        try:
            product = _product(way, device, precision, (rows, width, out))
            rate = flop / best_seconds(product, device, _CALLS_SECONDS)
        except RuntimeError:  # a size or a dtype that this way does not take here: the others are the peak
            continue
        yield f"{way} {rows}x{width}x{out}", rate


def _product(way: str, device: str, precision: str, size: tuple[int, int, int]) -> Product:
    """`product` is torch's own, `layer` what the local engine makes of the same weight."""
    rows, width, out = size
    if precision == "int8" and way == "product":
        left, right = (_random_int8(count, width, device) for count in (rows, out))
        return lambda: torch._int_mm(left, right.t())
    dtype = getattr(torch, precision) if precision != "int8" else _dtype_beside_int8(device)
    # Random: a card multiplies constants with less power, and so faster than any real numbers.
    inputs, weight = (torch.rand(count, width, device=device).sub_(0.5).to(dtype) for count in (rows, out))
    if way == "product":
        return lambda: torch.mm(inputs, weight.t())
    layer = make_linear(weight, None, "int8" if precision == "int8" else "dense")
    return lambda: layer(inputs)


def _random_int8(rows: int, width: int, device: str) -> torch.Tensor:
    return torch.randint(-127, 128, (rows, width), dtype=torch.int8, device=device)


def _dtype_beside_int8(device: str) -> torch.dtype:
    return torch.bfloat16 if device != "cpu" or has_onednn_bf16() else torch.float32


def measure_bandwidths(device: str) -> tuple[dict[str, float], float, int]:
    """Bytes a second by way of reading, those of a copy, and the bytes that were read: far beyond any cache,
    and at most an eighth of the free memory."""
    wanted = min(_READ_BYTES["cpu" if device == "cpu" else "cuda"], free_device_bytes(device) // 8)
    num_rows = max(2, wanted // (4 * _READ_COLUMNS) // 2 * 2)
    numbers = torch.ones(num_rows, _READ_COLUMNS, device=device)
    vector = torch.ones(_READ_COLUMNS, device=device)
    ways: dict[str, Product] = {
        "sum": numbers.sum,
        "matrix-vector product": lambda: torch.mv(numbers, vector),
    }
    reading = {
        name: numbers.nbytes / best_seconds(call, device, 2 * _CALLS_SECONDS) for name, call in ways.items()
    }
    source, target = numbers.chunk(2)
    copying = numbers.nbytes / best_seconds(lambda: target.copy_(source), device, 2 * _CALLS_SECONDS)
    return reading, copying, numbers.nbytes


def best_seconds(call: Product, device: str, seconds: float) -> float:
    """The quickest of the calls that fit into `seconds`, at least two, after one that warms up."""
    times: list[float] = []
    begun = None
    while begun is None or len(times) < _MIN_CALLS or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        call()
        if device != "cpu":
            torch.cuda.synchronize(device)
        if begun is None:
            begun = time.perf_counter()  # what was before it was loading kernels
        else:
            times.append(time.perf_counter() - started)
    return min(times)


def _processor_name() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next(
                (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None
            )
    except OSError:
        return None


def measurement_key(device: str, precision: str, threads: int) -> str:
    """Under which the peaks are kept: other processors, threads, torch or precision are measured apart."""
    return f"{machine_key(device)}/{precision}/{threads if device == 'cpu' else device}/{_METHOD}"


def find(device: str, precision: str, *, is_fresh: bool) -> DevicePeaks:
    """The peaks kept for this machine, or else measured, and kept unless other work disturbed them."""
    try:
        device = choose_device(device).value
    except ModelError as error:
        return DevicePeaks(device, precision, problem=str(error))
    threads = choose_threads(is_small_model=False).value
    torch.set_num_threads(threads)
    name = measurement_key(device, precision, threads)
    kept = None if is_fresh else kept_measurement("peaks", name)
    if is_record(kept):
        return replace(peaks_from(kept), is_kept=True)
    with torch.inference_mode():
        peaks = measure(device, precision)
    if not peaks.problem and not peaks.is_disturbed:
        keep_measurement("peaks", name, asdict(peaks))
    return peaks


def main() -> None:
    """One line of JSON for `peaks.py`."""
    device, precision, *options = sys.argv[1:]
    print(json.dumps(asdict(find(device, precision, is_fresh="--fresh" in options))))


if __name__ == "__main__":
    main()
