"""`vlmtl models verify` on this machine: the checkpoint, the device, the frames, and both engines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from corridor_cli.engine.presets import describe_model
from corridor_cli.engine.reference import LocalCaptioner, TransformersReference, opened
from corridor_cli.engine.verify import Question, Verdict, verify
from corridor_cli.engine.verify_frames import frames_to_show
from corridor_cli.errors import ModelError
from corridor_cli.hardware import choose_device, choose_dtype, choose_threads
from corridor_cli.runners.picture_limits import OVERSAMPLING
from corridor_cli.settings import DEFAULT_PROMPT, ModelSettings, Precision

# As in `runners/local.py`: the frames of a run have this many times the pixels of their tiles.


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What `verify` is asked on the command line. With int8 the reference is bf16 or fp32."""

    model: str
    revision: str | None
    device: str
    precision: Precision
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
    settings = ModelSettings(
        model=options.model,
        revision=options.revision,
        device=options.device,
        precision=options.precision,
        max_tiles=options.max_tiles,
    )
    info = describe_model(settings)
    if info.shape is None:
        raise ModelError(
            f"The local engine does not run {options.model}, because {info.unsupported_because}.",
            hint="Nothing is to be verified: the generic engine runs this model by transformers itself.",
        )
    if info.layout != "hf":
        raise ModelError(
            f"{options.model} is in the original layout: transformers has nothing to compare with.",
            hint="Verify its `-hf` twin, which holds the same weights.",
        )
    device = choose_device(options.device)
    torch.set_num_threads(choose_threads(info.is_small).value)
    dtype = choose_dtype(device.value, options.precision, info.is_small)
    frames = frames_to_show(options.frames, options.count, OVERSAMPLING * options.max_tiles * info.tile_px**2)
    verdict = verify(
        lambda: opened(
            lambda: TransformersReference(info, device.value, getattr(torch, dtype.value), options.max_tiles)
        ),
        lambda: opened(lambda: LocalCaptioner(settings)),
        Question(DEFAULT_PROMPT, frames, options.max_new_tokens),
        "int8" if options.precision == "int8" else dtype.value,
    )
    reasons = (device.reason, dtype.reason)
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
