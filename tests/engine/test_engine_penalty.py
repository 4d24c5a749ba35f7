"""A penalty for repeating: transformers' own, token by token, and nothing for rows that ask for none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
import torch
from engine_samples import DictStore, Listener, make_frame, make_request
from transformers import AutoModelForImageTextToText
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from corridor_cli.engine.create import create_engine
from corridor_cli.engine.local import decoding
from corridor_cli.engine.local.decoding import Decoder
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.load import Loaded, load
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tiles import cut_tiles
from corridor_cli.engine.token_rules import penalise
from corridor_cli.records import Caption, Generation, Request
from corridor_cli.settings import ModelSettings

PENALTIES = (1.0, 1.3, 5.0, 0.8)


class Side:
    """A checkpoint in the own engine and in transformers, and requests with and without a penalty."""

    def __init__(self, model: str) -> None:
        self.store = DictStore()
        chosen = ModelSettings(model=model, device="cpu", precision="fp32")
        self.loaded: Loaded = load(chosen, self.store)
        self.sequences = [self._sequence(number) for number in range(12)]
        self.network: Any = AutoModelForImageTextToText.from_pretrained(
            self.loaded.info.path, dtype=torch.float32
        ).eval()
        self.expected = {s.request.key: self._generate(s) for s in self.sequences}

    def _sequence(self, number: int) -> TokenSequence:
        side = self.loaded.rule.tile_px  # so that no resize comes between
        refs = (self.store.add(make_frame(number, side, side)),) if number % 5 else ()
        request = make_request(number, refs, "What is here?" + " Why?" * (number % 3))
        asked = Generation(4 + number * 2, PENALTIES[number % 4])
        sequence = self.loaded.translator.read(replace(request, generation=asked))
        assert isinstance(sequence, TokenSequence)
        return sequence

    @torch.inference_mode()
    def _generate(self, sequence: TokenSequence) -> list[int]:
        tiles = [cut_tiles(frame, self.loaded.rule) for frame in sequence.frames]
        length, penalty = len(sequence.token_ids), sequence.request.generation.repetition_penalty
        output = self.network.generate(
            input_ids=torch.tensor([sequence.token_ids]),
            attention_mask=torch.ones(1, length, dtype=torch.long),
            **({"pixel_values": torch.cat(tiles)} if tiles else {}),
            max_new_tokens=sequence.limit,
            do_sample=False,
            eos_token_id=list(self.loaded.info.end_token_ids),
            pad_token_id=0,
            logits_processor=[RepetitionPenaltyLogitsProcessor(penalty, prompt_ignore_length=length)],
        )
        ids: list[int] = output[0, length:].tolist()
        return ids


@lru_cache(maxsize=2)
def side_of(model: str) -> Side:
    return Side(model)


@pytest.fixture(params=["tiny", "random"])
def side(request: pytest.FixtureRequest) -> Side:
    return side_of("tiny" if request.param == "tiny" else str(request.getfixturevalue("random_checkpoint")))


def run(generator: Generator, order: Sequence[TokenSequence], together: int) -> dict[Any, list[int]]:
    """Let sequences in, so many at a time, whenever slots are free: those behind a gap move into it."""
    waiting = list(order)
    answers: dict[Any, list[int]] = {}
    while waiting or generator.running:
        size = min(together, generator.num_slots - len(generator.running))
        group, waiting = waiting[:size], waiting[size:]
        if group:
            generator.prefill(group, generator.encode(group, 4))
        generator.decode()
        answers |= {sequence.request.key: ids for sequence, ids in generator.take_finished()}
    return answers


def make_generator(side: Side, num_slots: int) -> Generator:
    longest = max(sequence.max_tokens for sequence in side.sequences)
    return side.loaded.make_generator(num_slots, longest, max(s.limit for s in side.sequences))


@pytest.mark.parametrize("num_slots", [1, 3, 12])
def test_every_token_is_transformers_own(side: Side, num_slots: int) -> None:
    assert run(make_generator(side, num_slots), side.sequences, 2) == side.expected
    backwards = side.sequences[::-1]
    assert run(make_generator(side, num_slots), backwards, num_slots) == side.expected


def test_a_penalty_changes_what_is_said(side: Side) -> None:
    changed = 0
    for sequence in side.sequences:
        plain = replace(sequence.request, generation=Generation(sequence.limit))
        without = run(make_generator(side, 1), [replace(sequence, request=plain)], 1)
        is_same = without[sequence.request.key] == side.expected[sequence.request.key]
        changed += not is_same
        assert is_same or sequence.request.generation.repetition_penalty != 1
    assert changed


def test_logits_are_transformers_own_to_the_last_bit() -> None:
    torch.manual_seed(1)
    logits, chosen = torch.randn(5, 50), torch.randint(0, 50, (5, 8))
    counts, penalties = torch.tensor([0, 1, 3, 8, 8]), torch.tensor([2.0, 1.3, 1.0, 0.7, 1.1])
    found = logits.clone()
    penalise(found, chosen, counts, penalties)
    for row in range(5):
        processor = RepetitionPenaltyLogitsProcessor(float(penalties[row]))
        wanted = processor(chosen[row : row + 1, : counts[row]], logits[row : row + 1].clone())
        assert torch.equal(found[row : row + 1], wanted)
    before = found.clone()
    penalise(found, chosen[:, :0], counts, penalties)
    assert torch.equal(found, before)


def test_graphs_end_at_the_logits_only_while_somebody_asks(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CUDA, with functions in place of graphs."""
    taken: list[str] = []

    def captured(step: Any, num_rows: int, device: str) -> tuple[Any, str]:
        def replay(num_rows: int) -> None:
            taken.append("logits")
            step(num_rows)

        return replay, ""

    def with_graph(decoder: Decoder) -> None:
        def replay(num_rows: int) -> None:
            taken.append("whole")
            decoder._step(num_rows)

        decoder._run_graph = replay

    monkeypatch.setattr(decoding, "captured", captured)
    generator = make_generator(side, 4)
    with_graph(generator._decoder)
    plain = [s for s in side.sequences if s.request.generation.repetition_penalty == 1]
    assert run(generator, plain, 4) == {s.request.key: side.expected[s.request.key] for s in plain}
    assert set(taken) == {"whole"}
    assert generator._decoder._logits is None, "nothing was captured for what nobody asked"
    taken.clear()
    # The shortest asks: the others go on by whole graphs.
    mixed = [side.sequences[1], *plain]
    assert run(generator, mixed, 4) == {s.request.key: side.expected[s.request.key] for s in mixed}
    assert taken.index("whole") > 0
    assert set(taken[: taken.index("whole")]) == {"logits"}
    assert run(generator, side.sequences, 4) == side.expected


