"""Answers that follow a JSON Schema: valid whenever they end, the likeliest there is, whoever runs beside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
from engine_samples import DictStore, Listener, make_frame, make_request
from layout_samples import write_original
from transformers import AutoModelForImageTextToText

from corridor_cli.engine import json_grammar
from corridor_cli.engine.checkpoint import read_checkpoint
from corridor_cli.engine.create import create_engine
from corridor_cli.engine.json_grammar import JsonGrammar, JsonGrammars, allowed_tokens, check_schema
from corridor_cli.engine.local import decoding
from corridor_cli.engine.local.generator import Generator
from corridor_cli.engine.local.load import Loaded, load
from corridor_cli.engine.local.sequences import TokenSequence
from corridor_cli.engine.local.sources import load_tokenizer
from corridor_cli.engine.local.tiles import cut_tiles
from corridor_cli.engine.token_rules import allow_only
from corridor_cli.errors import SchemaError, UsageError
from corridor_cli.records import Caption, Generation, Request
from corridor_cli.settings import ModelSettings

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # in transformers

TEXT = {"type": "string", "maxLength": 9}
SCENE = json.dumps(
    {
        "type": "object",
        "properties": {"title": TEXT, "tags": {"type": "array", "items": TEXT, "maxItems": 2}},
        "required": ["title", "tags"],
        "additionalProperties": False,
    }
)
# Few enough documents to write all of them down.
KINDS, YEARS = ("day", "dusk", "Düne", "d"), (1, 12)
FINITE = json.dumps(
    {
        "type": "object",
        "properties": {"kind": {"enum": list(KINDS)}, "year": {"enum": list(YEARS)}},
        "required": ["kind", "year"],
        "additionalProperties": False,
    }
)
DOCUMENTS = [json.dumps({"kind": k, "year": y}, ensure_ascii=False) for k, y in product(KINDS, YEARS)]


def token_bytes(tokenizer: Any) -> dict[int, bytes]:
    """What each ordinary token of a byte-level vocabulary writes."""
    from tokenizers import pre_tokenizers

    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(rest)}
    assert set(letters) == set(pre_tokenizers.ByteLevel.alphabet())
    special = set(tokenizer.get_added_vocab())
    return {
        number: bytes(letters[letter] for letter in token)
        for token, number in tokenizer.get_vocab().items()
        if token not in special
    }


def allowed_by_hand(written: bytes, spelled: dict[int, bytes], end_ids: Sequence[int]) -> set[int]:
    """Which tokens can still become one of `DOCUMENTS`, by trying each."""
    documents = [document.encode() for document in DOCUMENTS]
    texts = {
        document[len(written) : end]
        for document in documents
        if document.startswith(written)
        for end in range(len(written) + 1, len(document) + 1)
    }
    tokens = {number for number, text in spelled.items() if text in texts}
    return tokens | (set(end_ids) if written in documents else set())


def is_forced(written: bytes) -> bool:
    """Whether only one byte can follow: the library then takes the token that the tokenizer would."""
    documents = [document.encode() for document in DOCUMENTS]
    after = {d[len(written) : len(written) + 1] for d in documents if d.startswith(written)}
    return len(after) == 1 and after != {b""}


def check_allowed(found: set[int], written: bytes, spelled: dict[int, bytes], end_ids: Sequence[int]) -> None:
    """Against all tokens tried by hand."""
    by_hand = allowed_by_hand(written, spelled, end_ids)
    if is_forced(written):
        assert found
        assert found <= by_hand
    else:
        assert found == by_hand


def allowed_by_grammar(grammar: JsonGrammar, tokens: Sequence[int]) -> set[int]:
    document = grammar.begin()
    for token in tokens:
        document.advance(token)
    bits = np.unpackbits(allowed_tokens([document])[0], bitorder="little")
    return set(bits.nonzero()[0].tolist())


class Side:
    """A checkpoint in the own engine and in transformers."""

    def __init__(self, model: str) -> None:
        self.store = DictStore()
        self.loaded: Loaded = load(ModelSettings(model=model, device="cpu", precision="fp32"), self.store)
        self.tokenizer: Any = self.loaded.translator._tokenizer
        self.end_ids = self.loaded.info.end_token_ids
        self.network: Any = AutoModelForImageTextToText.from_pretrained(
            self.loaded.info.path, dtype=torch.float32
        ).eval()

    def request(self, number: int, schema: str | None, limit: int = 60, penalty: float = 1.0) -> Request:
        px = self.loaded.rule.tile_px
        refs = (self.store.add(make_frame(number, px, px)),) if number % 4 else ()
        request = make_request(number, refs, "What is here?" + " Why?" * (number % 3))
        return replace(request, generation=Generation(limit, penalty, schema))

    def mixed(self) -> list[Request]:
        schemas = (SCENE, None, FINITE, SCENE)
        return [self.request(n, schemas[n % 4], 28 + 50 * (n % 3), (1.0, 1.3)[n % 2]) for n in range(9)]

    def read(self, request: Request) -> TokenSequence:
        sequence = self.loaded.translator.read(request)
        assert isinstance(sequence, TokenSequence)
        return sequence

    def start(self, **changes: Any) -> Any:
        values = {"device": "cpu", "batch_size": 4, **changes}
        engine = create_engine(ModelSettings(model=self.loaded.info.path, **values), self.store, Listener())
        engine.start()
        return engine


@lru_cache(maxsize=2)
def side_of(model: str) -> Side:
    return Side(model)


@pytest.fixture(params=["tiny", "random"])
def side(request: pytest.FixtureRequest) -> Side:
    return side_of("tiny" if request.param == "tiny" else str(request.getfixturevalue("random_checkpoint")))


def ask(engine: Any, requests: Sequence[Request]) -> dict[Any, Caption]:
    for request in requests:
        engine.submit(request)
    captions: list[Caption] = []
    while len(captions) < len(requests):
        captions += engine.poll(0.0)
    return {caption.key: replace(caption, timing=None) for caption in captions}


def check(requests: Sequence[Request], captions: dict[Any, Caption]) -> int:
    """Every answer is valid when it has ended, and cut when it has not; how many documents were whole."""
    num_whole = 0
    for request in requests:
        caption, schema = captions[request.key], request.generation.json_schema
        assert caption.error is None
        if caption.finish_reason == "length":
            assert caption.output_tokens == request.generation.max_new_tokens
        elif schema is not None:
            jsonschema.validate(json.loads(caption.text), json.loads(schema))
            num_whole += 1
    return num_whole


@pytest.fixture(params=["tiny by local", "random by local", "tiny by generic"])
def engine_and_side(request: pytest.FixtureRequest) -> tuple[str, Side]:
    """The random checkpoint has no processor for transformers."""
    model, _, engine_name = request.param.partition(" by ")
    path = "tiny" if model == "tiny" else str(request.getfixturevalue("random_checkpoint"))
    return engine_name, side_of(path)


def test_every_answer_that_ends_is_valid(engine_and_side: tuple[str, Side]) -> None:
    engine_name, side = engine_and_side
    requests = side.mixed()
    captions = ask(side.start(engine=engine_name), requests)
    assert check(requests, captions) >= 4
    free = [r.generation.json_schema is None for r in requests]
    assert any(free)
    assert not all(free)


def test_company_changes_no_answer(engine_and_side: tuple[str, Side]) -> None:
    engine_name, side = engine_and_side
    requests = side.mixed()
    engine = side.start(engine=engine_name)
    together = ask(engine, requests)
    assert [ask(engine, [request])[request.key] for request in requests] == [
        together[request.key] for request in requests
    ]
    plain = [replace(r, generation=Generation(r.generation.max_new_tokens)) for r in requests]
    free = [r.key for r in requests if r.generation == Generation(r.generation.max_new_tokens)]
    without = ask(engine, plain)
    assert all(without[key] == together[key] for key in free)


def test_either_engine_gives_the_same_documents() -> None:
    side = side_of("tiny")
    requests = side.mixed()
    assert ask(side.start(), requests) == ask(side.start(engine="generic"), requests)


@pytest.mark.parametrize("number", [0, 1])
def test_the_likeliest_of_the_tokens_that_may_come_is_chosen(side: Side, number: int) -> None:
    """Against the whole vocabulary tried by hand, and transformers' logits."""
    request = side.request(number, FINITE)
    sequence = side.read(request)
    spelled, tokens = token_bytes(side.tokenizer), list(sequence.token_ids)
    tiles = [cut_tiles(frame, side.loaded.rule) for frame in sequence.frames]
    written = b""
    chosen: list[int] = []
    while not chosen or chosen[-1] not in side.end_ids:
        assert sequence.grammar is not None
        allowed = allowed_by_grammar(sequence.grammar, chosen)
        check_allowed(allowed, written, spelled, side.end_ids)
        with torch.inference_mode():
            logits = side.network(
                input_ids=torch.tensor([tokens]), pixel_values=torch.cat(tiles) if tiles else None
            ).logits[0, -1]
        best = max(allowed, key=lambda token: float(logits[token]))
        chosen.append(best)
        tokens.append(best)
        written += spelled.get(best, b"")
    assert written.decode() in DOCUMENTS
    caption = ask(side.start(), [request])[request.key]
    assert (caption.text, caption.output_tokens) == (written.decode(), len(chosen))
    assert caption.finish_reason == "stop"


