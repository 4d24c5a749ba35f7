"""What the model is asked: named templates, and the variables in them.

`caption.prompt` is a text, or `@` and the name of a template (one of `caption.templates`, or a bundled one),
or `@` and the path of a file. Settings that are loaded hold the text itself (`resolve`), so whoever uses them
needs no names. A text may have variables in braces, filled in for each request (`fill`); `{{` is a brace.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from string import Formatter

from corridor_cli.printable import printable, shortened
from corridor_cli.settings import DEFAULT_PROMPT, CaptionSettings
from corridor_cli.small_files import SmallFileError, read_small_file

VARIABLES: Mapping[str, str] = {
    "name": "the video's file name",
    "scene_index": "the scene's number, counted from 1",
    "start": "where the scene starts, HH:MM:SS.mmm",
    "end": "where it ends, HH:MM:SS.mmm",
    "duration": "its length in seconds, to a tenth",
    "language": "caption.language",
    "transcript": "what is said during the scene, from caption.transcripts",
}

# The first text is about one frame, the second about the frames of a scene in order.
BUNDLED: Mapping[str, tuple[str, str]] = {
    "general": (
        DEFAULT_PROMPT,
        "These frames are from one scene of a video, in order. Describe in one or two sentences what can be "
        "seen and what happens.",
    ),
    "dense": (
        "Describe this video frame in detail: every subject with its look, position and pose; what they do; "
        "the setting, the light, the colours, the framing and the camera angle; and any readable text, "
        "quoted. Write one plain paragraph and state only what can be seen.",
        "These frames are from one scene of a video, in order. Describe the scene in detail: every subject "
        "with its look, position and pose; what they do and how it changes from frame to frame; the "
        "setting, the light, the colours, the framing and how the camera moves; and any readable text, "
        "quoted. Write one plain paragraph and state only what can be seen.",
    ),
    "accessibility": (
        "Describe this video frame for somebody who cannot see it: in one or two short sentences, in the "
        "present tense, what matters most first. Name people by what can be seen of them, read out any "
        "text, and do not guess.",
        "These frames are from one scene of a video, in order. Describe the scene for somebody who cannot "
        "see it: in one to three short sentences, in the present tense, what matters most first. Name "
        "people by what can be seen of them, read out any text, and do not guess.",
    ),
    "surveillance": (
        "This is a frame of a fixed camera. Report what can be seen: how many people and vehicles, what "
        "they look like, where they are and what they do, and anything left behind or out of place. Say so "
        "plainly if there is nobody. Do not guess who somebody is.",
        "These frames are from a fixed camera, in order. Report what can be seen and what changes: how many "
        "people and vehicles, what they look like, where they come from and go to, what they do, and "
        "anything left behind or out of place. Say so plainly if nothing happens. Do not guess who somebody "
        "is.",
    ),
    "archive": (
        "Describe this frame for an archive's catalogue: the kind of footage and shot, place and time as "
        "far as they can be seen, people and objects, the action, and readable text, quoted. Be factual "
        "and brief, and mark what is uncertain.",
        "These frames are from one scene of a video, in order. Describe it for an archive's catalogue: the "
        "kind of footage and shots, place and time as far as they can be seen, people and objects, the "
        "action from beginning to end, and readable text, quoted. Be factual and brief, and mark what is "
        "uncertain.",
    ),
}  # fmt: skip

_LIKELY = {
    "name": "a-video-of-the-harbour-2024.mp4",
    "scene_index": "123",
    "start": "00:12:34.567",
    "end": "00:12:40.321",
    "duration": "5.8",
    "language": "Portuguese",
    "transcript": "and so it is with most of what is said here " * 6,
}

_IN_LANGUAGE = " Answer in {language}."
_WITH_SPEECH = " Meanwhile one can hear: {transcript}"
_BRACES = "A brace that is meant is written twice: {{"
_MAX_FILE_BYTES = 64 * 1024


class PromptError(ValueError):
    """A prompt that cannot be used; the message says what was got and what is allowed. `setting` is the one
    that gives it."""

    def __init__(self, message: str, setting: str = "caption.prompt") -> None:
        super().__init__(message)
        self.setting = setting


def resolve(caption: CaptionSettings) -> CaptionSettings:
    """The settings with the text of their prompt in its place. Raises `PromptError`.

    Bundled templates are asked in `caption.language` and told what is said where those are set; a text of
    one's own is taken as it is.
    """
    for name, template in caption.templates.items():
        try:
            variables(template)
        except PromptError as error:
            raise PromptError(str(error), f"caption.templates.{name}") from None
    text = _text_of(caption)
    if not text.strip():
        raise PromptError("got an empty text, allowed: what the model is to be asked, or @ and a name")
    unset = {
        "language": caption.language is None,
        "transcript": caption.transcripts is None,
    }
    for name in variables(text):
        if unset.get(name):
            setting = "caption.language" if name == "language" else "caption.transcripts"
            raise PromptError(f"the prompt uses {{{name}}}, and {setting} is not set")
    return replace(caption, prompt=text)


def variables(text: str) -> tuple[str, ...]:
    """The variables a text uses, in order, each once. Raises `PromptError` for any that is not known."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError:
        raise PromptError(f"got '{shortened(text)}', whose braces do not match. {_BRACES}") from None
    found = [(name, spec, conversion) for _, name, spec, conversion in parsed if name is not None]
    for name, spec, conversion in found:
        given = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        if given not in VARIABLES:
            close = difflib.get_close_matches(name, VARIABLES, n=1)
            hint = f" Did you mean {{{close[0]}}}?" if close else f" {_BRACES}"
            allowed = ", ".join(f"{{{each}}}" for each in VARIABLES)
            raise PromptError(f"got the variable {{{shortened(given)}}}, allowed: {allowed}.{hint}")
    return tuple(dict.fromkeys(name for name, _, _ in found))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables replaced; braces inside of values are left alone."""
    return "".join(
        literal + ("" if name is None else values[name]) for literal, name, _, _ in Formatter().parse(text)
    )


def likely(text: str) -> str:
    """The text with values of a usual length in it, to plan by."""
    return fill(text, _LIKELY)


def template_name(caption: CaptionSettings) -> str:
    """How the resolved prompt is called: a name of `caption.templates`, a bundled one, or `custom`."""
    for name, text in caption.templates.items():
        if text == caption.prompt:
            return name
    for name in BUNDLED:
        if _bundled(name, caption) == caption.prompt:
            return name
    return "custom"


def _text_of(caption: CaptionSettings) -> str:
    given = caption.prompt
    if given == DEFAULT_PROMPT:
        return _bundled("general", caption)
    if not given.startswith("@"):
        return given
    name = given[1:]
    if name in caption.templates:
        return caption.templates[name]
    if name in BUNDLED:
        return _bundled(name, caption)
    if "/" in name or name.lower().endswith((".txt", ".md")):
        return _read(Path(name))
    known = [*caption.templates, *BUNDLED]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean @{close[0]}?" if close else ""
    raise PromptError(
        f"got '{shortened(given)}', allowed: a text, @ and the path of a text file, or one of "
        f"{', '.join(f'@{each}' for each in known)}.{hint}"
    )


def _bundled(name: str, caption: CaptionSettings) -> str:
    text = BUNDLED[name][caption.mode == "scene"]
    if caption.transcripts is not None:
        text += _WITH_SPEECH
    return text + _IN_LANGUAGE if caption.language is not None else text


def _read(path: Path) -> str:
    try:
        text = read_small_file(path, _MAX_FILE_BYTES).decode("utf-8-sig").strip()
    except SmallFileError as error:
        raise PromptError(f"{printable(path)} {error}") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{printable(path)} is not UTF-8 (byte {error.start})") from error
    if not text:
        raise PromptError(f"{printable(path)} is empty, allowed: a file with the text of a prompt")
    return text
