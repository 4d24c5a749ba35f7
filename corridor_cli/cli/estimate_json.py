"""An estimate for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from corridor_cli.printable import encodable

if TYPE_CHECKING:
    from corridor_cli.runners.amounts import Amount
    from corridor_cli.runners.reckon import Estimate

Part = dict[str, Any] | None


def estimate_as_json(estimate: Estimate) -> str:
    """The whole estimate as JSON in ASCII. Times are seconds; ranges have `low`, `expected` and `high`; what
    is not known is null."""
    run, scenes = estimate.time, estimate.scenes
    document: dict[str, Any] = {
        "videos": _videos(estimate),
        "sample": {
            "videos": estimate.num_sampled,
            "videos_cut_off": estimate.num_cut_off,
            "share_of_material": round(estimate.sampled_share, 4),
            "wall_seconds": round(estimate.wall_seconds, 3),
            "other_work": round(estimate.other_work, 3),
        },
        "scenes": _amount(scenes.scenes if scenes else None),
        "captions": _amount(scenes.captions if scenes else None),
        "summaries": _summaries(estimate),
        "output_tokens": _amount(estimate.output_tokens),
        "seconds": _amount(run.seconds if run else None),
        "bottleneck": run.bottleneck if run else None,
        "decoding": _decoding(estimate),
        "captioning": _captioning(estimate),
        "start": {
            "program_seconds": round(estimate.start.program_seconds, 3),
            "worker_seconds": round(estimate.start.worker_seconds, 3),
            "model_seconds": round(estimate.start.model_seconds, 3),
        },
        "disk": _disk(estimate),
        "cost": _amount(estimate.cost),
    }
    return json.dumps(document, indent=2)


def _videos(estimate: Estimate) -> Part:
    return {
        "to_do": estimate.num_videos,
        "finished": estimate.num_finished,
        "known_scans": estimate.num_known_scans,
        "unopened": [
            {"path": encodable(each.path), "error": {"type": each.error.type, "message": each.error.message}}
            for each in estimate.unopened
        ],
        "seconds": round(estimate.video_seconds, 3),
        "frames": round(estimate.frames),
    }


def _summaries(estimate: Estimate) -> Part:
    found, trial = estimate.summaries, estimate.trial
    if found is None or trial is None or trial.summary is None:
        return None
    return {
        "requests": _amount(found.requests),
        "seconds": _amount(found.seconds),
        "seconds_each": _amount(trial.summary.seconds),
        "output_tokens": _amount(found.tokens),
    }


def _decoding(estimate: Estimate) -> Part:
    run, decoding = estimate.time, estimate.decoding
    if run is None or decoding is None:
        return None
    speeds = [
        {
            "codec": kind.codec,
            "size": kind.size,
            "frames_per_second": round(1 / speed.seconds_per_frame, 1) if speed.seconds_per_frame else None,
            "spread": round(speed.spread, 3),
            "is_guessed": not speed.num_looks,
        }
        for kind, speed in decoding.speeds.items()
    ]
    return {
        "seconds": _amount(run.decoding),
        "workers": estimate.workers.num_workers,
        "processors": estimate.num_cpus,
        "reason": estimate.workers.reason,
        "speeds": speeds,
    }


def _captioning(estimate: Estimate) -> Part:
    run, trial = estimate.time, estimate.trial
    if run is None or trial is None:
        return None
    return {
        "seconds": _amount(run.captioning),
        "seconds_each": _amount(trial.cost.seconds),
        "model": trial.info.model_id,
        "device": trial.info.device,
        "devices": estimate.num_devices,
        "batch_size": trial.info.batch_size,
        "captions_tried": trial.num_captions,
        "is_reckoned": trial.is_reckoned,
        "is_sharing_processors": run.is_sharing,
        "devices_until_decoding": run.num_devices_until_decoding,
    }


def _disk(estimate: Estimate) -> Part:
    disk = estimate.disk
    if disk is None:
        return None
    return {
        "timeline_bytes": _amount(disk.timeline_bytes),
        "picture_bytes": _amount(disk.picture_bytes),
        "is_capped": disk.is_capped,
    }


def _amount(amount: Amount | None) -> Part:
    if amount is None:
        return None
    figures = {"low": amount.low, "expected": amount.expected, "high": amount.high}
    return {name: round(value, 4) for name, value in figures.items()}
