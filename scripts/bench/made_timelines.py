"""Folders of timelines made without any video: one real document, and others like it with their own texts."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

from corridor_cli.records import (
    Caption,
    Pick,
    PickedFrame,
    ReaderChoice,
    RequestKey,
    Role,
    ScanEnd,
    Scene,
    SceneFrames,
    VideoInfo,
)
from corridor_cli.settings import Settings
from corridor_cli.timeline.assemble import assemble, describe
from corridor_cli.timeline.keys import caption_key, scan_key
from corridor_cli.timeline.parts import Model, Run, Tokens
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.schema import Timeline
from corridor_cli.timeline.source import SourceFacts

NUM_SCENES = 7  # 20 KB
VIDEOS_IN_A_FOLDER = 100
FRAME = Fraction(1001, 24000)
SCENE_FRAMES = 96
WORDS = (
    "a",
    "the",
    "red",
    "blue",
    "bright",
    "car",
    "street",
    "man",
    "dog",
    "walks",
    "under",
    "tall",
    "trees",
)


def write_timelines(output: Path, num_timelines: int, *, seed: int = 1) -> int:
    """Write so many timelines below `output`; how many bytes they are in all."""
    random_words = random.Random(seed)
    document = json.loads(_template().model_dump_json(by_alias=True))
    num_bytes = 0
    for number in range(num_timelines):
        name = f"clip{number:05d}.mp4"
        folder = output / f"day{number // VIDEOS_IN_A_FOLDER:03d}"
        if number % VIDEOS_IN_A_FOLDER == 0:
            folder.mkdir(parents=True, exist_ok=True)
        _rename(document, folder, name, random_words)
        data = (json.dumps(document, indent=2) + "\n").encode()
        (folder / f"{name}.timeline.json").write_bytes(data)
        num_bytes += len(data)
    return num_bytes


def _rename(document: dict[str, Any], folder: Path, name: str, random_words: random.Random) -> None:
    document["source"] |= {
        "path": f"/videos/{folder.name}/{name}",
        "name": name,
        "fingerprint": f"{random_words.getrandbits(128):032x}",
    }
    for scene in document["scenes"]:
        for frame in scene["frames"]:
            frame["path"] = f"{name}.frames/{frame['id']}.jpg"
            frame["caption"]["text"] = " ".join(random_words.choices(WORDS, k=random_words.randint(8, 24)))
        scene["caption"] = scene["frames"][1]["caption"]


def _template() -> Timeline:
    settings = Settings()
    scan = scan_key("fingerprint", settings)
    captions = caption_key(scan, settings, model_identity="made", precision="fp32")
    model = Model(id="made", revision=None, dtype="float32", quantization=None, engine="local")
    provenance = describe(settings, scan_key=scan, caption_key=captions, model=model)
    answers: dict[tuple[int, Role], Caption | None] = {
        (index, role): Caption(RequestKey(0, index, role), "A caption.", 300, 20, "stop")
        for index in range(NUM_SCENES)
        for role in Role
    }
    facts = SourceFacts("/videos/clip.mp4", 12_345_678, "fingerprint")
    return assemble(facts, _record(), answers, {}, provenance, _run())


def _record() -> ScanRecord:
    info = VideoInfo(
        container="mp4",
        video_codec="h264",
        pixel_format="yuv420p",
        audio_codec="aac",
        width_px=1280,
        height_px=720,
        rotation_degrees=0,
        sample_aspect_ratio=None,
        frame_rate=1 / FRAME,
        duration_seconds_from_header=NUM_SCENES * SCENE_FRAMES * FRAME,
        num_frames_from_header=NUM_SCENES * SCENE_FRAMES,
        stream_index=0,
        num_video_streams=1,
    )
    reader = ReaderChoice("pyav", "scans go to PyAV")
    end = ScanEnd(
        video=0,
        num_frames=NUM_SCENES * SCENE_FRAMES,
        duration=NUM_SCENES * SCENE_FRAMES * FRAME,
        is_variable_frame_rate=False,
        transitions=(),
        reader=reader,
        warnings=(),
        error=None,
    )
    return ScanRecord.from_scan(info, reader, [_scene(index) for index in range(NUM_SCENES)], end)


def _scene(index: int) -> SceneFrames:
    first, after = index * SCENE_FRAMES, (index + 1) * SCENE_FRAMES
    places = zip(Role, (first + 3, first + SCENE_FRAMES // 2, after - 4), strict=True)
    picks = [Pick(role, at, at * FRAME, "the sharpest of 12 good frames", None, at) for role, at in places]
    scene = Scene(index, first * FRAME, after * FRAME, first, after, "cut" if index else "start")
    return SceneFrames(0, index, scene, tuple(PickedFrame(pick, None, None) for pick in picks))


def _run() -> Run:
    return Run(
        created_at="2026-01-01T00:00:00+00:00",
        environment={"python": "3.11", "device": "cpu"},
        wall_seconds=12.5,
        phases={"scan": 3.1},
        batches=3,
        attempts=1,
        oom_retries=0,
        batch_size=8,
        tokens=Tokens(prompt=7200, output=480),
        peak_memory_bytes=None,
        degraded=(),
    )
