"""What a point says beside others: against the loop, against batch size 1, against the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from corridor_cli.bench.document import PointResult, RooflineShare, Sample
from corridor_cli.bench.peaks import DevicePeaks
from corridor_cli.bench.roofline import (
    Workload,
    bound,
    mbu,
    mfu,
    number_bytes,
    prefill_flops,
    projector_flops,
    request_step_bytes,
    vision_flops,
    weight_bytes,
)
from corridor_cli.engine.local.shape import NetworkShape
from corridor_cli.records import EngineInfo


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the device could do: the network's shape, its measured peaks, and the precision it runs in."""

    shape: NetworkShape | None
    peaks: DevicePeaks | None
    dtype: str
    quantization: str | None

    @classmethod
    def of(cls, shape: NetworkShape | None, peaks: DevicePeaks | None, info: EngineInfo) -> Ceiling:
        """For an engine that has started."""
        return cls(shape, peaks, info.dtype, info.quantization)


def relate(results: Sequence[PointResult], ceiling: Ceiling | None) -> list[PointResult]:
    """The same rows with what follows from the others and from the ceiling filled in."""
    loops = {_asked(row): row.frames_per_second for row in results if row.contestant == "loop"}
    alone = {_asked(row): row.caption_marks for row in results if row.batch_size == 1 and _is_ours(row)}
    return [_related(row, loops, alone, ceiling) for row in results]


def agreement(marks: Sequence[int], marks_alone: Sequence[int]) -> float | None:
    """The share (0 to 1) of the first captions that are what they were at batch size 1; None without."""
    pairs = list(zip(marks, marks_alone, strict=False))
    return fmean(mark == alone for mark, alone in pairs) if pairs else None


def roofline_share(row: PointResult, ceiling: Ceiling) -> RooflineShare | None:
    """What the point reached of the best possible; None where the shape or a peak is unknown."""
    shape, peaks = ceiling.shape, ceiling.peaks
    if shape is None or peaks is None or not row.samples or not row.frames_per_second:
        return None
    workload = _workload(row, shape)
    in_bytes = weight_bytes(ceiling.dtype, ceiling.quantization), number_bytes(ceiling.dtype)
    best = bound(shape, peaks.ceilings, workload, bytes_per_weight=in_bytes[0], bytes_per_kv=in_bytes[1])
    if best is None:
        return None
    taken, num_tiles = row.pass_seconds_per_request, workload.frames * workload.tiles
    vision = num_tiles * (vision_flops(shape) + projector_flops(shape))
    step_bytes = request_step_bytes(shape, workload, bytes_per_weight=in_bytes[0], bytes_per_kv=in_bytes[1])
    return RooflineShare(
        frames_per_second=best.frames_per_second,
        share=row.frames_per_second / best.frames_per_second,
        vision_seconds=best.vision_seconds + best.projector_seconds,
        prefill_seconds=best.prefill_seconds,
        decode_seconds=best.decode_seconds,
        is_step_bound_by_memory=best.is_step_bound_by_memory,
        mfu_vision=mfu(vision, taken.get("vision"), peaks.flops_per_second),
        mfu_prefill=mfu(
            prefill_flops(shape, row.prompt_tokens or 0), taken.get("prefill"), peaks.flops_per_second
        ),
        mbu_steps=mbu(step_bytes, taken.get("steps"), peaks.read_bytes_per_second),
    )


def _workload(row: PointResult, shape: NetworkShape) -> Workload:
    """What was really asked: tiles as they were cut, tokens as they were counted."""
    tiles = _tiles_a_frame(row.samples) or row.tiles
    visual_tokens = row.frames * tiles * shape.tokens_per_tile
    return Workload(
        tiles=tiles,
        prompt_tokens=max(0, (row.prompt_tokens or 0) - visual_tokens),
        output_tokens=max(1, round(row.mean_output_tokens or 1)),
        batch_size=row.batch_size_used or 1,
        frames=row.frames,
    )


def _tiles_a_frame(samples: Sequence[Sample]) -> int:
    num_frames = sum(sample.num_frames for sample in samples)
    return round(sum(sample.num_tiles for sample in samples) / num_frames) if num_frames else 0


def _related(
    row: PointResult,
    loops: dict[tuple[int, int, int], float | None],
    alone: dict[tuple[int, int, int], list[int]],
    ceiling: Ceiling | None,
) -> PointResult:
    loop = loops.get(_asked(row))
    beside = alone.get(_asked(row), [])
    roofline = roofline_share(row, ceiling) if ceiling and _is_ours(row) else None
    return row.model_copy(
        update={
            "speedup_over_loop": row.frames_per_second / loop if row.frames_per_second and loop else None,
            "agreement_with_batch_1": agreement(row.caption_marks, beside),
            "num_captions_compared": min(len(row.caption_marks), len(beside)) or None,
            "roofline": roofline,
            "share_of_roofline": roofline.share if roofline else None,
        }
    )


def _asked(row: PointResult) -> tuple[int, int, int]:
    return row.frames, row.tiles, row.output_tokens


def _is_ours(row: PointResult) -> bool:
    return row.contestant == "engine"