def every_tokenizer(random_checkpoint: Path, folder: Path) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    from corridor_cli.engine.presets import preset_info

    original = write_original(random_checkpoint, folder / "original")
    for name, info in {
        "tiny": read_checkpoint("tiny", None),
        "original": read_checkpoint(str(original), None),
        "dummy": preset_info("internvl3-1b"),
    }.items():
        yield name, load_tokenizer(info), info.end_token_ids


def test_the_tokens_of_every_layout_are_understood(random_checkpoint: Path, tmp_path: Path) -> None:
    for name, tokenizer, end_ids in every_tokenizer(random_checkpoint, tmp_path):
        spelled = token_bytes(tokenizer)
        ends = (*end_ids, tokenizer.convert_tokens_to_ids("<|endoftext|>"))
        grammar = JsonGrammars(tokenizer, ends, len(tokenizer) + 100).compiled(FINITE)
        whole = tokenizer.encode(DOCUMENTS[3], add_special_tokens=False)
        for count in range(len(whole) + 1):
            written = b"".join(spelled[token] for token in whole[:count])
            found = allowed_by_grammar(grammar, whole[:count])
            check_allowed(found, written, spelled, ends)
        assert found == set(ends), f"{name}: all ends, and nothing else, behind a whole document"
        assert grammar.is_document([*whole, ends[1]])
        assert not grammar.is_document([*whole[:-1], ends[0]])
        assert not grammar.is_document([*whole, whole[0], ends[0]])


