"""How many requests may run together, from free memory and a measured cost, and how long one takes.

Memory is a straight line in the batch size: two sizes are run and measured, the keys and values of the
tokens not generated then are added, and a tenth on top. On a CPU, time decides as well: beyond a few
requests a larger batch gains nothing once the processor is busy.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import psutil
import torch

from corridor_cli.engine.batching import round_batch_size
from corridor_cli.engine.generic.model import GenericModel, Prompt
from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.engine.local.memory import memory_budget
from corridor_cli.errors import ModelError
from corridor_cli.settings import ModelSettings

EXPECTED_OUTPUT_TOKENS = 64

_RESERVED_OUTPUT_TOKENS = 256
_PROBE_TOKENS = 8
_CUDA_PROBES = (2, 8)
_MEMORY_MARGIN = 1.1
_SLOW_PROBE_SECONDS = 1.0
_SLOW_CPU_BATCH = 4
_MAX_CPU_BATCH = 32
_CPU_TOLERANCE = 1.15
_CPU_PROBING_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """The batch size to begin with, the largest to grow to, and the expected seconds for one request."""

    batch_size: int
    limit: int
    seconds_per_request: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One measured batch: memory above what was held before it, and time for all its requests."""

    batch_size: int
    memory_bytes: int
    seconds_per_request: float


