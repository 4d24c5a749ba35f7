"""`vlmtl models verify` on this machine: the checkpoint, the device, the frames, and both engines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from corridor_cli.engine.checkpoint import read_checkpoint
from corridor_cli.engine.generic_checkpoint import why_generic
from corridor_cli.engine.reference import LocalCaptioner, TransformersReference, opened
from corridor_cli.engine.verify import Question, Verdict, verify
from corridor_cli.engine.verify_frames import frames_to_show
from corridor_cli.errors import ModelError
from corridor_cli.hardware import choose_device, choose_dtype, choose_threads
from corridor_cli.settings import DEFAULT_PROMPT

_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_OVERSAMPLING = (
    4  # as in `runners/local.py`: the frames of a run have this many times the pixels of their tiles
)


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What `verify` is asked on the command line. `precision` is auto, fp32, bf16 or fp16."""

    model: str
    revision: str | None
    device: str
    precision: str
    frames: Path | None
    count: int
    max_new_tokens: int
    max_tiles: int


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The verdict, and what it is about."""

    model: str
    revision: str | None
    device: str
    reasons: tuple[str, ...]
    verdict: Verdict
    environment: dict[str, str]


def verify_model(options: VerifyOptions) -> VerifyReport:
    """Compare the local engine with transformers. Raises `ModelError` where the engine would not be used."""
    reason = why_generic(options.model, options.revision)
    if reason:
        raise ModelError(
            f"There is nothing to verify: {reason}.",
            hint="The generic engine runs this model by transformers itself.",
        )
    info = read_checkpoint(options.model, options.revision)
    device = choose_device(options.device)
    torch.set_num_threads(choose_threads(info.is_small).value)
    dtype = choose_dtype(device.value, True, info.is_small)
    name = _DTYPES.get(options.precision, dtype.value)
    why = dtype.reason if options.precision == "auto" else f"precision: {name}, as asked"
    max_pixels = _OVERSAMPLING * options.max_tiles * info.tile_px**2
    frames = frames_to_show(options.frames, options.count, max_pixels)
    both = (info, device.value, getattr(torch, name), options.max_tiles)
    verdict = verify(
        lambda: opened(partial(TransformersReference, *both)),
        lambda: opened(partial(LocalCaptioner, *both)),
        Question(DEFAULT_PROMPT, frames, options.max_new_tokens),
        name,
    )
    reasons = (device.reason, why)
    return VerifyReport(
        options.model, info.revision, device.value, reasons, verdict, _environment(info.identity)
    )


def report_as_table(report: VerifyReport) -> dict[str, Any]:
    """The document of `--json`."""
    table = asdict(report)
    verdict = report.verdict
    table["verdict"] |= {
        "is_trusted": verdict.is_trusted,
        "num_same_first_tokens": verdict.num_same_first_tokens,
        "num_same_captions": verdict.num_same_captions,
    }
    return table


def _environment(identity: str) -> dict[str, str]:
    import transformers

    return {"torch": torch.__version__, "transformers": transformers.__version__, "checkpoint": identity}
