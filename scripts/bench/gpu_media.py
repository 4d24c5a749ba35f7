"""Decoding on the card against decoding on the processors, by codec and height, all of either busy.

Keeps what it finds for the choice of reader (`corridor_cli/media/nvdec.py`). Each way is tried in processes
of its own; one that this machine lacks, or that breaks, says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.checks import Options, Result, attempt

NEEDED = ("av", "annotated_types", "numpy", "psutil")
CODECS = ("h264", "hevc", "vp9", "av1")
HEIGHTS = (1080, 2160, 480)  # the commonest first, should time run out
MAX_CPU_PROCESSES = 16
# More of them fill the card's decoders between them; each needs its own context on the card.
CARD_PROCESSES = 4
SECONDS = 3.0
# Another line is begun only this long after the start, so that the step ends in time.
LATEST_START_SECONDS = 420
NUM_FRAMES = 120
START_SECONDS = 120
# Ways onto the card, by the names of `readers.py`; the first is the one a run can take.
CARD_WAYS = ("torchcodec", "pyav-hwaccel", "decord")


@dataclass(frozen=True, slots=True)
class Rate:
    """Frames a second of all processes together, or why there is none."""

    fps: float | None
    num_processes: int
    why: str = ""


def measure_media(options: Options, tell: Callable[[list[Result]], None]) -> None:
    """A line for each codec and height; each is told as soon as it is made."""
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        why = f"not measured: this machine lacks {', '.join(missing)}"
        tell([Result("media: decoding", None, why)])
        return
    started = time.monotonic()
    codecs, heights = (("h264",), (480,)) if options.is_quick else (CODECS, HEIGHTS)
    with tempfile.TemporaryDirectory() as folder:
        for height in heights:
            for codec in codecs:
                name = f"media: {codec} {height}p"
                if time.monotonic() - started > LATEST_START_SECONDS:
                    tell([Result(name, None, "not measured: out of time")])
                    continue
                tell(attempt(name, lambda: _measure(name, codec, height, Path(folder), options)))  # noqa: B023


def _measure(name: str, codec: str, height: int, folder: Path, options: Options) -> Result:
    from bench.decode_clips import SIZES, draw_busy
    from corridor_cli.hardware import num_usable_cpus
    from corridor_cli.media.nvdec import Speed, keep_speed

    num_frames, seconds = (10, 0.1) if options.is_quick else (NUM_FRAMES, SECONDS)
    try:
        clip = draw_busy(folder, codec, SIZES[height], num_frames)
    except (OSError, ValueError) as error:
        return Result(name, None, f"not measured: this PyAV cannot encode it ({error})")
    cpus = num_usable_cpus()
    num_processes = 1 if options.is_quick else min(cpus, MAX_CPU_PROCESSES)
    cpu = run_many(clip, "pyav", "cpu", num_processes, seconds)
    # A rehearsal goes the same way, on the CPU where there is no card.
    card = {
        way: run_many(clip, way, options.device, 1 if options.is_quick else CARD_PROCESSES, seconds)
        for way in CARD_WAYS
        if options.device.startswith("cuda") or way != "pyav-hwaccel"
    }
    nvdec = card["torchcodec"]
    if cpu.fps and nvdec.fps and options.device.startswith("cuda") and not options.is_quick:
        keep_speed(codec, height, Speed(num_processes, round(cpu.fps, 1), round(nvdec.fps, 1)))
    details: dict[str, Any] = {"cpu_processes": num_processes, "cpu_fps": cpu.fps, "cpu_failure": cpu.why}
    details |= {way: {"fps": rate.fps, "why": rate.why} for way, rate in card.items()}
    return Result(name, None, _told(cpu, card, options), details)


def _told(cpu: Rate, card: dict[str, Rate], options: Options) -> str:
    base = (
        f"{cpu.num_processes} CPU processes {cpu.fps:,.0f} f/s" if cpu.fps else f"CPU not measured: {cpu.why}"
    )
    parts = [base]
    for way, rate in card.items():
        if rate.fps:
            times = f" ({rate.fps / cpu.fps:.2f}x)" if cpu.fps else ""
            parts.append(f"{way} on {options.device} {rate.fps:,.0f} f/s{times}")
        else:
            parts.append(f"{way} not measured: {rate.why}")
    fastest = max(card.items(), key=lambda item: item[1].fps or 0.0)
    if cpu.fps and fastest[1].fps and options.device.startswith("cuda"):
        is_card = fastest[1].fps > cpu.fps
        parts.append(f"faster: {f'the card, by {fastest[0]}' if is_card else 'the CPU'}")
    return "; ".join(parts) + (" (rehearsal)" if options.is_quick else "")


def run_many(clip: Path, way: str, device: str, num_processes: int, seconds: float) -> Rate:
    """Start the processes, let them load and decode once, then measure all at the same time."""
    command = [sys.executable, str(Path(__file__).with_name("decode_worker.py"))]
    arguments = [str(clip), way, device, str(seconds)]
    workers = [
        subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for _ in range(num_processes)
    ]  # fmt: skip
    try:
        firsts = [_line(worker) for worker in workers]
        failures = [_failure(line) for line in firsts if line.strip() != "ready"]
        if failures:
            return Rate(None, num_processes, failures[0])
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        results = [json.loads(_line(worker)) for worker in workers]
    except (ValueError, OSError) as error:
        return Rate(None, num_processes, f"a process ended early ({error})")
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    if device.startswith("cuda") and (where := results[0]["how"]) and "cuda" not in where:
        return Rate(None, num_processes, where)
    return Rate(sum(result["fps"] for result in results), num_processes)


def _line(worker: subprocess.Popen[str]) -> str:
    """The next line it prints; "" when it ended or takes too long."""
    import selectors

    assert worker.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        return worker.stdout.readline() if selector.select(START_SECONDS) else ""


def _failure(line: str) -> str:
    try:
        return str(json.loads(line)["failure"])[:160]
    except (ValueError, KeyError, TypeError):
        return "the process ended without a word, or took too long"