def calibrate(model: GenericModel, network: Any, settings: ModelSettings) -> Calibration:
    """Warm the device up, measure, and choose. Raises `ModelError` when not even one request fits."""
    first = _try_probe(model, 1)
    if first is None:
        raise ModelError(
            f"Device {model.device} has too little memory for a single request.",
            hint="Free memory, lower max_tiles, or use a smaller model.",
        )
    if not settings.enable_batch_processing:
        return Calibration(1, 1, first.seconds_per_request, ("batch size: 1, batch processing is off",))
    if settings.batch_size != "auto":
        size = min(settings.batch_size, settings.max_batch_size)
        is_quick = first.seconds_per_request < _SLOW_PROBE_SECONDS
        timed = (_try_probe(model, min(size, _CUDA_PROBES[-1])) if is_quick else None) or first
        return Calibration(size, size, timed.seconds_per_request, (f"batch size: {size}, as set",))
    probe = _probe_cpu if model.device == "cpu" else _probe_cuda
    probes, why = probe(model, first, settings.max_batch_size)
    cost = bytes_per_request(probes, kept_bytes_per_request(network))
    budget = memory_budget(model.device, settings.gpu_memory_fraction)
    fitting = max(1, int(budget // cost))
    limit = min(fitting, settings.max_batch_size)
    size = round_batch_size(limit)
    if model.device == "cpu":
        size = limit = min(size, probes[-1].batch_size)
    reason = (
        f"batch size: {size}; {fitting} requests of {cost / 1024**2:.1f} MiB fit into "
        f"{budget / 1024**3:.1f} GiB{why}, max_batch_size is {settings.max_batch_size}"
    )
    return Calibration(size, limit, probes[-1].seconds_per_request, (reason,))


def bytes_per_request(probes: list[Probe], kept_bytes: int) -> float:
    """The slope between the smallest and the largest probe, never under its share of the largest's keys."""
    low, high = probes[0], probes[-1]
    if low.batch_size == high.batch_size:
        slope = low.memory_bytes / low.batch_size
    else:
        slope = (high.memory_bytes - low.memory_bytes) / (high.batch_size - low.batch_size)
    return max(1.0, _MEMORY_MARGIN * (max(0.0, slope) + kept_bytes))


def kept_bytes_per_request(network: Any) -> int:
    """Keys and values of the output tokens a probe did not generate."""
    text = network.config.get_text_config()
    heads = getattr(text, "num_attention_heads", None) or 1
    kv_heads = getattr(text, "num_key_value_heads", None) or heads
    head_dim = getattr(text, "head_dim", None) or getattr(text, "hidden_size", 0) // heads
    layers = getattr(text, "num_hidden_layers", 0)
    return int(2 * layers * kv_heads * head_dim * network.dtype.itemsize * _RESERVED_OUTPUT_TOKENS)


def _probe_cuda(model: GenericModel, first: Probe, max_batch_size: int) -> tuple[list[Probe], str]:
    sizes = [size for size in _CUDA_PROBES if size <= max_batch_size]
    probes = [probe for size in sizes if (probe := _try_probe(model, size)) is not None]
    return probes or [first], ""


def _probe_cpu(model: GenericModel, first: Probe, max_batch_size: int) -> tuple[list[Probe], str]:
    """Double the batch while memory and time allow, then take the smallest that is nearly the quickest.

    Stopping at the first size without a gain would be shorter, but other work on the processor makes single
    measurements wrong by more than the gain.
    """
    started = time.perf_counter()
    if first.seconds_per_request > _SLOW_PROBE_SECONDS:
        size = min(_SLOW_CPU_BATCH, max_batch_size)
        # Measured with InternVL3-1B on two cores: 6.15 s a frame alone, 4.33 at 4, 4.03 at 8, 4.18 at 16.
        assumed = Probe(size, first.memory_bytes * size, first.seconds_per_request)
        return [first, assumed], f", and {size} are enough for a slow processor"
    probes = [first]
    while 2 * probes[-1].batch_size <= min(_MAX_CPU_BATCH, max_batch_size):
        probe = _try_probe(model, 2 * probes[-1].batch_size)
        if probe is None:
            break
        probes.append(probe)
        if time.perf_counter() - started > _CPU_PROBING_SECONDS:
            break
    enough = _CPU_TOLERANCE * min(probe.seconds_per_request for probe in probes)
    while len(probes) > 1 and probes[-2].seconds_per_request <= enough:
        probes.pop()
    return probes, f", little is gained beyond {probes[-1].batch_size}"


def _try_probe(model: GenericModel, batch_size: int) -> Probe | None:
    """Measure a batch, or None when it does not fit. Raises `ModelError` when the model fails otherwise."""
    try:
        return _probe(model, batch_size)
    except Exception as error:  # whatever a checkpoint's first batch raises says that it cannot be used
        if not is_out_of_memory(error):
            raise ModelError(
                f"The model failed on its first batch: {type(error).__name__}: {error}"
            ) from error
    # Outside the block: inside it the exception would still hold the tensors.
    model.release_memory()
    return None


def _probe(model: GenericModel, batch_size: int) -> Probe:
    """Run synthetic requests with the largest frame there can be, without an end token."""
    frame = np.full((model.max_frame_px, model.max_frame_px, 3), 127, dtype=np.uint8)

    def run(max_new_tokens: int) -> float:
        prompts = [Prompt("Describe this frame.", [frame], max_new_tokens)] * batch_size
        started = time.perf_counter()
        model.generate(prompts, ())
        return time.perf_counter() - started

    first_seconds = run(1)
    if first_seconds < _SLOW_PROBE_SECONDS:
        first_seconds = run(1)  # the first run also paid for loading kernels
    # Memory is measured only now: the first run also reads the weights in, mapped from their file till then.
    with PeakMemory(model.device) as memory:
        last_seconds = run(1 + _PROBE_TOKENS)
    step_seconds = max(0.0, last_seconds - first_seconds) / _PROBE_TOKENS
    total_seconds = first_seconds + (EXPECTED_OUTPUT_TOKENS - 1) * step_seconds
    return Probe(batch_size, memory.peak_bytes, total_seconds / batch_size)


class PeakMemory:
    """Peak of the memory taken inside the block above what was held when it began."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._held = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.peak_bytes = 0

    def __enter__(self) -> PeakMemory:
        if self._device != "cpu":
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self._held = torch.cuda.memory_allocated(self._device)
            return self
        self._held = psutil.Process().memory_info().rss
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is None:
            self.peak_bytes = torch.cuda.max_memory_allocated(self._device) - self._held
            return
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        """Read the resident size every two milliseconds: Linux keeps no peak that could be reset."""
        process = psutil.Process()
        while not self._stop.wait(0.002):
            self.peak_bytes = max(self.peak_bytes, process.memory_info().rss - self._held)
