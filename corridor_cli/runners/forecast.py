"""When a run will be over, and what keeps it: decoding and captioning beside each other. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from corridor_cli.runners.amounts import Amount, through
from corridor_cli.runners.looks import Look

Bottleneck = Literal["decoding", "captioning"]

_MIN_DOCUMENT_DEVIATION = 0.05


@dataclass(frozen=True, slots=True)
class Machine:
    """What works beside each other: `num_workers` decode on `num_cpus` processors; the model takes
    `model_threads` of them while it captions, none where it has a device of its own."""

    num_cpus: int
    num_workers: int
    model_threads: int = 0


@dataclass(frozen=True, slots=True)
class StartUp:
    """Seconds before work begins: of the program, of the first worker, of the model; the last two run beside
    each other. `last_captions_seconds` is what the last picks take once all is decoded."""

    program_seconds: float = 0.0
    worker_seconds: float = 0.0
    model_seconds: float = 0.0
    last_captions_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunTime:
    """`seconds` from the first to the last; `decoding` and `captioning` would take that long alone."""

    seconds: Amount
    decoding: Amount
    captioning: Amount | None
    bottleneck: Bottleneck | None
    is_sharing: bool
    num_devices_until_decoding: int | None


def forecast_run(
    decoding: Amount,
    core_seconds: float,
    captioning: Amount | None,
    machine: Machine,
    start: StartUp,
    num_devices: int = 1,
) -> RunTime:
    """The time of a whole run. `decoding` is what the workers take, `core_seconds` what they take together,
    `captioning` what one device takes, None where that is not known: then only decoding counts."""
    if captioning is None:
        seconds = decoding + Amount(start.program_seconds + start.worker_seconds)
        return RunTime(seconds, decoding, None, None, False, None)
    divided = captioning.times(1 / num_devices)
    per_wall = core_seconds / decoding.expected if decoding.expected else 0.0

    def shared(decode: float, caption: float) -> float:
        """Seconds in which all processors together do both, where the model needs them."""
        return (decode * per_wall + caption * machine.model_threads) / machine.num_cpus

    def whole(decode: float, caption: float) -> float:
        return start.program_seconds + max(
            start.worker_seconds + decode + start.last_captions_seconds,
            start.model_seconds + caption,
            start.worker_seconds + shared(decode, caption) if machine.model_threads else 0.0,
        )

    seconds = through(whole, decoding, divided)
    is_decoding = decoding.expected >= divided.expected
    alone = max(decoding.expected, divided.expected)
    is_sharing = bool(machine.model_threads) and shared(decoding.expected, divided.expected) > alone
    enough = math.ceil(captioning.expected / decoding.expected) if decoding.expected else None
    return RunTime(
        seconds,
        decoding,
        divided,
        "decoding" if is_decoding else "captioning",
        is_sharing,
        None if machine.model_threads or enough is None else max(1, enough),
    )


@dataclass(frozen=True, slots=True)
class CaptionCost:
    """What one caption takes when the device has enough to do: seconds and output tokens."""

    seconds: Amount
    tokens: Amount


def full_batch_cost(
    pass_seconds: float, step_seconds: float, tokens: Sequence[int], batch_size: int
) -> float:
    """Seconds a caption in a full batch, from a few captions made together: tiles and prompts cost each of
    them the same, while a step costs about as much for a few as for a full batch. (InternVL3-1B on two cores:
    52, 57 and 65 ms for 1, 8 and 16 sequences.)
    """
    num_steps = max(tokens, default=0)
    seconds_per_step = step_seconds / num_steps if num_steps else 0.0
    mean_tokens = sum(tokens) / len(tokens)
    return pass_seconds / len(tokens) + mean_tokens * seconds_per_step / batch_size


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes written: of timelines, and of saved pictures, which end at the cap where `is_capped`."""

    timeline_bytes: Amount
    picture_bytes: Amount
    is_capped: bool


def forecast_disk(
    looks: Sequence[Look], num_videos: int, scenes: Amount, max_picture_bytes: int, *, is_saving: bool
) -> Disk | None:
    """From the bytes of what was seen; None where no fresh scan was."""
    seen = [look for look in looks if look.document_bytes and look.num_scenes]
    if not seen:
        return None
    num_scenes = sum(look.num_scenes for look in seen)
    base, each = _line([(look.num_scenes, look.document_bytes) for look in seen])
    # Captions are as long as they were on average in the trial.
    timelines = (Amount(num_videos * base) + scenes.times(each)).at_least_off(_MIN_DOCUMENT_DEVIATION)
    pictures = Amount(0.0)
    if is_saving:
        per_scene = sum(look.picture_bytes for look in seen) / num_scenes
        ratios = [look.picture_bytes / look.num_scenes / per_scene - 1 for look in seen] if per_scene else []
        spread = math.sqrt(sum(ratio * ratio for ratio in ratios)) / len(ratios) if len(ratios) > 1 else 0.3
        pictures = scenes * Amount(per_scene, per_scene * spread)
    is_capped = pictures.expected > max_picture_bytes
    return Disk(timelines, Amount(float(max_picture_bytes)) if is_capped else pictures, is_capped)


def _line(points: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Offset and slope of the line through points; all is slope where they do not tell the two apart."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    squares = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / squares if squares else 0.0
    if slope <= 0 or mean_y - slope * mean_x < 0:
        return 0.0, mean_y / mean_x
    return mean_y - slope * mean_x, slope
