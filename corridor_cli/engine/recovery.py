"""What to do when a batch fails: which kind of failure it is, and how the batch size answers to memory.

A caught exception holds its traceback, the traceback its frames, and the frames the tensors that did not
fit. So `try_batch` turns the exception into data and lets go of it; everything else happens after that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from corridor_cli.records import Caption, ErrorInfo, Request

STAGE = "caption"
CLEAN_ROUNDS_TO_GROW = 50

_MAX_MESSAGE_CHARACTERS = 300


class FailureKind(Enum):
    """What a failed batch means for its requests."""

    OUT_OF_MEMORY = "the batch was too large for the memory there is"
    REQUEST = "one of its requests is at fault"
    DEVICE_LOST = "the device refuses all further work in this process"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed batch as data, free of the exception it came from."""

    kind: FailureKind
    error: ErrorInfo


class CaptionModel(Protocol):
    """The part of an engine that differs: one batch in, its captions out, all or nothing."""

    def caption(self, requests: Sequence[Request]) -> list[Caption]:
        """One caption for each request, in order. Raises whatever the model raises."""
        ...

    def num_tiles(self, request: Request) -> int:
        """How many tiles the request's frames make."""
        ...

    def failure_kind(self, error: Exception) -> FailureKind:
        """What an exception of `caption` means."""
        ...

    def release_memory(self) -> None:
        """Give back what a batch that ran out of memory left in caches."""
        ...

    def memory_bytes(self) -> tuple[int | None, int | None]:
        """Peak since the last call, and free now; None where the device does not say."""
        ...


def try_batch(model: CaptionModel, requests: Sequence[Request]) -> list[Caption] | Failure:
    """Run one batch. An exception comes back as a `Failure`, with its tensors freed."""
    try:
        captions = model.caption(requests)
    except Exception as error:  # noqa: BLE001 - any failure of a batch must leave the other requests alive
        failure = Failure(model.failure_kind(error), describe(error))
    else:
        assert [caption.key for caption in captions] == [request.key for request in requests]
        return captions
    if failure.kind is FailureKind.OUT_OF_MEMORY:
        model.release_memory()
    return failure


def describe(error: Exception) -> ErrorInfo:
    """The error as data: its type and the first line of what it says."""
    first_line = next(iter(str(error).strip().splitlines()), "")
    return ErrorInfo(STAGE, type(error).__name__, first_line[:_MAX_MESSAGE_CHARACTERS])


def error_caption(request: Request, error: ErrorInfo, prompt_tokens: int = 0) -> Caption:
    """The answer to a request that cannot be captioned."""
    return Caption(request.key, "", prompt_tokens, 0, None, error)


class BatchSizer:
    """How many requests may run together: halved when memory runs out, grown back with care.

    `size` doubles after `CLEAN_ROUNDS_TO_GROW` full batches without a failure, up to `limit`; a size that
    has failed twice lowers `limit` below it for good.
    """

    def __init__(self, size: int, limit: int) -> None:
        assert 1 <= size <= limit
        self.size = size
        self.limit = limit
        self._failures: Counter[int] = Counter()
        self._num_clean_rounds = 0

    def fitted(self, batch_size: int) -> None:
        """A batch of this size ran. Only full ones count: a smaller one says nothing about a larger."""
        if batch_size < self.size:
            return
        self._num_clean_rounds += 1
        if self._num_clean_rounds >= CLEAN_ROUNDS_TO_GROW and self.size < self.limit:
            self.size = min(2 * self.size, self.limit)
            self._num_clean_rounds = 0

    def overflowed(self, batch_size: int) -> None:
        """A batch of this size ran out of memory. One alone says nothing about how many fit together."""
        self._num_clean_rounds = 0
        if batch_size == 1:
            return
        self._failures[batch_size] += 1
        half = max(1, batch_size // 2)
        if self._failures[batch_size] >= 2:
            self.limit = max(1, min(self.limit, (batch_size + half) // 2, batch_size - 1))
        self.size = max(1, min(half, self.size, self.limit))