def test_a_tokenizer_that_pads_writes_the_same(random_checkpoint: Path) -> None:
    """Whoever tokenised a batch with it has left it padding."""
    tokenizer = load_tokenizer(read_checkpoint(str(random_checkpoint), None))
    before = JsonGrammars(tokenizer, (2,), len(tokenizer)).compiled(FINITE)
    tokenizer(["a", "long text"], padding=True)
    tokenizer.backend_tokenizer.enable_padding(length=64)
    after = JsonGrammars(tokenizer, (2,), len(tokenizer)).compiled(FINITE)
    assert allowed_by_grammar(before, []) == allowed_by_grammar(after, [])
    assert tokenizer.backend_tokenizer.padding is not None, "ours is a copy"


def test_a_document_cut_by_its_limit_says_so(engine_and_side: tuple[str, Side]) -> None:
    engine_name, side = engine_and_side
    requests = [side.request(n, SCENE, limit=3 + n) for n in range(4)]
    captions = ask(side.start(engine=engine_name), requests)
    for request in requests:
        caption = captions[request.key]
        assert (caption.error, caption.finish_reason) == (None, "length")
        assert caption.output_tokens == request.generation.max_new_tokens
        assert caption.text.startswith('{"t'[: len(caption.text)])


BROKEN = ["no JSON", '["a list"]', '{"type": "thing"}', '{"type": "string", "pattern": "(?=a)b"}']


