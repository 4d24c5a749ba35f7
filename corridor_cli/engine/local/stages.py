"""The passes over the device, each with a size of its own; what goes wrong in one comes back as data.

A caught exception holds its traceback, and that the tensors that did not fit. So `attempt` turns it into a
`Failure` and lets go of it before anything else is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

from corridor_cli.engine.local.failures import failure_kind
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.memory import release_memory
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.recovery import BatchSizer, Failure, FailureKind, describe
from corridor_cli.errors import DeviceLostError

T = TypeVar("T")

_ROUND_TOKENS = 256

Ended = list[tuple[TokenSequence, list[int]]]


@dataclass(frozen=True, slots=True)
class StageSizes:
    """Sequences that run together, tiles encoded together, prompt tokens prefilled together."""

    slots: BatchSizer
    tiles: BatchSizer
    tokens: BatchSizer


class Stages:
    """A generator's passes within their sizes. When memory runs out only the size of that pass is halved.

    `make_generator` gives a generator whose slots hold so many tokens, so many of them new. Raises
    `DeviceLostError` from any pass when the device needs a new process.
    """

    def __init__(
        self, generator: Generator, make_generator: Callable[[int, int], Generator], sizes: StageSizes
    ) -> None:
        self._generator: Generator | None = generator  # None only when its successor did not fit
        self._make_generator = make_generator
        self._sizes = sizes
        self._device = generator.device
        self._most = (generator.max_tokens, generator.max_new_tokens)
        self.num_oom_retries = 0

    @property
    def running(self) -> Sequence[TokenSequence]:
        return self._generator.running if self._generator else ()

    @property
    def num_slots(self) -> int:
        """How many sequences may run together now."""
        limit = self._generator.num_slots if self._generator else self._sizes.slots.size
        return min(self._sizes.slots.size, limit)

    @property
    def max_prompt_tokens(self) -> int:
        """How many prompt tokens may be prefilled together now."""
        return self._sizes.tokens.size

    def has_room_for(self, sequence: TokenSequence) -> bool:
        """Whether a slot is long enough for it; whether one is free is another question."""
        return self._generator is not None and self._generator.has_room_for(sequence)

    def make_room_for(self, sequence: TokenSequence) -> Failure | None:
        """New slots, long enough for it and for all before it; nothing may be running."""
        assert not self.running
        self._generator = None  # its memory is needed for the new one
        # Rounded up, so that requests which are each a little longer do not make new slots every time.
        longest = -(-sequence.max_tokens // _ROUND_TOKENS) * _ROUND_TOKENS
        wanted = (max(longest, self._most[0]), max(sequence.limit, self._most[1]))
        made = self.attempt(lambda: self._make_generator(*wanted))
        if isinstance(made, Failure):
            return made
        self._generator, self._most = made, wanted
        return None

    def enter(self, group: Sequence[TokenSequence]) -> Failure | None:
        """Encode and prefill a group, which runs then, all of it or nothing."""
        visual = self._encode(group)
        if isinstance(visual, Failure):
            return visual
        generator = self._ready()
        num_tokens = sum(len(sequence.token_ids) for sequence in group)
        outcome = self.attempt(lambda: generator.prefill(group, visual))
        if isinstance(outcome, Failure):
            if outcome.kind is FailureKind.OUT_OF_MEMORY:
                self._overflowed(self._sizes.tokens, num_tokens)
            return outcome
        self._sizes.tiles.fitted(_count_tiles(group))
        self._sizes.tokens.fitted(num_tokens)
        return None

    def _encode(self, group: Sequence[TokenSequence]) -> torch.Tensor | Failure:
        """The visual tokens of a group, with fewer tiles together until they fit.

        A group that does not fit one tile at a time says nothing about how many fit together.
        """
        generator, sizer = self._ready(), self._sizes.tiles
        size = min(sizer.size, max(1, _count_tiles(group)))
        too_large: list[int] = []
        visual = self.attempt(partial(generator.encode, group, size))
        while isinstance(visual, Failure) and visual.kind is FailureKind.OUT_OF_MEMORY and size > 1:
            self.num_oom_retries += 1
            too_large.append(size)
            size //= 2
            visual = self.attempt(partial(generator.encode, group, size))
        if not isinstance(visual, Failure):
            for size in too_large:
                sizer.overflowed(size)
        return visual

    def decode(self, meanwhile: Callable[[], None]) -> Ended | Failure:
        """A few steps for all that run, and who has ended; `meanwhile` is done while the device works."""
        generator = self._ready()
        num_running = len(generator.running)
        outcome = self.attempt(generator.decode)
        meanwhile()
        ended = outcome if isinstance(outcome, Failure) else self.attempt(generator.take_finished)
        if not isinstance(ended, Failure):
            self._sizes.slots.fitted(num_running)
        elif ended.kind is FailureKind.OUT_OF_MEMORY:
            self._overflowed(self._sizes.slots, num_running)
        return ended

    def take_pass_seconds(self) -> dict[str, float]:
        """The device's time by pass since the last call, of the slots there are now."""
        return self._generator.passes.take() if self._generator else {}

    def clear(self) -> list[TokenSequence]:
        """Give all slots up; the sequences that had them."""
        return self._ready().clear()

    def attempt(self, action: Callable[[], T]) -> T | Failure:
        """Run something. An exception comes back as a `Failure`, once it has let go of its tensors."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - whatever one request does, the others must live
            failure = Failure(failure_kind(error), describe(error))
        if failure.kind is FailureKind.DEVICE_LOST:
            raise DeviceLostError(f"{failure.error.type}: {failure.error.message}")
        if failure.kind is FailureKind.OUT_OF_MEMORY:
            release_memory(self._device)
        return failure

    def _ready(self) -> Generator:
        assert self._generator is not None, "make_room_for comes first"
        return self._generator

    def _overflowed(self, sizer: BatchSizer, size: int) -> None:
        sizer.overflowed(size)
        self.num_oom_retries += 1


def _count_tiles(group: Sequence[TokenSequence]) -> int:
    return sum(sequence.num_tiles for sequence in group)
