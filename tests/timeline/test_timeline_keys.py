"""Which setting changes which key, field by field: a new setting fails here until it is classified."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from corridor_cli.settings import FrameSettings, Settings
from corridor_cli.timeline.keys import caption_key, pictures_label, scan_key

SCAN = "scan"
CAPTION = "caption"
NEITHER = "neither"

CHANGES: dict[str, tuple[str, Any]] = {
    "input.include": (NEITHER, ("*.mp4",)),
    "input.exclude": (NEITHER, ("*.mov",)),
    "input.extensions": (NEITHER, ("mp4",)),
    "input.limit": (NEITHER, 3),
    "input.full_hash": (NEITHER, True),
    "decode.reader": (NEITHER, "pyav"),
    "decode.device": (NEITHER, "cpu"),
    "decode.workers": (NEITHER, 3),
    "decode.threads": (NEITHER, 3),
    "decode.stall_seconds": (NEITHER, 5.0),
    "decode.max_seconds": (NEITHER, 5.0),
    "decode.max_pixels": (NEITHER, 1000),
    "decode.max_frames": (NEITHER, 1000),
    "decode.max_duration_seconds": (NEITHER, 60.0),
    "decode.max_file_bytes": (NEITHER, 1000),
    "decode.max_decoded_bytes": (NEITHER, 1000),
    "decode.max_memory_bytes": (NEITHER, 2**30),
    "scenes.detector": (SCAN, "content"),
    "scenes.cuts": (NEITHER, "cuts/"),  # reaches it as the mark of what the file says, with the detector file
    "scenes.scan": (SCAN, "keyframes"),
    "scenes.threshold": (SCAN, 27.0),
    "scenes.min_scene_seconds": (SCAN, 1.0),
    "scenes.max_scene_seconds": (SCAN, None),
    "scenes.interval_seconds": (SCAN, 5.0),
    "scenes.transitions": (SCAN, False),
    "frames.inset_seconds": (SCAN, 0.2),
    "frames.duplicate_threshold": (SCAN, 0.0),
    "frames.save": (NEITHER, "full"),
    "frames.thumbnail_px": (NEITHER, 640),
    "frames.max_saved_bytes": (NEITHER, 1),
    "gpu_pipeline.internvl3.model": (NEITHER, "tiny"),  # reaches the key as model_identity
    "gpu_pipeline.internvl3.revision": (NEITHER, "main"),  # likewise
    "gpu_pipeline.internvl3.load_format": (NEITHER, "dummy"),  # reaches it as model_identity
    "gpu_pipeline.internvl3.preset": (NEITHER, "internvl3-1b"),  # likewise
    "gpu_pipeline.internvl3.engine": (CAPTION, "echo"),
    "gpu_pipeline.internvl3.device": (NEITHER, "cpu"),
    "gpu_pipeline.internvl3.batch_size": (NEITHER, 4),
    "gpu_pipeline.internvl3.max_batch_size": (NEITHER, 4),
    "gpu_pipeline.internvl3.enable_batch_processing": (NEITHER, False),
    "gpu_pipeline.internvl3.async_frame_loading": (NEITHER, False),
    "gpu_pipeline.internvl3.memory_optimization": (NEITHER, False),
    "gpu_pipeline.internvl3.gpu_memory_fraction": (NEITHER, 0.5),
    "gpu_pipeline.internvl3.enable_mixed_precision": (NEITHER, False),  # reaches it as precision
    "gpu_pipeline.internvl3.precision": (NEITHER, "int8"),  # likewise
    "gpu_pipeline.internvl3.max_tiles": (CAPTION, 12),
    "gpu_pipeline.internvl3.echo": (NEITHER, {"delay_seconds": 1}),
    "caption.mode": (CAPTION, "scene"),
    "caption.prompt": (CAPTION, "What is this?"),
    "caption.templates": (NEITHER, {"mine": "What is this?"}),  # reaches it as the prompt
    "caption.language": (NEITHER, "French"),  # reaches it where the prompt tells it
    "caption.transcripts": (NEITHER, "beside"),  # likewise, as the mark of what is said
    "caption.format": (CAPTION, "json"),
    "caption.max_new_tokens": (CAPTION, 12),
    "caption.retry": (CAPTION, False),
    "caption.summary": (NEITHER, True),  # made from the captions, which it leaves as they are
    "errors.max_attempts": (NEITHER, 5),
    "errors.engine_stall_seconds": (NEITHER, 5.0),
    "errors.engine_restarts": (NEITHER, 1),
    "errors.fail_fast": (NEITHER, True),
    "errors.max_failures": (NEITHER, 3),
    "output.indent": (NEITHER, 0),
    "output.fsync": (NEITHER, False),
    "output.exports": (NEITHER, ("srt",)),
    "logging.level": (NEITHER, "debug"),
    "logging.format": (NEITHER, "json"),
    "logging.progress_seconds": (NEITHER, 1.0),
}


def names(section: Any, prefix: str = "") -> list[str]:
    found = []
    for field in fields(section):
        value = getattr(section, field.name)
        path = f"{prefix}{field.name}"
        found += names(value, f"{path}.") if is_dataclass(value) else [path]
    return found


def changed(section: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    return replace(section, **{name: changed(getattr(section, name), rest, value) if rest else value})


def both(settings: Settings, model: str = "tiny", precision: str = "fp32") -> tuple[str, str]:
    scan = scan_key("fingerprint", settings)
    return scan, caption_key(scan, settings, model_identity=model, precision=precision)


@pytest.mark.parametrize("path", names(Settings()))
def test_every_setting_changes_the_keys_it_should(path: str) -> None:
    assert path in CHANGES, f"say here which key {path} changes, and read the top of keys.py"
    which, value = CHANGES[path]
    before, after = both(Settings()), both(changed(Settings(), path, value))
    assert (before[0] != after[0]) == (which == SCAN)
    assert (before[1] != after[1]) == (which in (SCAN, CAPTION))


def test_no_setting_is_classified_that_does_not_exist() -> None:
    assert set(CHANGES) == set(names(Settings()))


def test_the_source_the_model_and_the_precision_count() -> None:
    assert scan_key("a", Settings()) != scan_key("b", Settings())
    keys = {both(Settings(), model, precision)[1] for model in ("a", "b") for precision in ("fp32", "bf16")}
    assert len(keys) == 4


def test_keys_are_the_same_on_every_machine() -> None:
    # Written down once: a change of these throws away every scan and caption that exists.
    assert both(Settings()) == (
        "5d4b56920e7d142382fe00810965e9b3",
        "4e9fe7db8b590af008e33abfce4c0cee",
    )
    # Changed wherever the keyframe scan finds something else, by its own version.
    by_keyframes = changed(Settings(), "scenes.scan", "keyframes")
    assert scan_key("fingerprint", by_keyframes) == "1722e2eb32ff4e45149b2b8dbb773124"
    assert all(len(key) == 32 for key in both(Settings()))


def test_what_a_prompt_tells_counts_and_nothing_else_of_it() -> None:
    def key(prompt: str, name: str, said: str, language: str) -> str:
        settings = changed(changed(Settings(), "caption.prompt", prompt), "caption.language", language)
        return caption_key(
            "scan", settings, model_identity="tiny", precision="fp32", name=name, transcript=said
        )

    plain = {key("What?", name, said, language) for name in "ab" for said in "cd" for language in "ef"}
    assert len(plain) == 1
    for told in ("{name}", "{transcript}", "{language}"):
        keys = {key(told, name, said, language) for name in "ab" for said in "cd" for language in "ef"}
        assert len(keys) == 2, told


def test_a_whole_float_is_the_same_setting_as_an_integer() -> None:
    whole = changed(Settings(), "scenes.max_scene_seconds", 60)
    assert both(whole) == both(changed(Settings(), "scenes.max_scene_seconds", 60.0))


@pytest.mark.parametrize(
    ("frames", "label"),
    [
        (FrameSettings(save="none"), "none"),
        (FrameSettings(save="full", thumbnail_px=64), "full"),
        (FrameSettings(thumbnail_px=64), "thumbnails 64 px"),
    ],
)
def test_a_label_says_how_pictures_are_saved(frames: FrameSettings, label: str) -> None:
    assert pictures_label(frames) == label


def test_given_cuts_count_by_what_they_say_and_for_their_detector_alone() -> None:
    given = changed(Settings(), "scenes.detector", "file")
    keys = {scan_key("fingerprint", given, cuts=mark) for mark in ("one", "two")}
    assert len(keys) == 2
    elsewhere = changed(given, "scenes.cuts", "another/place")
    assert scan_key("fingerprint", elsewhere, cuts="one") in keys
    assert scan_key("fingerprint", Settings(), cuts="one") == scan_key("fingerprint", Settings())
