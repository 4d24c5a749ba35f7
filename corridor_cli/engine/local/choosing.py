"""How the next token of each row is chosen where a request asks for more than the likeliest.

Rows that ask for nothing keep their choice, whoever runs beside them. What may come next in a JSON document
is worked out on the processor, and needs the token before it. So that token is sent to the host as soon as it
is chosen, and read only when the next logits have been launched: the device computes them meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from corridor_cli.engine.json_grammar import JsonDocument, allowed_tokens
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tensors import on_device
from corridor_cli.engine.token_rules import allow_only, penalise


@dataclass(frozen=True, slots=True)
class Rule:
    """What one sequence asks: a penalty for its own tokens (1: none), a document to be written (or None)."""

    penalty: float
    document: JsonDocument | None


@dataclass(frozen=True, slots=True)
class Asking:
    """The rows that ask for something: where they lie, int64 (n,), and what each asks.

    `penalties` is float32 (n,), None where there is none; `documents` is empty where there is none.
    """

    rows: torch.Tensor
    penalties: torch.Tensor | None
    documents: list[JsonDocument | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """Tokens on their way to the host, and the documents they continue; `is_there` is None on a CPU."""

    documents: list[JsonDocument | None]
    tokens: torch.Tensor
    is_there: Any

    def arrive(self) -> None:
        """Wait for the tokens, and write them into their documents."""
        if self.is_there is not None:
            self.is_there.synchronize()
        for document, token in zip(self.documents, self.tokens.tolist(), strict=True):
            if document is not None:
                document.advance(token)


class Chooser:
    """Knows what the sequence in each slot asks. A sequence that starts again begins a new document."""

    def __init__(self, num_slots: int, device: str) -> None:
        self._device = device
        self._rules: list[Rule | None] = [None] * num_slots
        self._sent: list[Sent] = []
        self._asking: dict[tuple[int, int], Asking | None] = {}

    def start(self, first_slot: int, sequences: Sequence[TokenSequence]) -> None:
        """Sequences take the slots from `first_slot` on; nothing of them is chosen yet."""
        rules = [_rule(sequence) for sequence in sequences]
        self._rules[first_slot : first_slot + len(rules)] = rules
        self._asking.clear()

    def move(self, source: int, target: int) -> None:
        """The sequence in `source` goes on in `target`; tokens under way find their documents still."""
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
        if asking.penalties is not None:
            penalise(picked, chosen[asking.rows], counts[asking.rows], asking.penalties)
        if asking.documents:
            allow_only(picked, self._allowed(asking.documents))
        tokens = picked.argmax(dim=-1)
        best[asking.rows] = tokens
        if asking.documents:
            self._send(tokens, asking.documents)
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
        documents = [rule.document for rule in asked.values()]
        return Asking(
            rows=on_device(list(asked), self._device),
            penalties=on_device(penalties, self._device) if bool((penalties != 1).any()) else None,
            documents=documents if any(documents) else [],
        )

    def _allowed(self, documents: list[JsonDocument | None]) -> torch.Tensor:
        sent, self._sent = self._sent, []
        for each in sent:
            each.arrive()
        return on_device(torch.from_numpy(allowed_tokens(documents)), self._device)

    def _send(self, tokens: torch.Tensor, documents: list[JsonDocument | None]) -> None:
        if self._device == "cpu":
            self._sent.append(Sent(documents, tokens, None))
            return
        held = torch.empty(tokens.shape, dtype=tokens.dtype, pin_memory=True)
        held.copy_(tokens, non_blocking=True)
        is_there = torch.cuda.Event()  # type: ignore[no-untyped-call]
        is_there.record()
        self._sent.append(Sent(documents, held, is_there))


def asks(sequence: TokenSequence) -> bool:
    """Whether it asks for more than the likeliest tokens."""
    return sequence.request.generation.repetition_penalty != 1 or sequence.grammar is not None


def _rule(sequence: TokenSequence) -> Rule | None:
    if not asks(sequence):
        return None
    document = None if sequence.grammar is None else sequence.grammar.begin()
    return Rule(sequence.request.generation.repetition_penalty, document)
