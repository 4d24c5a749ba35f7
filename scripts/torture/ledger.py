"""What a torture has found so far, on disk: one line a batch, so that one that was stopped goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torture.batch import BatchResult, Ending


class LedgerError(Exception):
    """The folder holds another torture than the one asked for."""


@dataclass(frozen=True)
class Plan:
    """What is to be done. `digest` stands for the bytes of the originals, which depend on the encoders."""

    count: int
    seed: int
    batch: int
    codecs: tuple[str, ...]
    digest: str

    def numbers(self) -> list[range]:
        """The mutants' numbers, batch by batch."""
        return [range(i, min(i + self.batch, self.count)) for i in range(0, self.count, self.batch)]


class Ledger:
    """`FOLDER/ledger.jsonl`: the plan, then a line for each batch that is over."""

    def __init__(self, path: Path, plan: Plan, *, resume: bool) -> None:
        self._path = path
        self.results: dict[int, BatchResult] = {}
        self.seconds: dict[int, float] = {}
        wanted = json.loads(json.dumps(asdict(plan)))
        if path.exists() and path.stat().st_size:
            if not resume:
                raise LedgerError(f"{path} is there already: give --resume, or another --work folder.")
            first, *rest = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
            if first != wanted:
                raise LedgerError(f"{path} belongs to another plan: {first}, not {wanted}.")
            for line in rest:
                self.results[line["batch"]] = _result(line)
                self.seconds[line["batch"]] = line["seconds"]
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(wanted)

    def add(self, batch: int, result: BatchResult, seconds: float) -> None:
        """Note a batch that is over."""
        self.results[batch], self.seconds[batch] = result, seconds
        self._append({"batch": batch, "seconds": seconds, **asdict(result)})

    def _append(self, line: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def endings(self) -> list[Ending]:
        """Of all batches, in order."""
        return [ending for batch in sorted(self.results) for ending in self.results[batch].endings]

    @property
    def violations(self) -> list[tuple[int, str, str]]:
        """(batch, mutant's name or "", what) of all batches."""
        return [(n, name, what) for n in sorted(self.results) for name, what in self.results[n].violations]


def _result(line: dict[str, Any]) -> BatchResult:
    endings = tuple(Ending(**{**each, "kinds": tuple(each["kinds"])}) for each in line["endings"])
    return BatchResult(endings, tuple((name, what) for name, what in line["violations"]))
