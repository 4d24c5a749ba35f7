"""Decode steps as CUDA graphs: one launch a step instead of hundreds.

A graph is bound to its tensors and to a number of rows, so there is one for each of a few numbers, captured
while nothing runs, the largest first so that the smaller ones find room in its memory. A step for fewer rows
takes the next larger graph: rows that have finished stand still.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

_WARM_UP_STEPS = 2


def bucket_sizes(num_rows: int) -> list[int]:
    """The numbers of rows worth a graph of their own, ascending; the last is `num_rows`."""
    powers = [size for size in (1, 2, 4, 8, 16) if size < num_rows]
    return [*powers, *range(32, num_rows, 32), num_rows]


class StepGraphs:
    """Graphs of `step`, which takes the number of rows and changes the same tensors whenever it is called."""

    def __init__(self, step: Callable[[int], None], num_rows: int, device: str) -> None:
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        pool = torch.cuda.graph_pool_handle()
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        for size in reversed(bucket_sizes(num_rows)):
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP_STEPS):  # libraries choose kernels and allocate on the first calls
                    step(size)
            torch.cuda.synchronize(device)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                step(size)
            self._graphs[size] = graph
        torch.cuda.current_stream(device).wait_stream(stream)

    def run(self, num_rows: int) -> None:
        """One step for the first `num_rows` rows, at least."""
        size = min(size for size in self._graphs if size >= num_rows)
        self._graphs[size].replay()
