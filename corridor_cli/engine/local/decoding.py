"""The decode loop's state on the device: last tokens, positions, what was chosen, who has finished.

Choosing, counting and stopping are tensor arithmetic, so the host need not look after every step. While no
row asks for more than the likeliest token, a step on CUDA is one graph, choice included. Where one does, the
graph ends at the logits, and the choice follows it kernel by kernel; those graphs are captured when the first
such sequence comes, so a run that has none pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from corridor_cli.engine.local.choosing import Chooser, asks
from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.engine.local.graphs import Run, captured
from corridor_cli.engine.local.kv_cache import KeyValueCache
from corridor_cli.engine.local.network import Network
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tensors import on_device


class Decoder:
    """Rows are the cache's slots. A row that has finished stands still until another sequence takes it."""

    def __init__(
        self, network: Network, cache: KeyValueCache, max_new_tokens: int, end_token_ids: Sequence[int]
    ) -> None:
        num_slots, device = cache.num_slots, network.device

        def row(dtype: torch.dtype = torch.int64) -> torch.Tensor:
            return torch.zeros(num_slots, dtype=dtype, device=device)

        self._network, self._cache = network, cache
        self.max_new_tokens = max_new_tokens
        self._tokens, self._positions, self._counts, self._limits = row(), row(), row(), row()
        self._is_done = row(torch.bool).fill_(True)
        self._chosen = torch.zeros((num_slots, max_new_tokens), dtype=torch.int64, device=device)
        self._end_ids = torch.tensor(list(end_token_ids), dtype=torch.int64, device=device)
        self._chooser = Chooser(num_slots, device)
        self._run_graph: Run | None = None
        self._run_logits: Run | None = None
        self._logits: torch.Tensor | None = None  # (slots, vocab), what the graphs of `_run_logits` write
        self.reason = ""  # of how steps are taken, where there is a choice
        if device != "cpu":
            # Nothing runs yet: every row counts as finished, so the steps that capture change nothing.
            with torch.inference_mode():
                self._run_graph, self.reason = captured(self._step, num_slots, device)

    def prepare(self, sequences: Sequence[TokenSequence]) -> None:
        """What steps of these need is made; before their prefill, as trying a step writes to free slots."""
        if self._run_graph is None or self._logits is not None or not any(map(asks, sequences)):
            return
        network, num_slots = self._network, self._cache.num_slots
        size = (num_slots, network.shape.text.vocab_size)
        try:
            self._logits = torch.zeros(size, dtype=network.dtype, device=network.device)
            with torch.inference_mode():
                self._run_logits, _ = captured(self._write_logits, num_slots, network.device)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._run_logits = None  # such steps can do without graphs

    def start(self, first_slot: int, logits: torch.Tensor, sequences: Sequence[TokenSequence]) -> None:
        """Sequences just prefilled take the slots from `first_slot` on; `logits` choose their first token."""
        rows = slice(first_slot, first_slot + len(sequences))
        device = str(logits.device)
        # The first token chosen stands at the position after the prompt.
        self._positions[rows] = on_device([len(sequence.token_ids) for sequence in sequences], device) - 1
        self._limits[rows] = on_device([sequence.limit for sequence in sequences], device)
        self._counts[rows] = 0
        self._is_done[rows] = False
        self._chooser.start(first_slot, sequences)
        self._accept(rows, self._choose(rows, logits))

    def step(self, num_rows: int, bound: int) -> None:
        """One more token for the first `num_rows` rows; `bound` as in `Network.step`."""
        if self._chooser.is_asked(num_rows):
            rows = slice(0, num_rows)
            self._accept(rows, self._choose(rows, self._logits_of(num_rows, bound)))
        elif self._run_graph is not None:
            self._run_graph(num_rows)
        else:
            self._step(num_rows, bound)

    def finished(self, num_rows: int) -> list[bool]:
        """Which of the first rows have finished; waits for the device."""
        return self._is_done[:num_rows].tolist()

    def take(self, slots: Sequence[int]) -> list[list[int]]:
        """The token ids chosen for `slots`, the end token included."""
        which = torch.tensor(list(slots), device=self._chosen.device)
        counts, chosen = self._counts[which].tolist(), self._chosen[which].tolist()
        return [ids[:count] for ids, count in zip(chosen, counts, strict=True)]

    def move(self, source: int, target: int) -> None:
        """Let the sequence in `source` go on in `target`."""
        for held in (self._tokens, self._positions, self._counts, self._limits, self._is_done, self._chosen):
            held[target] = held[source]
        self._chooser.move(source, target)

    def _step(self, num_rows: int, bound: int | None = None) -> None:
        self._accept(slice(0, num_rows), self._network_step(num_rows, bound).argmax(dim=-1))

    def _network_step(self, num_rows: int, bound: int | None = None) -> torch.Tensor:
        tokens, positions = self._tokens[:num_rows], self._positions[:num_rows]
        return self._network.step(tokens, positions, self._cache, bound or self._cache.max_tokens)

    def _write_logits(self, num_rows: int) -> None:
        """A step without its choice. It can be repeated: keys and values are written where they were."""
        assert self._logits is not None
        self._logits[:num_rows] = self._network_step(num_rows)

    def _logits_of(self, num_rows: int, bound: int) -> torch.Tensor:
        """The logits of a step, (num_rows, vocab)."""
        if self._run_logits is None or self._logits is None:
            return self._network_step(num_rows, bound)
        self._run_logits(num_rows)
        return self._logits[:num_rows]

    def _choose(self, rows: slice, logits: torch.Tensor) -> torch.Tensor:
        return self._chooser.choose(rows.start, logits, self._chosen[rows], self._counts[rows])

    def _accept(self, rows: slice, best: torch.Tensor) -> None:
        """Take the token `best` (rows,) of each row, unless the row has finished."""
        counts, is_done = self._counts[rows], self._is_done[rows]
        column = counts.clamp(max=self.max_new_tokens - 1).unsqueeze(1)
        chosen = self._chosen[rows]
        chosen.scatter_(
            1, column, torch.where(is_done.unsqueeze(1), chosen.gather(1, column), best.unsqueeze(1))
        )
        is_live = ~is_done
        counts += is_live
        self._positions[rows] += is_live
        self._tokens[rows] = torch.where(is_done, self._tokens[rows], best)
        is_done |= (best.unsqueeze(1) == self._end_ids).any(dim=1) | (counts >= self._limits[rows])
