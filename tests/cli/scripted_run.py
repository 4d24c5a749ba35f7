"""A run as the pipeline tells it, second by second, for the displays to show."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from corridor_cli.errors import ExitCode
from corridor_cli.records import BatchStats, EngineInfo, ErrorInfo, ReaderChoice, VideoInfo
from corridor_cli.telemetry import Counters, Reporter, RunOutcome, RunPlan, VideoOutcome, eta_seconds

NUM_VIDEOS = 12
HOSTILE = "a[/]\n\x1b[31mb\udcff:smile:"
ENGINE = EngineInfo(
    engine="local",
    model_id="OpenGVLab/InternVL3-2B-hf",
    revision=None,
    device="cuda:0",
    dtype="bfloat16",
    tile_px=448,
    max_tiles=1,
    batch_size=16,
    max_pending=64,
    reasons=("batch size 16: 70 MiB a request, 1.3 GiB free",),
)
INFO = VideoInfo(
    container="mp4",
    video_codec="h264",
    pixel_format="yuv420p",
    audio_codec=None,
    width_px=1920,
    height_px=1080,
    rotation_degrees=0,
    sample_aspect_ratio=None,
    frame_rate=Fraction(24000, 1001),
    duration_seconds_from_header=Fraction(62),
    num_frames_from_header=None,
    stream_index=0,
    num_video_streams=1,
)
BATCH = BatchStats(
    batch_size=16,
    num_tiles=16,
    wall_seconds=1.24,
    output_tokens=402,
    peak_memory_bytes=12 * 2**30,
    free_memory_bytes=3 * 2**30,
    num_oom_retries=1,
    next_batch_size=8,
)


def video(number: int) -> VideoOutcome:
    """Every fourth video fails; its name is as hostile as names get."""
    if number % 4:
        path = Path(f"out/{number}.mp4.timeline.json")
        return VideoOutcome(f"/in/{number}.mp4", f"{number}.mp4", "complete", "new", path, 12)
    error = ErrorInfo("open", "NotVideoError", f"{HOSTILE} is a text file")
    return VideoOutcome(f"/in/{HOSTILE}{number}", f"{HOSTILE}{number}", "failed", error=error)


def counters(second: float) -> Counters:
    """A video a second; memory is unknown for the first three."""
    done = int(second)
    return Counters(
        videos_done=done,
        videos_total=NUM_VIDEOS,
        videos_failed=done // 4,
        scenes=done * 1345,
        captions_done=done * 4001,
        captions_pending=256,
        frames_decoded=int(second * 1200),
        elapsed_seconds=second,
        batch_size=128,
        share_done=second / NUM_VIDEOS,
        memory_bytes=112 * 2**30 if done > 3 else None,
        eta_seconds=eta_seconds(second, second / NUM_VIDEOS),
    )


def play(reporter: Reporter) -> Iterator[float]:
    """Tell the run to the reporter; yields after each tick the second it stands for."""
    reporter.note("settings from ./config/processing.yaml, found in the current folder")
    reporter.run_planned(RunPlan(num_videos=NUM_VIDEOS + 3, num_skipped=3, output=Path("out")))
    reporter.engine_started(ENGINE)
    for number in range(1, NUM_VIDEOS + 1):
        reporter.video_opened(video(number).relative, INFO, ReaderChoice("pyav", "a full scan"))
        reporter.tick(counters(number - 0.5))
        yield number - 0.5
        reporter.batch_done(BATCH)
        reporter.video_finished(video(number))
        reporter.tick(counters(number))
        yield float(number)
    reporter.warn(f"{HOSTILE}: the header lies")


def outcome() -> RunOutcome:
    """What became of the run."""
    videos = tuple(video(number) for number in range(1, NUM_VIDEOS + 1))
    return RunOutcome(
        exit_code=ExitCode.PARTIAL,
        num_complete=9,
        num_partial=0,
        num_failed=3,
        num_skipped=3,
        num_pending=0,
        num_scenes=108,
        num_captions=324,
        wall_seconds=192.3,
        videos=videos,
    )
