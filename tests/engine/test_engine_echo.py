"""The shipped fake: honest about pixels, and misbehaving exactly as told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from engine_samples import DictStore, Listener, make_frame, make_request

from corridor_cli.engine.echo import EchoEngine, describe_pixels
from corridor_cli.errors import ModelError
from corridor_cli.records import Caption, FrameRef, Generation
from corridor_cli.settings import ModelSettings


def start(store: DictStore, listener: Listener, batch_size: int = 8, **echo: Any) -> EchoEngine:
    engine = EchoEngine(ModelSettings(engine="echo", batch_size=batch_size, echo=echo), store, listener)
    engine.start()
    return engine


def ask(engine: EchoEngine, refs: list[FrameRef]) -> list[Caption]:
    for number, ref in enumerate(refs):
        engine.submit(make_request(number, (ref,)))
    captions: list[Caption] = []
    for _ in range(100):
        captions += engine.poll(0.0)
        if len(captions) == len(refs):
            break
    assert sorted(c.key.scene for c in captions) == list(range(len(refs)))
    return captions


@pytest.mark.parametrize(
    ("rgb", "words"),
    [
        ((250, 5, 5), "A dark 6x4 frame, mostly red "),
        ((255, 255, 255), "A bright 6x4 frame, mostly white "),
        ((0, 0, 200), "A dark 6x4 frame, mostly blue "),
        ((240, 240, 20), "A bright 6x4 frame, mostly yellow "),
    ],
)
def test_the_words_are_about_the_pixels(rgb: tuple[int, int, int], words: str) -> None:
    assert describe_pixels(np.full((4, 6, 3), rgb, dtype=np.uint8)).startswith(words)


def test_one_changed_pixel_changes_the_words() -> None:
    frame = make_frame(1)
    other = frame.copy()
    other[5, 7, 1] ^= 1
    assert describe_pixels(frame) == describe_pixels(frame.copy()) != describe_pixels(other)


def test_without_a_frame_the_words_are_about_the_prompt(store: DictStore, listener: Listener) -> None:
    engine = start(store, listener, max_context_tokens=20)
    assert engine.start().max_context_tokens == 20
    for number, prompt in enumerate(("What is here?", "And there?", "word " * 9)):
        engine.submit(make_request(number, (), prompt))
    captions = engine.poll(0.0)
    assert [caption.text[:34] for caption in captions] == [
        "An answer to a prompt of 3 words (", "An answer to a prompt of 2 words (", "",
    ]  # fmt: skip
    assert [caption.error.type if caption.error else None for caption in captions] == [
        None, None, "ContextOverflow",
    ]  # fmt: skip
    assert start(store, listener).start().max_context_tokens is None


PART = {"type": "string", "minLength": 3, "maxLength": 12}
SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {"title": PART, "tags": {"type": "array", "items": PART, "minItems": 2}},
        "required": ["title", "tags", "more"],
    },
    {"type": "array", "items": {"enum": ["day", "night"]}, "maxItems": 0},
    {"anyOf": [{"type": "integer", "minimum": -9, "exclusiveMaximum": -3}, {"type": "null"}]},
    {"properties": {"is_dark": {"type": ["boolean", "null"]}, "kind": {"const": "scene"}}},
    {"type": "number", "exclusiveMinimum": 4},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_document_follows_its_schema(store: DictStore, listener: Listener, schema: dict[str, Any]) -> None:
    engine = start(store, listener)
    asked = Generation(50, json_schema=json.dumps(schema))
    for number, refs in enumerate(((), (store.add(make_frame(1)),))):
        engine.submit(replace(make_request(number, refs), generation=asked))
    captions = engine.poll(0.0)
    assert [caption.error for caption in captions] == [None, None]
    for caption in captions:
        jsonschema.validate(json.loads(caption.text), schema)
        assert caption.finish_reason == "stop"


@pytest.mark.parametrize(
    "schema", ["no JSON", '{"type": "thing"}', "[]", '{"type": "string", "pattern": "a"}']
)
def test_a_schema_it_does_not_know_is_its_own_error(
    store: DictStore, listener: Listener, schema: str
) -> None:
    engine = start(store, listener)
    engine.submit(replace(make_request(1, ()), generation=Generation(50, json_schema=schema)))
    engine.submit(make_request(2, ()))
    captions = [caption for _ in range(3) for caption in engine.poll(0.0)]
    assert [caption.error.type if caption.error else None for caption in captions] == ["SchemaError", None]


def test_every_nth_request_fails(store: DictStore, listener: Listener) -> None:
    refs = [store.add(make_frame(number)) for number in range(8)]
    captions = ask(start(store, listener, fail_every=3), refs)
    assert [c.key.scene for c in captions if c.error] == [2, 5]
    assert {c.error.type for c in captions if c.error} == {"EchoFailure"}


@pytest.mark.parametrize(("rule", "failed"), [("red>200", [1]), ("0:2:*", [2]), ("blue < 1", [0, 1])])
def test_matching_requests_fail(store: DictStore, listener: Listener, rule: str, failed: list[int]) -> None:
    colours = [(100, 0, 0), (255, 0, 0), (0, 0, 9)]
    refs = [store.add(np.full((4, 4, 3), colour, dtype=np.uint8)) for colour in colours]
    captions = ask(start(store, listener, fail_if=rule), refs)
    assert [c.key.scene for c in captions if c.error] == failed


def test_memory_runs_out_above_a_batch_size(store: DictStore, listener: Listener) -> None:
    refs = [store.add(make_frame(number)) for number in range(10)]
    captions = ask(start(store, listener, oom_above=3), refs)
    assert all(c.error is None for c in captions)
    assert [stats.batch_size for stats in listener.stats] == [8, 4, 2, 2, 2, 2, 2]
    assert [stats.num_oom_retries for stats in listener.stats] == [1, 1, 0, 0, 0, 0, 0]


def test_batches_take_the_time_they_were_told(store: DictStore, listener: Listener) -> None:
    started = time.perf_counter()
    ask(start(store, listener, batch_size=1, delay_seconds=0.05), [store.add(make_frame(1))] * 3)
    assert time.perf_counter() - started >= 0.15
    assert all(stats.wall_seconds >= 0.05 for stats in listener.stats)


def test_long_text_is_cut_at_its_limit(store: DictStore, listener: Listener) -> None:
    engine = start(store, listener)
    engine.submit(make_request(1, (store.add(make_frame(1)),), max_new_tokens=3))
    (caption,) = engine.poll(0.0)
    assert (len(caption.text.split()), caption.output_tokens, caption.finish_reason) == (3, 3, "length")


@pytest.mark.parametrize(
    "echo",
    [{"delay": 1}, {"fail_every": "two"}, {"fail_if": "reddish"}, {"oom_above": 2.5}, {"die_after": True}],
)
def test_wrong_orders_are_refused(store: DictStore, listener: Listener, echo: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="echo"):
        start(store, listener, **echo)


CHILD = """
import sys
sys.path.insert(0, {folder!r})
from engine_samples import DictStore, Listener, make_frame, make_request
from corridor_cli.engine.echo import EchoEngine
from corridor_cli.settings import ModelSettings
store = DictStore()
engine = EchoEngine(ModelSettings(engine="echo", batch_size=1, echo={echo!r}), store, Listener())
engine.start()
for number in range(4):
    engine.submit(make_request(number, (store.add(make_frame(number)),)))
for number in range(4):
    print(engine.poll(0.0)[0].key.scene, flush=True)
assert "torch" not in sys.modules
"""


def child(**echo: Any) -> subprocess.Popen[str]:
    from pathlib import Path

    code = CHILD.format(folder=str(Path(__file__).parent), echo=echo)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("echo", "answered", "code"),
    [({"die_after": 2}, "0\n1\n", -9), ({"die_on": "0:3:first"}, "0\n1\n2\n", -9), ({}, "0\n1\n2\n3\n", 0)],
)
def test_the_process_dies_when_told(echo: dict[str, Any], answered: str, code: int) -> None:
    with child(**echo) as process:
        output, _ = process.communicate(timeout=60)
    assert (output, process.returncode) == (answered, code)


def test_the_engine_hangs_when_told() -> None:
    with child(hang_after=2) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
        process.kill()
