"""How the next token of each row is chosen where a request asks for more than the likeliest.

Rows that ask for nothing keep their choice, whoever runs beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tensors import on_device
from corridor_cli.engine.token_rules import penalise


@dataclass(frozen=True, slots=True)
class Rule:
    """What one sequence asks: a penalty for its own tokens (1: none)."""

    penalty: float


@dataclass(frozen=True, slots=True)
class Asking:
    """The rows that ask for something: where they lie, int64 (n,), and their penalties, float32 (n,)."""

    rows: torch.Tensor
    penalties: torch.Tensor


class Chooser:
    """Knows what the sequence in each slot asks."""

    def __init__(self, num_slots: int, device: str) -> None:
        self._device = device
        self._rules: list[Rule | None] = [None] * num_slots
        self._asking: dict[tuple[int, int], Asking | None] = {}

    def start(self, first_slot: int, sequences: Sequence[TokenSequence]) -> None:
        """Sequences take the slots from `first_slot` on; nothing of them is chosen yet."""
        rules = [_rule(sequence) for sequence in sequences]
        self._rules[first_slot : first_slot + len(rules)] = rules
        self._asking.clear()

    def move(self, source: int, target: int) -> None:
        """The sequence in `source` goes on in `target`."""
        self._rules[target] = self._rules[source]
        self._asking.clear()

    def is_asked(self, num_rows: int) -> bool:
        """Whether any of the first rows asks for something."""
        return self._of(0, num_rows) is not None

    def choose(
        self, first_slot: int, logits: torch.Tensor, chosen: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """The next token of each row of `logits` (rows, vocab), those of the slots from `first_slot` on.

        `chosen` (rows, any) are the tokens before it, of which `counts` (rows,) count. Returns int64 (rows,).
        """
        best = logits.argmax(dim=-1)
        asking = self._of(first_slot, len(logits))
        if asking is None:
            return best
        picked = logits[asking.rows].float()
        penalise(picked, chosen[asking.rows], counts[asking.rows], asking.penalties)
        best[asking.rows] = picked.argmax(dim=-1)
        return best

    def _of(self, first_slot: int, num_rows: int) -> Asking | None:
        """Who asks among these rows; the same until sequences come or move."""
        key = (first_slot, num_rows)
        if key not in self._asking:
            self._asking[key] = self._look(first_slot, num_rows)
        return self._asking[key]

    def _look(self, first_slot: int, num_rows: int) -> Asking | None:
        rules = self._rules[first_slot : first_slot + num_rows]
        asked = {row: rule for row, rule in enumerate(rules) if rule is not None}
        if not asked:
            return None
        penalties = torch.tensor([rule.penalty for rule in asked.values()], dtype=torch.float32)
        return Asking(on_device(list(asked), self._device), on_device(penalties, self._device))


def asks(sequence: TokenSequence) -> bool:
    """Whether it asks for more than the likeliest tokens."""
    return sequence.request.generation.repetition_penalty != 1


def _rule(sequence: TokenSequence) -> Rule | None:
    return Rule(sequence.request.generation.repetition_penalty) if asks(sequence) else None
