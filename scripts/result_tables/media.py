"""Scans against decoding and PySceneDetect (`bench_media.py`), boundaries (`eval_scenes.py`), readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from result_tables.markdown import (
    Result,
    command_block,
    device_name,
    heading,
    machine_line,
    ranged,
    source_line,
    table,
)

_NAMES = {
    "decode": "decode alone, 1 thread",
    "scan": "scan, 1 core",
    "keyframes": "scan of keyframes, 1 core",
    "psd pyav": "PySceneDetect over PyAV, 1 core",
    "psd pyav, 2 cores": "PySceneDetect over PyAV, 2 cores",
    "psd opencv": "PySceneDetect over OpenCV, 1 core",
}
_KINDS = ("all", "cut", "dissolve", "fade")
_READERS = ("pyav", "decord", "torchcodec")
_READER_FIGURES = (("scan_fps", 0, "frames/s"), ("picks_seconds", 2, "s for 24 picks"))


def is_scans(document: Mapping[str, Any]) -> bool:
    return {"machine", "results", "memory"} <= document.keys()


def is_boundaries(document: Mapping[str, Any]) -> bool:
    return {"set", "halves"} <= document.keys()


def is_readers(document: Mapping[str, Any]) -> bool:
    return {"environment", "rounds", "results"} <= document.keys()


def scans(result: Result) -> str:
    """Frames/s and ratios of neighbouring rounds by clip, and a worker's memory where it was measured."""
    facts, clips = result.document["machine"], result.document["results"]
    parts = [
        heading(device_name(facts), result),
        machine_line(facts),
        command_block(facts["command"]),
    ]
    if clips:
        parts += [_speeds(clips), _ratios(clips)]
    if result.document["memory"]:
        rows = [
            [
                each["file"],
                ", ".join(name.replace("_", " ") for name in each["how"]) or "one thread",
                f"{each['frames']:,}",
                f"{each['peak_bytes'] / 2**20:,.0f} MiB",
            ]
            for each in result.document["memory"]
        ]
        parts.append(table(["file", "how", "frames", "a worker's peak"], rows))
    return "\n\n".join([*parts, source_line(result)])


def _speeds(clips: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for clip in clips for name in clip["contestants"]))
    rounds = max(len(told["rounds"]) for clip in clips for told in clip["contestants"].values())
    rows = [
        [
            _about(clip),
            *(
                ranged(clip["contestants"][name]["frames_per_second"], 0)
                if name in clip["contestants"]
                else "-"
                for name in names
            ),
        ]
        for clip in clips
    ]
    told = f"Frames/s, {rounds} interleaved rounds, median (least–most):"
    return f"{told}\n\n{table(['clip', *(_NAMES.get(name, name) for name in names)], rows)}"


def _about(clip: Mapping[str, Any]) -> str:
    rate = clip.get("megabits_per_second")
    return f"{clip['file']}, {_num_frames(clip):,} frames" + (f", {rate:g} Mb/s" if rate else "")


def _speed(clip: Mapping[str, Any], name: str) -> str:
    told = clip["contestants"].get(name)
    return ranged(told["frames_per_second"], 0) if told else "-"


def _num_frames(clip: Mapping[str, Any]) -> int:
    counts: set[int] = {told["frames"] for told in clip["contestants"].values()}
    return max(counts)


def _ratios(clips: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for clip in clips for name in clip["ratios"]))
    goals = {name: clip["ratios"][name]["goal"] for clip in clips for name in clip["ratios"]}
    rows = [
        [
            clip["file"],
            *(ranged(clip["ratios"][name]["wall"], 2) if name in clip["ratios"] else "-" for name in names),
        ]
        for clip in clips
    ]
    told = "How many times the frames/s of the other, of neighbouring rounds:"
    return f"{told}\n\n{table(['clip', *(f'{name} (asked {goals[name]:g})' for name in names)], rows)}"


def boundaries(result: Result) -> str:
    """Found, missed and false boundaries of each detector; no speed, for the machine may have been busy."""
    about, halves = result.document["set"], result.document["halves"]
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    parts = [
        heading("a labelled set", result),
        f"Machine: {about['machine']}. python {about['python']}, {versions}. Nothing here is a speed.",
    ]
    for half, told in halves.items():
        size = f"{about['size'][0]}×{about['size'][1]}"
        material = (
            "stretches of real clips among the drawn shots" if about["with_real_clips"] else "drawn only"
        )
        rows = [
            [name, kind, *_counts(figures[kind])]
            for name, figures in told["detectors"].items()
            for kind in _KINDS
        ]
        parts += [
            f"Workload: set {about['set_version']}, {half}: {told['boundaries']} boundaries in "
            f"{told['files']} files of {size}, {told['frames']:,} frames, {material}.",
            command_block(_boundaries_command(half, about["with_real_clips"])),
            table(["detector", "kind", "found", "missed", "false", "precision", "recall", "F1"], rows),
        ]
    return "\n\n".join([*parts, source_line(result)])


def _counts(figures: Mapping[str, Any]) -> list[str]:
    shares = [f"{figures[name]:.3f}" for name in ("precision", "recall", "f1")]
    return [*(str(figures[name]) for name in ("found", "missed", "false")), *shares]


def _boundaries_command(half: str, has_videos: bool) -> str:
    """The files tell no command; this one makes a file of the kind."""
    return f"eval_scenes.py {'--videos FOLDER ' if has_videos else ''}--half {half}"


def readers(result: Result) -> str:
    """Scans and picks of one thread by reader."""
    facts = result.document["environment"]
    head = ["clip", *(f"{name}, {unit}" for name in _READERS for _, _, unit in _READER_FIGURES)]
    rows = [
        [
            clip["clip"],
            *(
                ranged(clip[name][figure], decimals) if figure in clip[name] else "-"
                for name in _READERS
                for figure, decimals, _ in _READER_FIGURES
            ),
        ]
        for clip in result.document["results"]
    ]
    return "\n\n".join(
        [
            heading(device_name(facts), result),
            machine_line(facts),
            command_block(facts["command"]),
            f"{result.document['rounds']} interleaved rounds, one thread, median (least–most):",
            table(head, rows),
            source_line(result),
        ]
    )
