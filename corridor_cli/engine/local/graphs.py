"""Decode steps as CUDA graphs: one launch a step instead of hundreds.

A graph is bound to its tensors and to a number of rows, so there is one for each of a few numbers, captured
while nothing runs, the largest first so that the smaller ones find room in its memory. A step for fewer rows
takes the next larger graph: rows that have finished stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.engine.recovery import describe

_WARM_UP_STEPS = 2

Step = Callable[[int], None]
Run = Callable[[int], None]


def bucket_sizes(num_rows: int) -> list[int]:
    """The numbers of rows worth a graph of their own, ascending; the last is `num_rows`."""
    powers = [size for size in (1, 2, 4, 8, 16) if size < num_rows]
    return [*powers, *range(32, num_rows, 32), num_rows]


def captured(step: Step, num_rows: int, device: str) -> tuple[Run | None, str]:
    """What runs `step` as graphs, and how steps are taken, in words; None when they cannot be captured.

    Raises when memory runs out, and when the device is of no use any more.
    """
    try:
        graphs = _capture(step, num_rows, device)
        return graphs.run, f"decode steps: {len(graphs.sizes)} graphs of up to {num_rows} sequences"
    except Exception as error:  # noqa: BLE001 - whatever stands in the way of a graph, steps can do without
        if _ran_out_of_memory(error):
            raise torch.OutOfMemoryError(str(error)) from None  # ending the capture may have hidden it
        told = describe(error)
    torch.cuda.synchronize(device)
    step(1)  # a capture that fails may take the device with it: then this raises, too
    torch.cuda.synchronize(device)
    return None, f"decode steps: launched one by one, as capturing them failed: {told.type}: {told.message}"


class StepGraphs:
    """Graphs of `step`, which takes the number of rows and changes the same tensors whenever it is called."""

    def __init__(self, step: Step, num_rows: int, device: str, pool: Any) -> None:
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        for size in reversed(bucket_sizes(num_rows)):
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP_STEPS):  # libraries choose kernels and allocate on the first calls
                    step(size)
            torch.cuda.synchronize(device)
            graph = torch.cuda.CUDAGraph()
            # What other threads ask of the device meanwhile, as to copy a frame, must not end the capture.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                step(size)
            self._graphs[size] = graph
        torch.cuda.current_stream(device).wait_stream(stream)

    @property
    def sizes(self) -> list[int]:
        return sorted(self._graphs)

    def run(self, num_rows: int) -> None:
        """One step for the first `num_rows` rows, at least."""
        size = min(size for size in self._graphs if size >= num_rows)
        self._graphs[size].replay()


def _capture(step: Step, num_rows: int, device: str) -> StepGraphs:
    pool, stream = torch.cuda.graph_pool_handle(), torch.cuda.current_stream(device)
    try:
        return StepGraphs(step, num_rows, device, pool)
    except Exception:  # goes on to the caller: here is only mended what it would leave behind
        # A capture that was cut off leaves its stream the current one, and the allocator waiting for its end:
        # frames would never be freed.
        torch.cuda.set_stream(stream)
        with suppress(Exception):
            torch._C._cuda_endAllocateToPool(torch.device(device).index or 0, pool)
        raise


def _ran_out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, Exception) and is_out_of_memory(error):
            return True
        error = error.__context__
    return False
