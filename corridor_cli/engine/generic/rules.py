"""What requests ask of their tokens, as a logits processor for transformers' `generate`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from corridor_cli.engine.json_grammar import JsonGrammar, allowed_tokens
from corridor_cli.engine.token_rules import allow_only, penalise


class RowRules:
    """A `LogitsProcessor` over the rows of one batch, each with its penalty (1: none) and its grammar.

    Rows that ask for nothing are not touched.
    """

    def __init__(self, penalties: Sequence[float], grammars: Sequence[JsonGrammar | None]) -> None:
        self._penalties = torch.tensor(list(penalties), dtype=torch.float32)
        self._rows = [row for row, grammar in enumerate(grammars) if grammar is not None]
        self._documents = [grammar.begin() for grammar in grammars if grammar is not None]
        self._start: int | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores float32 (rows, vocab) after the tokens so far, (rows, tokens); changed in place."""
        if self._start is None:
            self._start = input_ids.shape[1]  # what some families have here is not the whole prompt
        chosen = input_ids[:, self._start :]
        if bool((self._penalties != 1).any()):
            counts = torch.full((len(chosen),), chosen.shape[1], device=chosen.device)
            penalise(scores, chosen, counts, self._penalties.to(scores.device))
        if self._documents:
            self._hold_to_grammars(chosen, scores)
        return scores

    def _hold_to_grammars(self, chosen: torch.Tensor, scores: torch.Tensor) -> None:
        if chosen.shape[1]:
            last = chosen[:, -1].tolist()
            for row, document in zip(self._rows, self._documents, strict=True):
                document.advance(last[row])
        allowed = torch.from_numpy(allowed_tokens(self._documents)).to(scores.device)
        picked = scores[self._rows]
        allow_only(picked, allowed)
        scores[self._rows] = picked
