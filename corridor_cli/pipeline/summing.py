"""A video's summary from its captions, by text alone; where they are many, from summaries of their parts."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from corridor_cli.pipeline.video import VideoWork
from corridor_cli.records import ErrorInfo, Generation, Request, RequestKey
from corridor_cli.settings import CaptionSettings
from corridor_cli.timeline.answers import read_answer
from corridor_cli.timeline.parts import Summary
from corridor_cli.timeline.summary import (
    PART_REQUEST,
    SUMMARY_JSON_REQUEST,
    SUMMARY_REQUEST,
    SUMMARY_SCHEMA,
    is_cut_off,
    read_summary,
)
from corridor_cli.timeline.text import caption_text
from corridor_cli.timeline.timecode import timecode

_STAGE = "summary"
_NUM_TOKENS = 256
_RETRY_PENALTY = 1.3
_AGAIN = ".again"

# Two bytes make a token at most, for all but rare scripts; a model that can hold less says so.
MAX_BYTES = 12_000
MIN_BYTES = 400
_LINES_EACH = 4

# Overflows of an engine's context, by the name its error has.
OVERFLOW = "ContextOverflow"


class Summarizer:
    """Asks for the summary of each video, step by step, as `settings` say.

    What is asked follows from the captions alone, so a run that goes on finds its steps in the log.
    """

    def __init__(self, settings: CaptionSettings) -> None:
        self._settings = settings

    def requests(self, video: VideoWork) -> list[Request]:
        """The steps that can be asked now that all captions are there; none once nothing is left to ask."""
        if not self._settings.summary:
            return []
        steps = self._steps(video)
        missing = [step for step in steps if step.key.part not in video.summary]
        return missing or self._second_try(video, steps)

    def outcome(self, video: VideoWork) -> tuple[Summary | None, ErrorInfo | None]:
        """What became of the summary: it, or why there is none; neither where none was wanted."""
        if not self._settings.summary:
            return None, None
        steps = self._steps(video)
        if not steps:
            return None, None
        parts = [part for step in steps for part in (step.key.part, step.key.part + _AGAIN)]
        answers = [video.summary[part] for part in parts if part in video.summary]
        found = [answer.error or read_summary(answer) for answer in answers]
        summaries = [each for each in found if isinstance(each, Summary)]
        if summaries and len(steps) == 1:  # several are parts of what is summed up, and no summary
            return summaries[-1], None
        errors = [each for each in found if isinstance(each, ErrorInfo)]
        error = errors[-1] if errors else ErrorInfo(_STAGE, "Unanswered", "the run ended before it was made")
        return None, replace(error, stage=_STAGE)

    def _steps(self, video: VideoWork) -> list[Request]:
        """The requests of the first level that is not all answered, or has no answer to go on with; else the
        last one of all."""
        lines = list(self._captions(video))
        if not lines:
            return []
        budget, level = MAX_BYTES, 0
        while True:
            chunks = chunked(lines, budget)
            steps = [
                self._request(video, f"{level}.{number}", chunk, is_last=len(chunks) == 1)
                for number, chunk in enumerate(chunks)
            ]
            answers = [video.summary.get(step.key.part) for step in steps]
            errors = [answer.error for answer in answers if answer is not None and answer.error is not None]
            if any(error.type == OVERFLOW for error in errors) and budget > MIN_BYTES:
                budget //= 2
                continue
            if errors:
                return [step for step, answer in zip(steps, answers, strict=True) if answer and answer.error]
            if len(chunks) == 1 or None in answers:
                return steps
            level += 1
            lines = [caption_text(answer.text) for answer in answers if answer is not None]
            if not any(lines):
                return steps

    def _second_try(self, video: VideoWork, steps: Sequence[Request]) -> list[Request]:
        """The last step again, otherwise, where its answer is no summary."""
        if not self._settings.retry or len(steps) != 1:
            return []
        (step,) = steps
        answer, part = video.summary[step.key.part], step.key.part + _AGAIN
        if answer.error is not None or part in video.summary:
            return []
        if is_cut_off(answer):
            changed = replace(step.generation, max_new_tokens=2 * step.generation.max_new_tokens)
        elif isinstance(read_summary(answer), Summary):
            return []
        else:
            changed = replace(step.generation, repetition_penalty=_RETRY_PENALTY)
        return [replace(step, key=step.key._replace(part=part), generation=changed)]

    def _request(self, video: VideoWork, name: str, lines: Sequence[str], *, is_last: bool) -> Request:
        prompt, generation = summary_question(lines, self._settings, is_last=is_last)
        mark = zlib.crc32(prompt.encode("utf-8", "surrogatepass"))
        key = RequestKey(video.ordinal, -1, None, f"{name}.{mark:08x}")
        return Request(key, prompt, (), generation)

    def _captions(self, video: VideoWork) -> Iterator[str]:
        """A line for each scene with a caption that can be used; one that says the same again is left out."""
        if video.record is None:
            return
        before = None
        for scene in video.record.scenes:
            text = read_answer(video.caption_of(scene.index), self._settings).text
            if text and text != before:
                before = text
                yield caption_line(scene.start, text)


def caption_line(start: Fraction, text: str) -> str:
    """A scene's caption as a summary is told it."""
    return f"[{timecode(start)[:-4]}] {' '.join(text.split())}"


def summary_question(
    lines: Sequence[str], settings: CaptionSettings, *, is_last: bool
) -> tuple[str, Generation]:
    """What is asked about lines that fit one request, and how it is to be answered; the last one of a video
    gives its summary."""
    is_json = is_last and settings.format == "json"
    asked = (SUMMARY_JSON_REQUEST if is_json else SUMMARY_REQUEST) if is_last else PART_REQUEST
    language = settings.language
    prompt = asked.format(lines="\n".join(lines)) + (f"\nAnswer in {language}." if language else "")
    return prompt, Generation(_NUM_TOKENS, json_schema=SUMMARY_SCHEMA if is_json else None)


def chunked(lines: Sequence[str], budget: int) -> list[list[str]]:
    """The lines in order, in runs of at most `budget` bytes. Four or more go into each, cut where they are
    long, so that what is made of them is shorter than they are."""
    chunks: list[list[str]] = [[]]
    num_bytes = 0
    for line in lines:
        cut = line.encode("utf-8", "surrogatepass")[: budget // _LINES_EACH - 1].decode("utf-8", "ignore")
        size = len(cut.encode("utf-8")) + 1
        if num_bytes + size > budget:
            chunks.append([])
            num_bytes = 0
        chunks[-1].append(cut)
        num_bytes += size
    return chunks
