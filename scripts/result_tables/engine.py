"""Engines side by side (`bench_engine.py`) and the pipe around ours (`bench_tiny.py`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from statistics import median
from typing import Any

from result_tables.markdown import (
    Result,
    command_block,
    device_name,
    gib,
    heading,
    machine_line,
    ranged,
    source_line,
    table,
)

# Told as "not run" where a file lacks them: a table without its rivals must not look like a won race.
_RIVALS = {"loop": "loop", "static": r"static\d+", "vllm": "vllm"}

_PIPE = (
    ("engine_frames_per_second", "bare engine, frames/s", 1, ""),
    ("prepared_frames_per_second", "picks to captions through the pipe, frames/s", 1, "60"),
    ("prepared_over_engine_throughput", "pipe's throughput over the engine's", 2, "0.95"),
    ("wall_over_parts", "wall on real videos over scan + engine", 2, "1.05 at most"),
)


def is_engines(document: Mapping[str, Any]) -> bool:
    return {"machine", "workload", "results"} <= document.keys() and "num_frames" in document["workload"]


def is_pipe(document: Mapping[str, Any]) -> bool:
    return {"machine", "workload", "seconds", "figures"} <= document.keys()


def engines(result: Result) -> str:
    """One table of all contestants on the same frames, with those that were not run."""
    facts, work = result.document["machine"], result.document["workload"]
    contestants = result.document["results"]
    first = name_of(contestants[0]["contestant"])
    head = ["contestant", "arithmetic", "seconds a frame", "frames/s", f"times {first}", "memory: now / peak"]
    rows = [_contestant_row(each, facts) for each in contestants]
    rows += [
        [name_of(rival), "", "not run", "", "", ""]
        for rival, form in _RIVALS.items()
        if not any(re.fullmatch(form, each["contestant"]) for each in contestants)
    ]
    rounds = max(len(each.get("rounds", ())) for each in contestants)
    prompts = sorted({each["prompt_tokens"] for each in contestants if "prompt_tokens" in each})
    workload = (
        f"Workload: {work['num_frames']} frames of {work['tiles']} tile{'s' if work['tiles'] > 1 else ''}, "
        f"{' or '.join(map(str, prompts))} prompt tokens, {work['output_tokens']} new tokens each; "
        f"{rounds} interleaved rounds, median (least–most)."
    )
    return "\n\n".join(
        [
            heading(device_name(facts), result),
            machine_line(facts),
            workload,
            command_block(facts["command"]),
            table(head, rows),
            source_line(result),
        ]
    )


def name_of(contestant: str) -> str:
    """A contestant of `bench_engine.py` in words."""
    kind, _, precision = contestant.partition("-")
    if kind == "ours":
        return f"this engine, {precision}" if precision else "this engine"
    batch = contestant.removeprefix("static")
    names = {
        "loop": "transformers, one frame at a time",
        "vllm": "vLLM",
        "static": "transformers, static batch",
    }
    return names.get(contestant) or f"transformers, static batch of {batch}"


def _contestant_row(told: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    name = name_of(told["contestant"])
    if not told.get("rounds"):
        return [name, "", f"not measured: {told['failure']}", "", "", ""]
    about = told["about"]
    if "vllm" in about:
        name = f"vLLM {about['vllm']}{'' if facts.get('device') else ', CPU build'}"
    seconds, ratio = told["seconds_per_frame"], told["times_the_first"]
    now = median(each["now_bytes"] for each in told["rounds"])
    peak = max(each["peak_bytes"] for each in told["rounds"])
    return [
        name + ("" if told["all_tokens_made"] else " (made fewer tokens)"),
        _arithmetic(about),
        ranged(seconds, 3),
        f"{1 / seconds['median']:.3f}",
        ranged(ratio, 2) if ratio else "-",
        f"{gib(now)} / {gib(peak)}",
    ]


def _arithmetic(about: Mapping[str, Any]) -> str:
    """vLLM does not tell: it takes what the checkpoint says (`bench/vllm_offline.py`)."""
    told = about.get("dtype") or "the checkpoint's"
    return f"{about['quantization']} beside {told}" if about.get("quantization") else told


def pipe(result: Result) -> str:
    """What the pipe costs beside the engine, with the goals that were set."""
    facts, work = result.document["machine"], result.document["workload"]
    figures, num_rounds = result.document["figures"], len(result.document["seconds"]["engine"])
    workload = (
        f"Workload: model {work['model']}, {work['videos']} videos, "
        f"{work['frames_decoded']:,} frames decoded, {work['picks']:,} picks, "
        f"at most {work['max_new_tokens']} new tokens each; "
        f"{num_rounds} interleaved rounds, median (least–most)."
    )
    rows = [[what, ranged(figures[name], decimals), goal] for name, what, decimals, goal in _PIPE]
    return "\n\n".join(
        [
            heading(device_name(facts), result),
            machine_line(facts),
            workload,
            command_block(facts["command"]),
            table(["what", "figure", "asked for"], rows),
            source_line(result),
        ]
    )
