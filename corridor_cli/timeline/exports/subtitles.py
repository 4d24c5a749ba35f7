"""SubRip and WebVTT, written by pysubs2: a cue for each scene that has a caption.

pysubs2 reads `\\N` as the end of a line, as SubStation does: in captions a backslash is a backslash, so it
travels as a character that no text can hold.
"""

from __future__ import annotations

import pysubs2

from corridor_cli.timeline.exports.document import Video, text_of
from corridor_cli.timeline.exports.plain import text_lines

_BACKSLASH = "\ufdd0"
MAX_MILLISECONDS = 100 * 3_600_000 - 1
"""99:59:59.999: SubRip has two digits for hours. A cue that begins later is left out."""

# SubRip has no escapes. Players take <b>, {\an8} and {y:i} for marks, and a line with an arrow between two
# times for a cue.
_SRT = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
# WebVTT has: cue text cannot hold a tag or an arrow then.
_VTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_srt(video: Video) -> bytes:
    """The captions as SubRip; `<>{}` become `‹›()`."""
    return _render(video, "srt", _SRT)


def render_vtt(video: Video) -> bytes:
    """The captions as WebVTT, escaped."""
    return _render(video, "vtt", _VTT)


def _render(video: Video, kind: str, escapes: dict[int, str]) -> bytes:
    cues = pysubs2.SSAFile()
    for scene in video.scenes:
        start = round(scene["start"] * 1000)
        lines = text_lines(text_of(scene["caption"]) or "")
        if lines and start < MAX_MILLISECONDS:
            # A cue has a length, also that of a scene of one frame at the end of the file.
            end = min(max(round(scene["end"] * 1000), start + 1), MAX_MILLISECONDS)
            text = "\\N".join(line.translate(escapes).replace("\\", _BACKSLASH) for line in lines)
            cues.append(pysubs2.SSAEvent(start=start, end=end, text=text))
    # Tags are kept as they stand: there are none of ours, and those of a caption are its text.
    written = cues.to_string(kind, keep_ssa_tags=True)
    # A file of nothing at all would count as one that was never finished (`keep.py`).
    return (written.replace(_BACKSLASH, "\\") or "\n").encode("utf-8")
