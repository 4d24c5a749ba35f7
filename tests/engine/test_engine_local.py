"""The local engine: the words are transformers' own, and memory that runs out at any point loses nothing."""

from __future__ import annotations

import socket
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_samples import MAX_CONTEXT_TOKENS, DictStore, Listener, make_frame, make_request
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoTokenizer, InternVLForConditionalGeneration

from corridor_cli.engine.checkpoint import read_checkpoint
from corridor_cli.engine.local.engine import LocalEngine
from corridor_cli.engine.local.failures import failure_kind
from corridor_cli.engine.local.tiles import TileRule, cut_tiles
from corridor_cli.engine.recovery import FailureKind
from corridor_cli.errors import DeviceLostError, ModelError
from corridor_cli.records import Caption, Request
from corridor_cli.settings import ModelSettings


def start(checkpoint: Path, store: DictStore, listener: Listener, **changes: Any) -> LocalEngine:
    values = {"device": "cpu", "batch_size": 4, "max_tiles": 4, **changes}
    engine = LocalEngine(ModelSettings(model=str(checkpoint), **values), store, listener)
    engine.start()
    return engine


def drain(engine: LocalEngine, count: int) -> list[Caption]:
    captions: list[Caption] = []
    for _ in range(100):
        captions += engine.poll(0.0)
        if len(captions) == count:
            return captions
    raise AssertionError(f"{len(captions)} of {count} captions")


@pytest.mark.parametrize("size", [(80, 60), (200, 50), (56, 56)])
def test_the_text_is_what_generate_gives_by_hand(
    random_checkpoint: Path, store: DictStore, listener: Listener, size: tuple[int, int]
) -> None:
    frame = make_frame(11, *size)
    engine = start(random_checkpoint, store, listener)
    engine.submit(make_request(1, (store.add(frame),), "What is here?", max_new_tokens=20))
    (caption,) = drain(engine, 1)

    info = read_checkpoint(str(random_checkpoint), None)
    network = InternVLForConditionalGeneration.from_pretrained(random_checkpoint).eval()
    assert network.config.text_config.rope_parameters["rope_type"] == "dynamic"
    tokenizer = AutoTokenizer.from_pretrained(random_checkpoint)
    tiles = cut_tiles(torch.tensor(frame), TileRule(info.tile_px, 4, info.image_mean, info.image_std))
    visual = f"<img>{'<IMG_CONTEXT>' * info.tokens_per_tile * len(tiles)}</img>"
    text = f"<|im_start|>user\n{visual}\nWhat is here?<|im_end|>\n<|im_start|>assistant\n"
    inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    output = network.generate(**inputs, pixel_values=tiles, max_new_tokens=20, do_sample=False)
    new_ids = output[0, inputs["input_ids"].shape[1] :].tolist()
    assert caption.text == tokenizer.decode(new_ids, skip_special_tokens=True).strip()
    assert caption.prompt_tokens == inputs["input_ids"].shape[1]
    assert caption.output_tokens == len(new_ids)
    assert caption.finish_reason == ("stop" if new_ids[-1] == 2 else "length")


