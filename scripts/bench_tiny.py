"""What the pipe costs beside the engine, with a model small enough for that to matter.

    python scripts/bench_tiny.py [--videos FOLDER] [--pairs 5] [--json FILE]

Interleaved rounds over the same videos, drawn by code unless a folder is given, of

    scan      decode, split and pick every video, and caption nothing
    engine    caption those picks with the bare engine, in this process
    prepared  the whole pipe from picks to documents, on those same pictures, already in shared memory
    wall      the whole pipe on the real videos
    write     of that, what its writer thread took beside the rest

Loading the model is not counted. Told are frames/s of engine and prepared, prepared over engine, and wall
over scan + engine (what it may cost where they share the cores; on CUDA over the longer of the two).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.clips import draw_clips
from bench.ours import Bench
from bench.pipe import PreparedMedia, Recording, staged
from bench.telling import machine_facts, spread, table

from corridor_cli.settings import CaptionSettings, ModelSettings, PipelineSettings, Settings

ROUNDS = ("scan", "engine", "prepared", "wall")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, default=None, help="take the files of this folder")
    parser.add_argument("--clips", type=int, default=4, help="videos to draw")
    parser.add_argument("--scenes", type=int, default=20, help="scenes of each drawn video")
    parser.add_argument("--scene-seconds", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=5, help="rounds of each kind")
    parser.add_argument("--model", default="tiny", help="tiny, or the folder of a checkpoint")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tokens", type=int, default=CaptionSettings().max_new_tokens)
    parser.add_argument("--json", type=Path, default=None, help="also write the last line to this file")
    return parser.parse_args()


def measure(
    videos: Sequence[Path], settings: Settings, num_pairs: int
) -> tuple[dict[str, list[float]], Recording]:
    """Seconds of each kind of round."""
    seconds: dict[str, list[float]] = {name: [] for name in (*ROUNDS, "write")}
    with staged(videos, settings, 0) as stage:
        recording = stage.scan()  # also the warm-up of scans
    with staged(videos, settings, len(recording.pictures)) as stage:
        bench = Bench(settings.gpu_pipeline.internvl3, recording.frames, settings.caption)
        prompt, tokens = settings.caption.prompt, settings.caption.max_new_tokens
        bench.caption(bench.requests(prompt, tokens))
        stage.start_engine()
        stage.run(PreparedMedia(stage, recording))
        for number in range(num_pairs):
            seconds["scan"].append(stage.scan().seconds)
            seconds["engine"].append(bench.caption(bench.requests(prompt, tokens))[1])
            seconds["prepared"].append(stage.run(PreparedMedia(stage, recording)))
            seconds["wall"].append(stage.run(stage.workers()))
            seconds["write"].append(stage.write_seconds)
            told = "  ".join(f"{name} {values[-1]:.2f} s" for name, values in seconds.items())
            print(f"round {number + 1}: {told}", file=sys.stderr, flush=True)
        bench.close()
    return seconds, recording


def judge(seconds: dict[str, list[float]], num_frames: int, is_shared: bool) -> dict[str, dict[str, float]]:
    """The figures that have a goal, each from the rounds that lay side by side."""
    rounds = list(zip(*(seconds[name] for name in ROUNDS), strict=True))
    alone = [scan + engine if is_shared else max(scan, engine) for scan, engine, _, _ in rounds]
    return {
        "engine_frames_per_second": spread([num_frames / engine for _, engine, _, _ in rounds]),
        "prepared_frames_per_second": spread([num_frames / prepared for _, _, prepared, _ in rounds]),
        "prepared_over_engine_throughput": spread([engine / prepared for _, engine, prepared, _ in rounds]),
        "wall_over_parts": spread(
            [wall / parts for (_, _, _, wall), parts in zip(rounds, alone, strict=True)]
        ),
    }


def show(seconds: dict[str, list[float]], figures: dict[str, dict[str, float]], is_shared: bool) -> str:
    parts = "scan + engine" if is_shared else "the longer of scan and engine"
    named = {
        **{f"{name}, seconds": spread(values) for name, values in seconds.items()},
        "engine alone, frames/s": figures["engine_frames_per_second"],
        "picks to captions through the pipe, frames/s (goal 60 for tiny)": figures[
            "prepared_frames_per_second"
        ],
        "pipe's throughput over the engine's (goal 0.95)": figures["prepared_over_engine_throughput"],
        f"wall over {parts} (goal 1.05)": figures["wall_over_parts"],
    }
    rows = [["", "median", "least", "most"]]
    rows += [
        [name, *(f"{each[key]:.3f}" for key in ("median", "min", "max"))] for name, each in named.items()
    ]
    return table(rows)


def main() -> int:
    arguments = read_arguments()
    is_shared = not arguments.device.startswith("cuda")
    model = ModelSettings(model=arguments.model, device=arguments.device)
    settings = replace(
        Settings(),
        gpu_pipeline=PipelineSettings(model),
        caption=CaptionSettings(max_new_tokens=arguments.tokens),
    )
    facts = machine_facts(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        videos = (
            sorted(path for path in arguments.videos.iterdir() if path.is_file())
            if arguments.videos
            else draw_clips(
                Path(folder), arguments.clips, arguments.scenes, arguments.scene_seconds, (640, 360)
            )
        )
        seconds, recording = measure(videos, settings, arguments.pairs)
    figures = judge(seconds, len(recording.pictures), is_shared)
    workload: dict[str, Any] = {
        "videos": len(videos), "frames_decoded": recording.num_decoded, "picks": len(recording.pictures),
        "model": arguments.model, "max_new_tokens": arguments.tokens,
    }  # fmt: skip
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    print(f"workload: {workload}\n")
    print(show(seconds, figures, is_shared))
    document = json.dumps({"machine": facts, "workload": workload, "seconds": seconds, "figures": figures})
    if arguments.json:
        arguments.json.write_text(document + "\n", encoding="utf-8")
    print(document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
