"""Continuous batching, the mechanism: sequences enter free slots, run together, and leave as they end.

Nothing is decided here: which sequences enter and what a failure means is the scheduler's business.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from corridor_cli.engine.local.decoding import Decoder
from corridor_cli.engine.local.kv_cache import KeyValueCache
from corridor_cli.engine.local.network import Network, PackedPrompts
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tensors import on_device
from corridor_cli.engine.local.tiles import TileRule, cut_tiles
from corridor_cli.engine.local.timing import PassTimes

_STEPS_PER_LOOK = 8
_BOUND_STEP = 64


class Generator:
    """`num_slots` sequences of up to `max_tokens` each, at most `max_new_tokens` of them new."""

    def __init__(
        self,
        network: Network,
        rule: TileRule,
        image_token_id: int,
        end_token_ids: Sequence[int],
        *,
        num_slots: int,
        max_tokens: int,
        max_new_tokens: int,
    ) -> None:
        self._network, self._rule = network, rule
        self._image_token_id = image_token_id
        self._cache = KeyValueCache(network.shape.text, num_slots, max_tokens, network.device, network.dtype)
        self._decoder = Decoder(network, self._cache, max_new_tokens, end_token_ids)
        self.passes = PassTimes(network.device)
        self._running: list[TokenSequence] = []
        self._lengths: list[int] = []  # an upper bound of the tokens each running sequence has by now
        self.num_slots, self.max_tokens, self.max_new_tokens = num_slots, max_tokens, max_new_tokens

    @property
    def device(self) -> str:
        return self._network.device

    @property
    def reason(self) -> str:
        """How decode steps are taken, and why; empty where there is no choice."""
        return self._decoder.reason

    @property
    def running(self) -> Sequence[TokenSequence]:
        """The sequences in the slots, in slot order."""
        return self._running

    def has_room_for(self, sequence: TokenSequence) -> bool:
        """Whether a slot is long enough for it; whether one is free is another question."""
        return sequence.max_tokens <= self.max_tokens and sequence.limit <= self.max_new_tokens

    def encode(self, sequences: Sequence[TokenSequence], max_tiles: int) -> torch.Tensor:
        """Visual tokens of all frames in order, (V, hidden), at most `max_tiles` tiles at a time.

        V is 0, and no pass is made, where no sequence has a frame.
        """
        frames = [frame for sequence in sequences for frame in sequence.frames]
        if not frames:
            width = self._network.shape.text.hidden
            return torch.empty((0, width), dtype=self._network.dtype, device=self._network.device)
        encoded: list[torch.Tensor] = []
        waiting: list[torch.Tensor] = []
        num_waiting = 0
        for number, frame in enumerate(frames, start=1):
            with self.passes.measured("tile"):
                tiles = cut_tiles(frame.to(self._network.device, non_blocking=True), self._rule)
                waiting.append(tiles.to(self._network.dtype))
            num_waiting += len(tiles)
            if num_waiting < max_tiles and number < len(frames):
                continue
            *full, rest = torch.split(torch.cat(waiting), max_tiles)
            if len(rest) == max_tiles or number == len(frames):
                full.append(rest)
                waiting, num_waiting = [], 0
            else:
                waiting, num_waiting = [rest], len(rest)
            with self.passes.measured("vision"):
                encoded += [self._network.encode(batch).flatten(0, 1) for batch in full]
        return torch.cat(encoded)

    def prefill(self, sequences: Sequence[TokenSequence], visual: torch.Tensor) -> torch.Tensor:
        """Let sequences into the next free slots; `visual` is what `encode` gave for them.

        The logits that chose the first token of each: (sequences, vocab).
        """
        first_slot = len(self._running)
        lengths = [len(sequence.token_ids) for sequence in sequences]
        self._decoder.prepare(sequences)
        self._cache.clear(first_slot, len(sequences))
        with self.passes.measured("prefill"):
            logits = self._network.prefill(self._pack(sequences, first_slot), visual, self._cache)
            self._decoder.start(first_slot, logits, sequences)
        self._running += sequences
        self._lengths += lengths
        return logits

    def decode(self) -> None:
        """A few steps for all that run; on a CPU, where looking is free, none after one has ended."""
        with self.passes.measured("steps"):
            for _ in range(_STEPS_PER_LOOK):
                if self.device == "cpu" and any(self._decoder.finished(len(self._running))):
                    return
                self.advance(1)

    def advance(self, num_steps: int) -> None:
        """So many decode steps, whoever ends."""
        for _ in range(num_steps):
            self._lengths = [length + 1 for length in self._lengths]
            longest = -(-max(self._lengths) // _BOUND_STEP) * _BOUND_STEP
            self._decoder.step(len(self._running), min(longest, self.max_tokens))

    def take_finished(self) -> list[tuple[TokenSequence, list[int]]]:
        """The sequences that have ended, with their new token ids; their slots are free then."""
        is_done = self._decoder.finished(len(self._running))
        slots = [slot for slot, done in enumerate(is_done) if done]
        if not slots:
            return []
        ended = list(zip([self._running[slot] for slot in slots], self._decoder.take(slots), strict=True))
        self._close_gaps(set(slots))
        return ended

    def clear(self) -> list[TokenSequence]:
        """Give all slots up; the sequences that had them, to be started again."""
        running, self._running, self._lengths = self._running, [], []
        return running

    def _close_gaps(self, free: set[int]) -> None:
        """Move the last sequences into the free slots before them: steps read the first rows only."""
        num_left = len(self._running) - len(free)
        gaps = sorted(slot for slot in free if slot < num_left)
        for target, source in zip(gaps, self._movable(free, num_left), strict=True):
            self._cache.move(source, target, min(self._lengths[source], self.max_tokens))
            self._decoder.move(source, target)
            self._running[target], self._lengths[target] = self._running[source], self._lengths[source]
        del self._running[num_left:], self._lengths[num_left:]

    def _movable(self, free: set[int], num_left: int) -> list[int]:
        return [slot for slot in range(num_left, len(self._running)) if slot not in free]

    def _pack(self, sequences: Sequence[TokenSequence], first_slot: int) -> PackedPrompts:
        device = self._network.device
        lengths = [len(sequence.token_ids) for sequence in sequences]
        ids = torch.tensor([token for sequence in sequences for token in sequence.token_ids])
        own_slots = torch.arange(first_slot, first_slot + len(lengths))
        slots = own_slots.repeat_interleave(torch.tensor(lengths))
        positions = torch.cat([torch.arange(length) for length in lengths])
        return PackedPrompts(
            token_ids=on_device(ids, device),
            positions=on_device(positions, device),
            rows=on_device(self._cache.rows(slots, positions), device),
            visual_at=on_device((ids == self._image_token_id).nonzero()[:, 0], device),
            lengths=lengths,
        )