def test_a_schema_that_cannot_be_followed_costs_its_own_caption_only(
    engine_and_side: tuple[str, Side], capfd: pytest.CaptureFixture[str]
) -> None:
    engine_name, side = engine_and_side
    requests = [side.request(n, schema) for n, schema in enumerate([SCENE, *BROKEN, None])]
    captions = ask(side.start(engine=engine_name), requests)
    errors = [captions[request.key].error for request in requests]
    assert [error.type if error else None for error in errors] == [None, *["SchemaError"] * 4, None]
    assert all("JSON Schema cannot be followed: " in error.message for error in errors if error)
    assert capfd.readouterr() == ("", ""), "the library keeps to itself what it thinks of them"


@pytest.mark.parametrize("schema", BROKEN)
def test_a_schema_can_be_looked_at_before_anything_is_loaded(schema: str) -> None:
    check_schema(SCENE)
    with pytest.raises(SchemaError, match="cannot be followed"):
        check_schema(schema)


def test_a_document_starts_again_where_memory_ran_out(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = side.mixed()
    expected = ask(side.start(), requests)
    advance, calls = Generator.advance, []

    def advance_or_overflow(self: Generator, num_steps: int) -> None:
        calls.append(len(self.running))
        if len(calls) in (4, 30):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        advance(self, num_steps)

    engine = side.start()
    monkeypatch.setattr(Generator, "advance", advance_or_overflow)
    assert ask(engine, requests) == expected
    assert len(calls) > 30
    assert max(calls) == 4, "others ran, and moved into gaps"


def test_graphs_end_at_the_logits(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA, with functions in place of graphs."""
    requests = side.mixed()
    expected = ask(side.start(), requests)
    monkeypatch.setattr(decoding, "captured", lambda step, *rest: (step, ""))
    sequences = [side.read(request) for request in requests]
    generator = side.loaded.make_generator(4, max(s.max_tokens for s in sequences), 130)
    generator._decoder._run_graph = generator._decoder._step
    found: dict[Any, Caption] = {}
    while sequences or generator.running:
        group = [sequences.pop(0) for _ in range(min(4 - len(generator.running), len(sequences)))]
        if group:
            generator.prefill(group, generator.encode(group, 4))
        for _ in range(5):  # past the end of some, as on CUDA, where nobody looks at every step
            generator.advance(1)
        answers = [side.loaded.translator.answer(*ended) for ended in generator.take_finished()]
        found |= {answer.key: answer for answer in answers}
    assert found == expected


def test_a_document_the_library_gave_up_is_no_answer(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends at once, and is not taken for valid."""
    advance = json_grammar.JsonDocument.advance

    def advance_or_break(self: Any, token: int) -> None:
        advance(self, token)
        if self.is_open and self.matcher.compute_ff_bytes() == b"":
            self.matcher.consume_token(self.end_token_ids[0])  # out of place: the matcher is in error then

    monkeypatch.setattr(json_grammar.JsonDocument, "advance", advance_or_break)
    request = side.request(1, SCENE)
    caption = ask(side.start(), [request])[request.key]
    assert caption.error is not None
    assert caption.error.type == "InvalidJson"
    assert caption.text == ""


def test_without_the_extra_one_line_says_what_to_do(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    json_grammar.check_available()
    monkeypatch.setattr(json_grammar, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'vlmtl\[json\]'"):
        json_grammar.check_available()
    with pytest.raises(UsageError):
        check_schema(SCENE)
    schema = json.dumps({"type": "object", "title": "not compiled before"})
    request = side.request(1, schema)
    caption = ask(side.start(), [request])[request.key]
    assert caption.error is not None
    assert "pip install 'vlmtl[json]'" in caption.error.message


def test_neither_torch_nor_the_library_is_loaded_to_ask() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from corridor_cli.engine.json_grammar import check_available; check_available(); "
        "print(*({'torch', 'transformers', 'llguidance'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


def test_bits_stand_for_tokens() -> None:
    allowed = torch.tensor([[0b00000101, 0b10000000, 0], [255, 255, 255]], dtype=torch.uint8)
    logits = torch.ones(2, 17)
    allow_only(logits, allowed)
    assert logits[0].isfinite().nonzero()[:, 0].tolist() == [0, 2, 15]
    assert logits[1].isfinite().all()
