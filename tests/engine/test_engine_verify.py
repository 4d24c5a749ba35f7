"""`verify` says yes to an engine that is right, and no to one that is wrong in any of the usual ways."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_samples import make_frame, write_json
from PIL import Image

from corridor_cli.engine.checkpoint import CheckpointInfo, read_checkpoint
from corridor_cli.engine.reference import LocalCaptioner, TransformersReference, opened
from corridor_cli.engine.verify import (
    Answer,
    Question,
    ReferenceAnswer,
    Verdict,
    compare,
    first_difference,
    verify,
)
from corridor_cli.engine.verify_frames import draw_frame, frames_to_show
from corridor_cli.errors import UsageError
from corridor_cli.settings import ModelSettings, Precision

FRAMES = tuple((f"drawn {number + 1}", draw_frame(number)) for number in range(3))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As a run has it with a small model: two threads of one mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def judge(
    good: CheckpointInfo, make_own: Callable[[], LocalCaptioner], dtype: str = "float32", max_tiles: int = 3
) -> Verdict:
    def reference() -> TransformersReference:
        return TransformersReference(good, "cpu", getattr(torch, dtype), max_tiles)

    question = Question("What is here?", FRAMES, 8)
    return verify(lambda: opened(reference), lambda: opened(make_own), question, dtype)


def settings_for(path: Path | str, max_tiles: int = 3, precision: Precision = "fp32") -> ModelSettings:
    return ModelSettings(model=str(path), device="cpu", precision=precision, max_tiles=max_tiles)


def own(path: Path | str, max_tiles: int = 3, precision: Precision = "fp32") -> LocalCaptioner:
    return LocalCaptioner(settings_for(path, max_tiles, precision))


@pytest.fixture(params=["tiny", "random"])
def info(request: pytest.FixtureRequest) -> CheckpointInfo:
    folder = "tiny" if request.param == "tiny" else str(request.getfixturevalue("random_checkpoint"))
    return read_checkpoint(folder, None)


@pytest.mark.parametrize("max_tiles", [1, 3])
def test_a_right_engine_is_trusted(info: CheckpointInfo, max_tiles: int) -> None:
    verdict = judge(info, lambda: own(info.path, max_tiles), max_tiles=max_tiles)
    assert verdict.is_trusted, verdict
    assert (verdict.num_same_first_tokens, verdict.num_same_captions) == (3, 3)
    assert all(frame.own_text == frame.reference_text for frame in verdict.frames)


class SwappedChannels(LocalCaptioner):
    """Takes blue for red."""

    def answer(self, prompt: str, frames: Sequence[np.ndarray], max_new_tokens: int) -> list[Answer]:
        return super().answer(prompt, [frame[..., ::-1].copy() for frame in frames], max_new_tokens)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_swapped_channels_are_caught(precision: Precision, dtype: str) -> None:
    tiny = read_checkpoint("tiny", None)
    verdict = judge(tiny, lambda: SwappedChannels(settings_for("tiny", 3, precision)), dtype)
    assert not verdict.is_trusted
    assert judge(tiny, lambda: own("tiny", precision=precision), dtype).is_trusted


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["text_config"]["rope_parameters"].update(rope_theta=10_000.0),
        lambda config: config["text_config"].update(rms_norm_eps=0.5),
        lambda config: config["vision_config"].update(layer_norm_eps=50.0),
    ],
    ids=["rope_theta", "text norm", "vision norm"],
)
def test_a_wrong_number_in_the_network_is_caught(change: Callable[[Any], None], tmp_path: Path) -> None:
    tiny = read_checkpoint("tiny", None)
    folder = Path(shutil.copytree(tiny.path, tmp_path / "changed"))
    config = json.loads((folder / "config.json").read_text())
    change(config)
    write_json(folder / "config.json", config)
    assert not judge(tiny, lambda: own(folder)).is_trusted


def test_other_pixels_are_caught(tmp_path: Path) -> None:
    tiny = read_checkpoint("tiny", None)
    folder = Path(shutil.copytree(tiny.path, tmp_path / "changed"))
    pixels = json.loads((folder / "preprocessor_config.json").read_text())
    write_json(folder / "preprocessor_config.json", {**pixels, "image_mean": [0.5, 0.5, 0.5]})
    assert not judge(tiny, lambda: own(folder)).is_trusted
    assert not judge(tiny, lambda: own("tiny", max_tiles=1)).is_trusted, "one tile in place of three"


def test_the_reference_is_gone_before_our_engine_comes() -> None:
    alive: list[weakref.ref[Any]] = []

    class Watched(LocalCaptioner):
        def __init__(self, *arguments: Any) -> None:
            assert [ref() for ref in alive] == [None]
            super().__init__(*arguments)

    tiny = read_checkpoint("tiny", None)

    def reference() -> TransformersReference:
        made = TransformersReference(tiny, "cpu", torch.float32, 1)
        alive.append(weakref.ref(made._network))
        return made

    question = Question("What?", FRAMES[:1], 2)
    gc.disable()  # only what verify itself lets go of and collects counts
    try:
        verify(
            lambda: opened(reference),
            lambda: opened(lambda: Watched(settings_for("tiny", 1))),
            question,
            "float32",
        )
    finally:
        gc.enable()


def answers(
    logits: list[list[float]], own_tokens: tuple[int, ...], own_first: list[float] | None = None
) -> tuple[ReferenceAnswer, Answer]:
    steps = torch.tensor(logits)
    chosen = tuple(steps.argmax(dim=1).tolist())
    found = Answer(torch.tensor(own_first or logits[0]), own_tokens, "own")
    return ReferenceAnswer(steps[0], chosen, "reference", steps), found


CLEAR, TIED = [0.0, 5.0, 1.0, -5.0], [0.0, 5.0, 4.9, -5.0]


@pytest.mark.parametrize(
    ("steps", "own_tokens", "is_fine_in_fp32", "is_fine_in_bf16"),
    [
        ([CLEAR, CLEAR], (1, 1), True, True),
        ([CLEAR, TIED], (1, 2), False, True),
        ([CLEAR, CLEAR], (1, 2), False, False),
        ([CLEAR, TIED, CLEAR], (1, 2, 3), False, True),
        ([CLEAR, CLEAR, TIED], (1, 2, 2), False, False),
        ([CLEAR, CLEAR], (1,), False, False),
        ([CLEAR], (1, 1), False, False),
        ([CLEAR], (), False, False),
    ],
)
def test_a_token_may_differ_only_in_16_bits_and_only_at_a_near_tie(
    steps: list[list[float]], own_tokens: tuple[int, ...], is_fine_in_fp32: bool, is_fine_in_bf16: bool
) -> None:
    pair = answers(steps, own_tokens)
    assert compare("x", *pair, "float32").is_fine == is_fine_in_fp32
    assert compare("x", *pair, "bfloat16").is_fine == is_fine_in_bf16


def test_logits_far_apart_are_not_fine_though_every_token_is_the_same() -> None:
    pair = answers([CLEAR], (1,), own_first=[0.0, 5.0, 2.5, -5.0])
    assert first_difference(pair[0].token_ids, pair[1].token_ids) is None
    for dtype in ("float32", "bfloat16"):
        compared = compare("x", *pair, dtype)
        assert compared.is_same_first_token
        assert not compared.is_fine
    nothing = answers([CLEAR], (1,), own_first=[float("nan")] * 4)
    assert not compare("x", *nothing, "bfloat16").is_fine


def test_nothing_compared_is_nothing_trusted() -> None:
    @contextmanager
    def nobody() -> Iterator[Any]:
        class Nobody:
            def answer(self, *arguments: Any) -> list[Answer]:
                return []

        yield Nobody()

    assert not verify(nobody, nobody, Question("What?", (), 1), "float32").is_trusted


def test_frames_of_a_folder_come_in_natural_order_and_no_larger_than_asked(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        Image.fromarray(make_frame(number, 300, 200)).save(tmp_path / f"f{number}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    frames = frames_to_show(tmp_path, 2, 15_000)
    assert [name for name, _ in frames] == ["f1.png", "f9.png"]
    assert all(frame.shape == (100, 150, 3) and frame.dtype == np.uint8 for _, frame in frames)
    ((_, whole),) = frames_to_show(tmp_path, 1, 10**6)
    assert np.array_equal(whole, make_frame(1, 300, 200))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no picture"):
        frames_to_show(tmp_path, 1, 10**6)
    with pytest.raises(UsageError, match="is no folder"):
        frames_to_show(tmp_path / "none", 1, 10**6)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        frames_to_show(tmp_path, 1, 10**6)


def test_drawn_frames_are_the_same_every_time_and_differ_from_each_other() -> None:
    assert all(np.array_equal(draw_frame(n), frame) for n, (_, frame) in enumerate(FRAMES))
    assert len({frame.tobytes() for _, frame in FRAMES}) == len(FRAMES)


def test_a_picture_can_be_handed_to_torch_without_a_warning(tmp_path: Path) -> None:
    Image.new("RGB", (9, 5), "red").save(tmp_path / "a.png")
    ((_, frame),) = frames_to_show(tmp_path, 1, 10_000)
    assert frame.flags.writeable
