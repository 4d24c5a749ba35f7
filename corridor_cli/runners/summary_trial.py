"""What a summary costs with this model: asked as a run asks, of captions that the trial made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice

from corridor_cli.hosts.hosted_engine import HostedEngine
from corridor_cli.pipeline.summing import (
    MAX_BYTES,
    MIN_BYTES,
    OVERFLOW,
    caption_line,
    chunked,
    summary_question,
)
from corridor_cli.records import Caption, Request, RequestKey
from corridor_cli.runners.amounts import Amount
from corridor_cli.runners.forecast_summaries import SummaryCost
from corridor_cli.settings import CaptionSettings

MAX_TOGETHER = 4
_TICK_SECONDS = 0.25
# The first one may wait for longer slots; where it was short it is asked again, and that counts.
_SHORT_SECONDS = 3.0
# A summary's length is the model's own; nothing in a few of one video says how those of others differ.
_SPREAD = 0.3


@dataclass(frozen=True, slots=True)
class SummaryTask:
    """What to try: a video of `num_scenes` scenes, and as many of its kind as `num_together`."""

    num_scenes: int
    num_together: int


def try_summaries(
    engine: HostedEngine,
    keys: Iterator[RequestKey],
    texts: Sequence[str],
    task: SummaryTask,
    settings: CaptionSettings,
) -> SummaryCost | None:
    """Ask for summaries of captions like `texts`; None where none could be made. Raises `ModelError`."""
    lines = [
        caption_line(Fraction(number), text)
        for number, text in enumerate(islice(cycle(texts), max(1, task.num_scenes)))
    ]
    number, max_bytes, is_again = min(task.num_together, MAX_TOGETHER), MAX_BYTES, False
    while True:
        parts = chunked(lines, max_bytes)
        prompt, generation = summary_question(parts[0], settings, is_last=len(parts) == 1)
        began = time.monotonic()
        answers = _ask(engine, [Request(next(keys), prompt, (), generation) for _ in range(number)])
        seconds = time.monotonic() - began
        if (
            any(answer.error and answer.error.type == OVERFLOW for answer in answers)
            and max_bytes > MIN_BYTES
        ):
            max_bytes //= 2
        elif seconds > _SHORT_SECONDS or is_again:
            break
        else:
            is_again = True
    good = [answer for answer in answers if answer.error is None]
    if not good:
        return None
    tokens = sum(answer.output_tokens for answer in good) / len(good)
    return SummaryCost(
        seconds=Amount(seconds / number, _SPREAD * seconds / number),
        tokens=Amount(tokens, _SPREAD * tokens),
        characters=sum(len(answer.text) for answer in good) / len(good),
        latency_seconds=seconds,
        max_bytes=max_bytes,
    )


def _ask(engine: HostedEngine, requests: Sequence[Request]) -> list[Caption]:
    waiting = list(requests)
    answers: list[Caption] = []
    while len(answers) < len(requests):
        while waiting and engine.num_free:
            engine.submit(waiting.pop(0))
        answers += engine.poll(_TICK_SECONDS)
    return answers
