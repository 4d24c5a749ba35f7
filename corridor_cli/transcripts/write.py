"""What was heard as SubRip, where `find.py` looks for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from corridor_cli.records import SpokenLine

# pysubs2 reads `\N` as the end of a line, and SubRip has no escapes for marks.
_TEXT = str.maketrans({"\\": "⧵", "{": "(", "}": ")", "<": "‹", ">": "›"})


def transcript_path(folder: Path, relative: str) -> Path:
    """Where the transcript of the video at `relative` below the input stands in a folder of transcripts."""
    return folder / PurePosixPath(relative).with_suffix(".srt")


def transcript_srt(lines: Iterable[SpokenLine]) -> bytes:
    """The lines as SubRip in UTF-8, times rounded to a millisecond."""
    import pysubs2

    cues = pysubs2.SSAFile()
    for line in lines:
        start, end = round(line.start * 1000), round(line.end * 1000)
        cues.append(pysubs2.SSAEvent(start=start, end=end, text=line.text.translate(_TEXT)))
    return cues.to_string("srt").encode("utf-8", "replace")