def test_a_prompt_too_long_for_the_model_is_an_error_and_not_nonsense(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    engine = start(random_checkpoint, store, listener)
    ref = store.add(make_frame(1))
    engine.submit(make_request(1, (ref,), "word " * 200))
    engine.submit(make_request(2, (ref,)))
    captions = drain(engine, 2)
    assert [c.error.type if c.error else None for c in captions] == ["ContextOverflow", None]
    assert "512" in captions[0].error.message  # type: ignore[union-attr]
    assert captions[0].text == ""


@pytest.mark.parametrize("prompt", ["What is here?", "word " * 60])
def test_a_request_without_a_frame_is_answered_from_its_prompt(
    random_checkpoint: Path, store: DictStore, listener: Listener, prompt: str
) -> None:
    """The second is longer than a slot: it waits until nothing runs, and gets a longer one."""
    engine = start(random_checkpoint, store, listener)
    requests = [make_request(n, (store.add(make_frame(n)),)) for n in range(3)]
    requests.insert(1, make_request(9, (), prompt, max_new_tokens=20))
    for request in requests:
        engine.submit(request)
    captions = {caption.key: caption for caption in drain(engine, 4)}
    network = InternVLForConditionalGeneration.from_pretrained(random_checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(random_checkpoint)
    text = f"<|im_start|>user\n{prompt.strip()}<|im_end|>\n<|im_start|>assistant\n"
    inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    output = network.generate(**inputs, max_new_tokens=20, do_sample=False)
    new_ids = output[0, inputs["input_ids"].shape[1] :].tolist()
    caption = captions[requests[1].key]
    assert caption.error is None
    assert caption.text == tokenizer.decode(new_ids, skip_special_tokens=True).strip()
    assert (caption.prompt_tokens, caption.output_tokens) == (inputs["input_ids"].shape[1], len(new_ids))
    for request in requests:
        engine.submit(request)
        (alone,) = drain(engine, 1)
        assert alone == captions[request.key]


def test_what_a_sequence_may_hold_is_told(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    engine = LocalEngine(ModelSettings(model=str(random_checkpoint), device="cpu"), store, listener)
    limit = engine.start().max_context_tokens
    assert limit == MAX_CONTEXT_TOKENS
    engine.submit(make_request(1, (), max_new_tokens=1))
    overhead = drain(engine, 1)[0].prompt_tokens - len("What is here?")
    for number, num_letters in enumerate((limit - 8 - overhead, limit - 7 - overhead)):
        engine.submit(make_request(number, (), "x" * num_letters, max_new_tokens=8))
    captions = drain(engine, 2)
    assert {c.key.scene: c.error.type if c.error else None for c in captions} == {
        0: None, 1: "ContextOverflow",
    }  # fmt: skip


class FailAt(TorchDispatchMode):
    """Raises at the n-th operation, once or from then on, and watches what the failed batch had made."""

    def __init__(self, error: Exception, at: int, once: bool) -> None:
        super().__init__()
        self.error, self.at, self.once = error, at, once
        self.num_operations = 0
        self.made: list[weakref.ref[torch.Tensor]] = []
        self.num_held_at_retry: int | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.num_operations += 1
        if self.num_operations == self.at or (self.num_operations > self.at and not self.once):
            raise type(self.error)(*self.error.args)
        if self.num_operations == self.at + 1:
            self.num_held_at_retry = sum(ref() is not None for ref in self.made)
        output = func(*args, **(kwargs or {}))
        is_new = all(
            output is not argument for argument in args
        )  # `.to` may hand back a buffer of the network
        if self.num_operations < self.at and isinstance(output, torch.Tensor) and is_new:
            self.made.append(weakref.ref(output))
        return output


REAL_ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"
    ),
]


def run_failing(
    engine: LocalEngine, requests: Sequence[Request], mode: FailAt, listener: Listener
) -> list[Caption]:
    for request in requests:
        engine.submit(request)
    captions: list[Caption] = []
    for _ in range(100):
        with mode:
            captions += engine.poll(0.0)
        if len(captions) == len(requests):
            return sorted(captions, key=lambda caption: caption.key)
    raise AssertionError(f"{len(captions)} of {len(requests)} captions")


@pytest.mark.parametrize(
    ("error", "once"),
    [*((error, True) for error in REAL_ERRORS), (REAL_ERRORS[0], False)],
    ids=["cuda-once", "python-once", "cpu-once", "cuda-from-then-on"],
)
def test_memory_that_runs_out_at_any_operation_loses_nothing(
    random_checkpoint: Path, store: DictStore, listener: Listener, error: Exception, once: bool
) -> None:
    count = 4 if once else 2
    requests = [make_request(n, (store.add(make_frame(n)),), max_new_tokens=2) for n in range(count)]
    engine = start(random_checkpoint, store, listener)
    counting = FailAt(error, at=10**9, once=True)
    expected = run_failing(engine, requests, counting, listener)
    assert all(c.error is None for c in expected)
    step = max(1, counting.num_operations // (2 if not once else 6 if error is REAL_ERRORS[0] else 2))
    for at in range(1, counting.num_operations + 1, step):
        engine = start(random_checkpoint, store, listener)
        listener.events.clear()
        mode = FailAt(error, at, once)
        captions = run_failing(engine, requests, mode, listener)
        assert [c.key for c in captions] == sorted(r.key for r in requests)
        assert sum(stats.num_oom_retries for stats in listener.stats) >= 1
        if once:
            assert captions == expected
        else:
            assert {c.error.type for c in captions if c.error} == {"OutOfMemory"}
            assert all(c.error for c in captions)


def test_a_poison_frame_costs_its_own_caption_only(
    random_checkpoint: Path, store: DictStore, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [make_request(n, (store.add(make_frame(n)),)) for n in range(8)]
    engine = start(random_checkpoint, store, listener, batch_size=8)
    for request in requests:
        engine.submit(request)
    expected = drain(engine, 8)
    from corridor_cli.engine.local import generator

    def cut_or_fail(frame: torch.Tensor, rule: TileRule) -> torch.Tensor:
        if torch.equal(frame, torch.tensor(store.frames[5])):
            raise RuntimeError("The size of tensor a (3) must match the size of tensor b (5)")
        return cut_tiles(frame, rule)

    monkeypatch.setattr(generator, "cut_tiles", cut_or_fail)
    listener.events.clear()
    for request in requests:
        engine.submit(request)
    captions = drain(engine, 8)
    assert [c.key.scene for c in captions if c.error] == [5]
    by_key = {c.key: c for c in expected}
    assert all(caption == by_key[caption.key] for caption in captions if not caption.error)


def test_a_broken_cuda_context_asks_for_a_new_process(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    engine = start(random_checkpoint, store, listener)
    engine.submit(make_request(1, (store.add(make_frame(1)),)))
    error = torch.AcceleratorError("CUDA error: device-side assert triggered")
    with FailAt(error, at=5, once=True), pytest.raises(DeviceLostError, match="device-side assert"):
        engine.poll(0.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, FailureKind.OUT_OF_MEMORY) for error in REAL_ERRORS),
        (torch.AcceleratorError("CUDA error: out of memory"), FailureKind.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), FailureKind.OUT_OF_MEMORY),
        (torch.AcceleratorError("CUDA error: an illegal memory access was"), FailureKind.DEVICE_LOST),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when"), FailureKind.DEVICE_LOST),
        (RuntimeError("The size of tensor a must match"), FailureKind.REQUEST),
        (ValueError("out of memory of words"), FailureKind.REQUEST),
    ],
)
def test_foreign_errors_are_told_apart(error: Exception, kind: FailureKind) -> None:
    assert failure_kind(error) is kind


