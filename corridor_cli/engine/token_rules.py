"""What a request may ask of its tokens beyond that each is the likeliest, as arithmetic on logits.

Both engines that run a network use it: the local one in its decode steps, the generic one within `generate`.
"""

from __future__ import annotations

import torch


def penalise(
    logits: torch.Tensor, chosen: torch.Tensor, counts: torch.Tensor, penalties: torch.Tensor
) -> None:
    """Make tokens that an answer has already less likely, in place.

    Logits are float32 (rows, vocab), `chosen` the answers so far, int64 (rows, any), of which the first
    `counts` (rows,) count, `penalties` float32 (rows,). A positive logit is divided, a negative one
    multiplied, once however often the token was chosen: as transformers' `RepetitionPenaltyLogitsProcessor`
    with the prompt left out does.
    """
    num_columns = chosen.shape[1]
    if num_columns == 0:
        return
    is_chosen = torch.arange(num_columns, device=chosen.device) < counts[:, None]
    # Elsewhere a row's first token stands once more: what is written twice to one place is then the same.
    tokens = torch.where(is_chosen, chosen, chosen[:, :1])
    factors = torch.where(counts > 0, penalties, 1.0)[:, None]
    found = logits.gather(1, tokens)
    logits.scatter_(1, tokens, torch.where(found < 0, found * factors, found / factors))


def allow_only(logits: torch.Tensor, allowed: torch.Tensor) -> None:
    """Rule out all tokens but the allowed ones, in place.

    Logits are (rows, vocab), `allowed` uint8 (rows, at least vocab / 8): bit i of byte b stands for token
    8 b + i.
    """
    bits = torch.arange(8, dtype=torch.uint8, device=allowed.device)
    is_allowed = ((allowed[:, :, None] >> bits) & 1).flatten(1)[:, : logits.shape[1]]
    logits.masked_fill_(is_allowed == 0, float("-inf"))
