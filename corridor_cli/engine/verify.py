"""Compares the own engine with transformers on one checkpoint, and says whether it may be trusted.

The same frames and the same question go to both. First the reference answers, then it is closed and the own
engine opened, so that only one network is in memory at a time.

In fp32 every first token and every caption must be the same. In 16 bits the two round in different places,
so a differing token counts as fine where the reference's own logits had it within `NEAR_TIE` of the chosen
one; beyond that token the captions go separate ways and say nothing more. In either the logits must be
near: two networks that merely choose the same token are not the same. int8 is held against bf16, or fp32
where that is the faster: there the limits say what is a loss worth knowing of, not what rounding can do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from corridor_cli.records import Pixels

# A near tie: a gap between two logits of at most so many standard deviations of all the step's logits.
NEAR_TIE = {"float32": 0.0, "float16": 0.05, "bfloat16": 0.25, "int8": 0.5}

# How far the first step's logits may lie apart: root mean square over the reference's standard deviation.
MAX_RELATIVE_DIFFERENCE = {"float32": 0.01, "float16": 0.03, "bfloat16": 0.1, "int8": 0.3}


@dataclass(frozen=True, slots=True)
class Answer:
    """One caption: the logits of its first step (vocabulary,), its new token ids and their text."""

    first_logits: torch.Tensor
    token_ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ReferenceAnswer(Answer):
    """An answer with the logits of every step: float32 (steps, vocabulary), on the CPU."""

    step_logits: torch.Tensor


class OwnCaptioner(Protocol):
    """The engine under test: all questions at once, in batches of its own choice."""

    def answer(self, prompt: str, frames: Sequence[Pixels], max_new_tokens: int) -> list[Answer]:
        """One answer for each frame, uint8 (height, width, 3)."""
        ...


class ReferenceCaptioner(Protocol):
    """What it is compared with: one question at a time."""

    def answer(self, prompt: str, frame: Pixels, max_new_tokens: int) -> ReferenceAnswer: ...


@dataclass(frozen=True, slots=True)
class FrameComparison:
    """How the two agreed on one frame.

    `first_difference` is the step of the first differing token, None when the captions are the same; `gap` is
    how far apart the reference had those two tokens, in standard deviations of its logits at that step.
    """

    name: str
    max_difference: float
    relative_difference: float
    is_same_first_token: bool
    first_difference: int | None
    gap: float | None
    reference_text: str
    own_text: str
    is_fine: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """All comparisons, and whether the engine may be trusted with the checkpoint."""

    dtype: str
    near_tie: float
    max_relative_difference: float
    frames: tuple[FrameComparison, ...]

    @property
    def is_trusted(self) -> bool:
        return bool(self.frames) and all(frame.is_fine for frame in self.frames)

    @property
    def num_same_first_tokens(self) -> int:
        return sum(frame.is_same_first_token for frame in self.frames)

    @property
    def num_same_captions(self) -> int:
        return sum(frame.first_difference is None for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Question:
    """What both are asked: a prompt, the named frames, and the length of the answer."""

    prompt: str
    frames: tuple[tuple[str, Pixels], ...]
    max_new_tokens: int


def verify(
    open_reference: Callable[[], AbstractContextManager[ReferenceCaptioner]],
    open_own: Callable[[], AbstractContextManager[OwnCaptioner]],
    question: Question,
    dtype: str,
) -> Verdict:
    """Ask both, one after the other, and compare. `dtype` is a key of `NEAR_TIE`."""
    pictures = [frame for _, frame in question.frames]
    with open_reference() as reference:
        expected = [
            reference.answer(question.prompt, picture, question.max_new_tokens) for picture in pictures
        ]
        del reference
    with open_own() as own:
        found = own.answer(question.prompt, pictures, question.max_new_tokens)
        del own
    names = [name for name, _ in question.frames]
    compared = tuple(
        compare(name, wanted, got, dtype) for name, wanted, got in zip(names, expected, found, strict=True)
    )
    return Verdict(dtype, NEAR_TIE[dtype], MAX_RELATIVE_DIFFERENCE[dtype], compared)


def compare(name: str, expected: ReferenceAnswer, found: Answer, dtype: str) -> FrameComparison:
    """Compare two answers about one frame."""
    first, own_first = expected.first_logits.float(), found.first_logits.float()
    difference = (own_first - first).abs()
    relative = float((difference.square().mean().sqrt() / first.std()).item())
    is_same = int(first.argmax()) == int(own_first.argmax())
    step = first_difference(expected.token_ids, found.token_ids)
    gap = None if step is None else _gap(expected, found, step)
    first_gap = 0.0 if is_same else _gap_at(first, int(own_first.argmax()))
    is_fine = (
        relative <= MAX_RELATIVE_DIFFERENCE[dtype]
        and first_gap <= NEAR_TIE[dtype]
        and (step is None or (NEAR_TIE[dtype] > 0 and gap is not None and gap <= NEAR_TIE[dtype]))
    )
    return FrameComparison(
        name=name,
        max_difference=float(difference.max()),
        relative_difference=relative,
        is_same_first_token=is_same,
        first_difference=step,
        gap=gap,
        reference_text=expected.text,
        own_text=found.text,
        is_fine=is_fine,
    )


def first_difference(expected: Sequence[int], found: Sequence[int]) -> int | None:
    """The position of the first token that differs, the end of the shorter one included."""
    for step, (wanted, got) in enumerate(zip(expected, found, strict=False)):
        if wanted != got:
            return step
    return None if len(expected) == len(found) else min(len(expected), len(found))


def _gap(expected: ReferenceAnswer, found: Answer, step: int) -> float | None:
    """The gap at a differing step; None where one of the two has no token there, so nothing can excuse it."""
    if step >= min(len(expected.token_ids), len(found.token_ids)):
        return None
    return _gap_at(expected.step_logits[step], found.token_ids[step])


def _gap_at(logits: torch.Tensor, token: int) -> float:
    """How far the token lies below the best one, in standard deviations. Logits are (vocabulary,)."""
    logits = logits.float()
    return float(((logits.max() - logits[token]) / logits.std()).item())
