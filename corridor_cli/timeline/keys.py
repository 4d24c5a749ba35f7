"""The two keys that decide what may be reused: of a scan, and of a caption.

A key is a hash of everything that can change the result, so work done under the same key need not be done
again. What decides only how fast, where, or with which limits the work is done is in neither key:

* All of `decode`. Readers must agree on every pixel and time (a picture of another reader is used only when
  its checksum is the same). A limit that is hit makes a failed or partial document, which `--retry-failed`
  takes up again; raising a limit must not throw away every finished scan.
* Which pictures are saved, and how large. A change makes a document stale (`done.py`), but its scan and its
  captions are kept.
* Batch size, memory, workers, input filters, errors, output, logging.

The model, its revision and its precision reach `caption_key` as arguments: only the caller knows which files
`--model` means. Which precision `auto` becomes is measured by the engine, after the key is needed, so the key
says `auto` and the document what it became; a folder begun on one machine and ended on another may hold both.
`echo` is a set of drills (slow, fail, die) and in neither key; whatever else makes an engine answer
differently belongs in its identity.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import blake2b

from corridor_cli.prompts import variables
from corridor_cli.settings import CaptionSettings, FrameSettings, Settings

SCANNER_VERSION = 6
"""Raise it when the same file and settings give other scenes or other picks than before."""

KEYFRAME_SCANNER_VERSION = 4
"""The same for what concerns `scenes.scan: keyframes` alone: full scans keep their keys."""

CAPTIONER_VERSION = 3
"""Raise it when the same picture, model and prompt give another request to the model than before."""

KEY_BYTES = 16


def scan_key(fingerprint: str, settings: Settings, *, cuts: str | None = None) -> str:
    """Names the scan of one source: 32 hex digits.

    `cuts` is the mark of what a file says of this source's cuts. It counts instead of the file's path, and
    only where the cuts are taken from it: so one video's cuts can be mended without the others being touched.
    """
    scenes = asdict(settings.scenes)
    if settings.scenes.detector == "file":
        scenes["cuts"] = cuts
    else:
        del scenes["cuts"]
    if settings.scenes.scan == "full":
        del scenes["scan"]  # as it was before there was a choice: those scans still count
    else:
        scenes["keyframe_scanner"] = KEYFRAME_SCANNER_VERSION
    return _key(
        scanner=SCANNER_VERSION,
        fingerprint=fingerprint,
        scenes=scenes,
        inset_seconds=settings.frames.inset_seconds,
        duplicate_threshold=settings.frames.duplicate_threshold,
    )


def caption_key(
    scan: str,
    settings: Settings,
    *,
    model_identity: str,
    precision: str,
    name: str = "",
    transcript: str | None = None,
) -> str:
    """Names the captions of one scan: 32 hex digits.

    `name` of the video and `transcript`, the mark of what is said in it, count where the prompt tells them to
    the model: only then does renaming a video change what is asked.
    `model_identity` is whatever tells two models apart (engine, id, revision or a hash of the weights),
    `precision` is that of the settings; `auto` for a small model is `fp32`.
    """
    return _key(
        captioner=CAPTIONER_VERSION,
        scan=scan,
        model=model_identity,
        precision=precision,
        prompt=settings.caption.prompt,
        max_new_tokens=settings.caption.max_new_tokens,
        engine=settings.gpu_pipeline.internvl3.engine,
        max_tiles=settings.gpu_pipeline.internvl3.max_tiles,
        **_beyond_the_first(settings.caption, name, transcript),
    )


def _beyond_the_first(caption: CaptionSettings, name: str, transcript: str | None) -> dict[str, object]:
    """What came to the caption settings later, where it is not as it was before: other captions keep keys."""
    used = variables(caption.prompt)
    parts: dict[str, object] = {}
    if caption.mode != "frames":
        parts["mode"] = caption.mode
    if caption.format != "text":
        parts["format"] = caption.format
    if not caption.retry:
        parts["retry"] = False
    told = {"language": caption.language, "name": name, "transcript": transcript}
    return parts | {f"told_{each}": value for each, value in told.items() if each in used}


def pictures_label(frames: FrameSettings) -> str:
    """Names how picks are saved: `none`, `full`, or `thumbnails` with the longer side in px."""
    return f"thumbnails {frames.thumbnail_px} px" if frames.save == "thumbnails" else frames.save


def pictures_note(scan_key: str, label: str) -> bytes:
    """What the run state notes of a source's saved pictures: from which scan they are, and saved how."""
    return f"{scan_key} {label}".encode()


def _key(**parts: object) -> str:
    """Blake2b over canonical JSON; 60 and 60.0 are the same setting."""
    text = json.dumps({name: _plain(part) for name, part in parts.items()}, sort_keys=True)
    return blake2b(text.encode("ascii"), digest_size=KEY_BYTES).hexdigest()


def _plain(part: object) -> object:
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items()}
    return int(part) if isinstance(part, float) and part.is_integer() else part
