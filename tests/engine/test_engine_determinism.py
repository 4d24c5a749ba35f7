"""Greedy decoding in fp32 is transformers' own, token by token, whatever runs beside a request."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_samples import DictStore, make_frame, make_request, write_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.local.load import Loaded, load
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.tiles import cut_tiles
from corridor_cli.settings import ModelSettings

SIZES = [(80, 60), (60, 80), (200, 50), (31, 97), (56, 56), (1, 1), (640, 360)]

# What the large InternViT has, and the language model of InternVL3.5; heads wider than hidden / heads.
LARGE_VISION = {"norm_type": "rms_norm", "use_qk_norm": True, "attention_bias": False}
QWEN3 = {"model_type": "qwen3", "head_dim": 24}
VARIANTS: dict[str, dict[str, Any]] = {
    "qwen3": {"text": QWEN3},
    "qwen3-tied": {"text": QWEN3, "is_tied": True},
    "qwen2-tied": {"is_tied": True},
    "large-vision": {"vision": LARGE_VISION},
    "large-vision-with-bias-and-qwen3": {"vision": {**LARGE_VISION, "attention_bias": True}, "text": QWEN3},
}


class Contest:
    """One checkpoint in the own engine and in transformers, and requests of every shape for both."""

    def __init__(self, model: str, max_tiles: int, count: int) -> None:
        from transformers import InternVLForConditionalGeneration

        self.store = DictStore()
        chosen = ModelSettings(model=model, device="cpu", precision="fp32", max_tiles=max_tiles)
        self.loaded: Loaded = load(chosen, self.store)
        self.sequences = [self._sequence(number) for number in range(count)]
        path = self.loaded.info.path
        network: Any = InternVLForConditionalGeneration.from_pretrained(path, dtype=torch.float32).eval()
        self.expected = {s.request.key: self._generate(network, s) for s in self.sequences}

    def _sequence(self, number: int) -> TokenSequence:
        """A request of one frame, or of none, two or three; prompts and limits differ."""
        count = {3: 0, 5: 2, 6: 3}.get(number % 7, 1)
        refs = [
            self.store.add(make_frame(number + 50 * part, *SIZES[(number + part) % len(SIZES)]))
            for part in range(count)
        ]
        prompt = "What is here?" + " And why so?" * (number % 3)
        request = make_request(number, tuple(refs), prompt, max_new_tokens=1 + (number * 5) % 23)
        sequence = self.loaded.translator.read(request)
        assert isinstance(sequence, TokenSequence)
        return sequence

    @torch.inference_mode()
    def _generate(self, network: Any, sequence: TokenSequence) -> list[int]:
        tiles = [cut_tiles(frame, self.loaded.rule) for frame in sequence.frames]
        output = network.generate(
            input_ids=torch.tensor([sequence.token_ids]),
            attention_mask=torch.ones(1, len(sequence.token_ids), dtype=torch.long),
            **({"pixel_values": torch.cat(tiles)} if tiles else {}),
            max_new_tokens=sequence.limit,
            do_sample=False,
            eos_token_id=list(self.loaded.info.end_token_ids),
            pad_token_id=0,
        )
        ids: list[int] = output[0, len(sequence.token_ids) :].tolist()
        return ids

    def run(
        self, order: list[TokenSequence], num_slots: int, groups: Iterator[int], num_tiles: int
    ) -> dict[Any, list[int]]:
        """Let sequences in, a few at a time, whenever slots are free; the token ids of each."""
        longest = max(sequence.max_tokens for sequence in order)
        generator = self.loaded.make_generator(num_slots, longest, max(s.limit for s in order))
        waiting, answers = list(order), {}
        while waiting or generator.running:
            size = min(next(groups), num_slots - len(generator.running), len(waiting))
            if size:
                group, waiting = waiting[:size], waiting[size:]
                generator.prefill(group, generator.encode(group, num_tiles))
            if generator.running:
                generator.decode()
                for sequence, ids in generator.take_finished():
                    assert sequence.request.key not in answers, "answered twice"
                    answers[sequence.request.key] = ids
        return answers


@lru_cache(maxsize=4)
def contest_of(model: str, max_tiles: int) -> Contest:
    return Contest(model, max_tiles, 21)


@pytest.fixture(params=["tiny", "random"])
def model(request: pytest.FixtureRequest) -> str:
    return "tiny" if request.param == "tiny" else str(request.getfixturevalue("random_checkpoint"))


@pytest.mark.parametrize("max_tiles", [1, 3])
@pytest.mark.parametrize("num_slots", [1, 21])
def test_every_token_is_transformers_own(model: str, max_tiles: int, num_slots: int) -> None:
    contest = contest_of(model, max_tiles)
    answers = contest.run(contest.sequences, num_slots, iter(lambda: num_slots, 0), num_tiles=4)
    assert answers == contest.expected
    lengths = {len(ids) for ids in answers.values()}
    assert len(lengths) > 3, "captions of different lengths ran together"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_network_is_transformers_own(tmp_path: Path, variant: str) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", **VARIANTS[variant])
    contest = Contest(str(folder), 9, 10)
    assert max(sequence.num_tiles for sequence in contest.sequences) > 9, "tiles and a thumbnail"
    assert contest.run(contest.sequences, 6, iter(lambda: 4, 0), num_tiles=5) == contest.expected
    assert len({tuple(ids[:3]) for ids in contest.expected.values()}) > 3, "pictures matter"


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), num_slots=st.integers(1, 9), num_tiles=st.integers(1, 6))
def test_neither_order_nor_company_changes_a_caption(seed: int, num_slots: int, num_tiles: int) -> None:
    contest = contest_of("tiny", 3)
    chance = random.Random(seed)
    order = chance.sample(contest.sequences, k=chance.randint(1, len(contest.sequences)))
    groups = iter(lambda: chance.randint(0, 4) if len(order) > 1 else 1, -1)
    answers = contest.run(order, num_slots, groups, num_tiles)
    assert answers == {s.request.key: contest.expected[s.request.key] for s in order}


def test_an_end_token_stops_its_own_sequence_only(random_checkpoint: Path) -> None:
    """Tokens that some captions chose third become ends: sequences then stop at different steps."""
    contest = contest_of(str(random_checkpoint), 1)
    ends = tuple({ids[2] for ids in contest.expected.values() if len(ids) > 4})[:2]
    cut = {key: _cut(ids, ends) for key, ids in contest.expected.items()}
    assert len({len(ids) for ids in cut.values()}) > 3
    assert cut != contest.expected
    kept, contest.loaded = contest.loaded, replace(contest.loaded, info=_with_ends(contest.loaded, ends))
    try:
        assert contest.run(contest.sequences, 6, iter(lambda: 6, 0), 4) == cut
    finally:
        contest.loaded = kept


def _with_ends(loaded: Loaded, ends: tuple[int, ...]) -> CheckpointInfo:
    return replace(loaded.info, end_token_ids=(*loaded.info.end_token_ids, *ends))


def _cut(ids: list[int], ends: tuple[int, ...]) -> list[int]:
    return ids[: next((at for at, token in enumerate(ids) if token in ends), len(ids) - 1) + 1]


def test_a_limit_changes_only_the_length(model: str) -> None:
    contest = contest_of(model, 1)
    (key, ids) = max(contest.expected.items(), key=lambda item: len(item[1]))
    sequence = next(s for s in contest.sequences if s.request.key == key)
    request = replace(sequence.request, generation=replace(sequence.request.generation, max_new_tokens=2))
    answers = contest.run([replace(sequence, request=request)], 1, iter(lambda: 1, 0), 4)
    assert answers == {key: ids[:2]}