def test_an_allocation_that_really_fails_is_told_apart() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert failure_kind(caught.value) is FailureKind.OUT_OF_MEMORY


def test_a_start_that_has_no_memory_says_so(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    with FailAt(torch.OutOfMemoryError("CUDA out of memory."), at=400, once=False), pytest.raises(ModelError):
        start(random_checkpoint, store, listener)


def test_loading_needs_no_network(
    random_checkpoint: Path, store: DictStore, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    engine = start(random_checkpoint, store, listener)
    engine.submit(make_request(1, (store.add(make_frame(1)),)))
    assert drain(engine, 1)[0].error is None


@pytest.mark.parametrize("device", ["cuda:97", "tpu", "cuda:", "cuda:x", "gpu:0"])
def test_a_device_that_is_not_there_is_refused(
    random_checkpoint: Path, store: DictStore, listener: Listener, device: str
) -> None:
    with pytest.raises(ModelError, match="cpu"):
        start(random_checkpoint, store, listener, device=device)


def test_the_small_model_is_fp32_and_says_what_was_chosen(
    random_checkpoint: Path, store: DictStore, listener: Listener
) -> None:
    engine = LocalEngine(ModelSettings(model=str(random_checkpoint), device="cpu"), store, listener)
    info = engine.start()
    assert info.dtype == "float32"
    assert info.seconds_per_request is not None
    assert info.seconds_per_request > 0
    assert [reason.partition(":")[0] for reason in info.reasons] == [
        "device", "precision", "threads", "attention", "batch size", "together",
    ]  # fmt: skip
    assert info.environment["checkpoint"] == read_checkpoint(str(random_checkpoint), None).identity


def test_tensors_missing_from_the_weights_are_refused(
    random_checkpoint: Path, store: DictStore, listener: Listener, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "checkpoint"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["multi_modal_projector.linear_1.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors, such as .*linear_1\.weight"):
        start(folder, store, listener)