def test_memory_that_runs_out_while_graphs_are_captured_costs_only_speed(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    def captured(step: Any, num_rows: int, device: str) -> tuple[Any, str]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(decoding, "captured", captured)
    generator = make_generator(side, 4)
    generator._decoder._run_graph = generator._decoder._step
    assert run(generator, side.sequences, 4) == side.expected


def test_a_sequence_keeps_its_penalty_where_memory_ran_out(side: Side) -> None:
    """In batches of four, which start again on the way."""
    settings = ModelSettings(model=side.loaded.info.path, device="cpu", batch_size=4)
    engine, requests = create_engine(settings, side.store, Listener()), [s.request for s in side.sequences]
    engine.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Generator, "advance", failing_once(at=3))
        captions = ask(engine, requests)
    tokenizer = side.loaded.translator._tokenizer
    for key, ids in side.expected.items():
        caption = captions[key]
        assert caption.error is None
        assert caption.text == tokenizer.decode(ids, skip_special_tokens=True).strip()
        assert caption.output_tokens == len(ids)


def ask(engine: Any, requests: Sequence[Request]) -> dict[Any, Caption]:
    for request in requests:
        engine.submit(request)
    captions: list[Caption] = []
    while len(captions) < len(requests):
        captions += engine.poll(0.0)
    return {caption.key: caption for caption in captions}


def failing_once(at: int) -> Any:
    """`Generator.advance` that finds no memory at its call number `at`."""
    advance, calls = Generator.advance, []

    def advance_or_overflow(self: Generator, num_steps: int) -> None:
        calls.append(num_steps)
        if len(calls) == at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        advance(self, num_steps)

    return advance_or_overflow
