"""Sample facts of a small video: two scenes, a dissolve, duplicates, times that no float holds."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from corridor_cli.records import (
    Caption,
    ErrorInfo,
    Pick,
    PickedFrame,
    ReaderChoice,
    RequestKey,
    Role,
    ScanEnd,
    Scene,
    SceneFrames,
    Transition,
    VideoInfo,
)
from corridor_cli.settings import Settings
from corridor_cli.timeline.assemble import assemble, assemble_failed, describe
from corridor_cli.timeline.keys import caption_key, scan_key
from corridor_cli.timeline.parts import Model, Run, Tokens
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.schema import Timeline
from corridor_cli.timeline.source import SourceFacts

FRAME = Fraction(1001, 24000)
SETTINGS = Settings()
SCAN_KEY = scan_key("fingerprint", SETTINGS)
CAPTION_KEY = caption_key(SCAN_KEY, SETTINGS, model_identity="tiny", precision="fp32")
MODEL = Model(id="tiny", revision=None, dtype="float32", quantization=None, engine="local")
FACTS = SourceFacts(path="/videos/clip.mp4", size_bytes=1234, fingerprint="fingerprint")
INFO = VideoInfo(
    container="mp4",
    video_codec="h264",
    pixel_format="yuv420p",
    audio_codec=None,
    width_px=640,
    height_px=360,
    rotation_degrees=0,
    sample_aspect_ratio=None,
    frame_rate=1 / FRAME,
    duration_seconds_from_header=Fraction(5),
    num_frames_from_header=100,
    stream_index=0,
    num_video_streams=1,
)
READER = ReaderChoice("pyav", "scans every format")
DAMAGED = ErrorInfo("decode", "DecodeError", "the pictures stop at frame 100")


def pick(role: Role, frame: int, duplicate_of: Role | None = None) -> Pick:
    return Pick(role, frame, frame * FRAME, "sharpest", duplicate_of, frame * 7)


def scene_frames(index: int, start: int, end: int, *picks: Pick) -> SceneFrames:
    scene = Scene(index, start * FRAME, end * FRAME, start, end, "start" if index == 0 else "cut")
    return SceneFrames(0, index, scene, tuple(PickedFrame(each, None, None) for each in picks))


def scan_end(error: ErrorInfo | None = None) -> ScanEnd:
    return ScanEnd(
        video=0,
        num_frames=100,
        duration=100 * FRAME,
        is_variable_frame_rate=False,
        transitions=(Transition("dissolve", 38 * FRAME, 42 * FRAME),),
        reader=READER,
        warnings=("a packet was skipped",),
        error=error,
    )


def record(error: ErrorInfo | None = None) -> ScanRecord:
    """Scene 0 has two distinct picks and a duplicate; scene 1 one that all three share."""
    scenes = [
        scene_frames(
            0,
            0,
            40,
            pick(Role.FIRST, 2),
            pick(Role.REPRESENTATIVE, 20),
            pick(Role.LAST, 37, Role.REPRESENTATIVE),
        ),
        scene_frames(
            1,
            40,
            100,
            pick(Role.FIRST, 44),
            pick(Role.REPRESENTATIVE, 44, Role.FIRST),
            pick(Role.LAST, 98, Role.REPRESENTATIVE),
        ),
    ]
    return ScanRecord.from_scan(INFO, READER, scenes, scan_end(error))


def caption(scene: int, role: Role, text: str = "A red ball lies on green grass.", video: int = 0) -> Caption:
    return Caption(RequestKey(video, scene, role), text, 300, 12, "stop")


def failed_caption(scene: int, role: Role, message: str = "out of memory") -> Caption:
    return Caption(RequestKey(0, scene, role), "", 0, 0, None, ErrorInfo("caption", "ModelError", message))


def captions(*others: Caption) -> dict[tuple[int, Role], Caption]:
    all_of_them = [
        caption(0, Role.FIRST, "A dark street."),
        caption(0, Role.REPRESENTATIVE, "A bright street with a red car."),
        caption(1, Role.FIRST),
        *others,
    ]
    return {(each.key.scene, each.key.role): each for each in all_of_them}


def run(created_at: str = "2025-01-01T00:00:00+00:00") -> Run:
    return Run(
        created_at=created_at,
        environment={"python": "3.11"},
        wall_seconds=1.5,
        phases={"scan": 1.0},
        batches=2,
        attempts=1,
        oom_retries=0,
        batch_size=2,
        tokens=Tokens(prompt=900, output=36),
        peak_memory_bytes=None,
        degraded=(),
    )


def timeline(
    answers: Mapping[tuple[int, Role], Caption | None] | None = None,
    *,
    error: ErrorInfo | None = None,
    facts: SourceFacts = FACTS,
    pictures: Mapping[tuple[int, Role], str] | None = None,
    settings: Settings = SETTINGS,
) -> Timeline:
    provenance = describe(settings, scan_key=SCAN_KEY, caption_key=CAPTION_KEY, model=MODEL)
    answers = captions() if answers is None else answers
    return assemble(facts, record(error), answers, pictures or {}, provenance, run())


def failed_timeline(facts: SourceFacts = FACTS, info: VideoInfo | None = INFO) -> Timeline:
    provenance = describe(SETTINGS, scan_key=SCAN_KEY, caption_key=None, model=None)
    error = ErrorInfo("open", "NotVideoError", "an HLS playlist is no video")
    return assemble_failed(facts, error, info, None if info is None else READER, provenance, run())
