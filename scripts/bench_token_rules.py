"""What it costs a decode step that rows ask for a penalty or for JSON: one JSON line a case.

    python scripts/bench_token_rules.py --model tiny
    python scripts/bench_token_rules.py --preset internvl3-1b --rows 8 --precision fp32 --steps 6

Requests have no frames, so the vision pass is left out. The cases take turns, several times; told are medians
of the wall time and of the processor time of this process for one step of all rows, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np

from corridor_cli.engine.json_grammar import JsonDocument, allowed_tokens
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.load import Loaded, load
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.records import FrameRef, Generation, Request, RequestKey, Role
from corridor_cli.settings import ModelSettings

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 400, "maxLength": 600},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 8},
        },
        "required": ["title", "tags"],
        "additionalProperties": False,
    }
)
PROMPT = "Write down what was seen."
LIMIT = 256
CASES = {
    "plain": Generation(LIMIT),
    "penalty": Generation(LIMIT, repetition_penalty=1.1),
    "json": Generation(LIMIT, json_schema=SCHEMA),
    "both": Generation(LIMIT, repetition_penalty=1.1, json_schema=SCHEMA),
}


class NoFrames:
    """The store of requests without frames."""

    def pixels(self, ref: FrameRef) -> Any:
        raise KeyError(ref)


def time_steps(loaded: Loaded, generation: Generation, num_rows: int, num_steps: int) -> tuple[float, float]:
    """Wall and processor milliseconds of a step."""
    generator: Generator = loaded.make_generator(num_rows, 512, LIMIT)
    group = []
    for number in range(num_rows):
        request = Request(RequestKey(0, number, Role.FIRST), PROMPT, (), generation)
        sequence = loaded.translator.read(request)
        assert isinstance(sequence, TokenSequence), sequence
        group.append(sequence)
    generator.prefill(group, generator.encode(group, 1))
    generator.advance(1)
    started, used = time.perf_counter(), time.process_time()
    generator.advance(num_steps)
    elapsed = time.perf_counter() - started, time.process_time() - used
    return 1000 * elapsed[0] / num_steps, 1000 * elapsed[1] / num_steps


def time_masks(loaded: Loaded, num_rows: int) -> dict[str, float]:
    """What llguidance alone takes, in milliseconds: the vocabulary once, then the masks of all rows."""
    request = Request(RequestKey(0, 0, Role.FIRST), PROMPT, (), CASES["json"])
    started = time.perf_counter()
    sequence = loaded.translator.read(request)
    first = time.perf_counter() - started
    assert isinstance(sequence, TokenSequence)
    assert sequence.grammar is not None
    documents: list[JsonDocument | None] = [sequence.grammar.begin() for _ in range(num_rows)]
    rng, taken = np.random.default_rng(0), []
    for _ in range(40):
        started = time.perf_counter()
        allowed = allowed_tokens(documents)
        taken.append(1000 * (time.perf_counter() - started))
        for document, row in zip(documents, allowed, strict=True):
            assert document is not None
            document.advance(int(rng.choice(np.unpackbits(row, bitorder="little").nonzero()[0])))
    return {
        "vocabulary_and_schema_ms": round(1000 * first, 1),
        "masks_median_ms": round(statistics.median(taken), 3),
        "masks_most_ms": round(max(taken), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=None)
    parser.add_argument("--preset", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    settings = ModelSettings(
        model=given.model, preset=given.preset, load_format="dummy" if given.preset else "auto",
        device=given.device, precision=given.precision,
    )  # fmt: skip
    loaded = load(settings, NoFrames())
    shown = {"model": loaded.info.model_id, "dtype": str(loaded.network.dtype), "rows": given.rows}
    print(json.dumps({**shown, **time_masks(loaded, given.rows)}), flush=True)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for _ in range(given.turns):
        for name, generation in CASES.items():
            times[name].append(time_steps(loaded, generation, given.rows, given.steps))
    for name, pairs in times.items():
        wall, used = (statistics.median(each) for each in zip(*pairs, strict=True))
        told = {"case": name, "wall_ms": round(wall, 3), "processor_ms": round(used, 3)}
        print(json.dumps({**shown, **told}), flush=True)


if __name__ == "__main__":
    main()
