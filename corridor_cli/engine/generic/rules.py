"""What requests ask of their tokens, as a logits processor for transformers' `generate`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from corridor_cli.engine.token_rules import penalise


class RowRules:
    """A `LogitsProcessor` over the rows of one batch, each with its own penalty (1: none)."""

    def __init__(self, penalties: Sequence[float]) -> None:
        self._penalties = torch.tensor(list(penalties), dtype=torch.float32)
        self._start: int | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores float32 (rows, vocab) after the tokens so far, (rows, tokens); changed in place."""
        if self._start is None:
            self._start = input_ids.shape[1]  # what some families have here is not the whole prompt
        chosen = input_ids[:, self._start :]
        counts = torch.full((len(chosen),), chosen.shape[1], device=chosen.device)
        penalise(scores, chosen, counts, self._penalties.to(scores.device))
        return scores
