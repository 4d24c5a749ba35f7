"""The model of the settings: is it here and whole, which engine runs it, and does it fit?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corridor_cli.engine.checkpoint import CheckpointInfo, read_local_checkpoint
from corridor_cli.engine.locate import BUNDLED_MODEL, is_hub_id, is_offline
from corridor_cli.engine.presets import describe_model
from corridor_cli.errors import ExitCode, ModelError, UsageError
from corridor_cli.hardware import available_memory_bytes, total_device_bytes
from corridor_cli.hosts.question import Answer
from corridor_cli.printable import printable
from corridor_cli.runners.checkup.check import Check, Group
from corridor_cli.runners.checkup.known import GATED
from corridor_cli.settings import ModelSettings
from corridor_cli.telemetry import format_bytes

_GROUP = Group("model")
_OFFLINE_NAMES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_MIN_SPEEDUP = 1.2
_LESS = "Free memory, or take a smaller model, --precision int8 or another --device."


def check_bundled() -> Iterator[Check]:
    """The tiny model that comes along."""
    try:
        info = read_local_checkpoint(BUNDLED_MODEL, None)
        assert info is not None
        yield _GROUP.ok("tiny (bundled)", f"whole, {info.num_parameters:,} parameters")
    except ModelError as error:
        yield _GROUP.note("tiny (bundled)", error.message, error.hint or "Reinstall vlmtl.")


def check_network(environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether models may be fetched; the network itself is not tried."""
    given = [f"{name}={printable(environ[name])}" for name in _OFFLINE_NAMES if environ.get(name)]
    if is_offline():
        found = f"switched off ({', '.join(given)})"
        yield _GROUP.note("hub", found, "Unset it to fetch models; those in the cache work as they are.")
    else:
        yield _GROUP.ok("hub", "may be asked (not tried now)")


def check_model(settings: ModelSettings, device: Answer) -> Iterator[Check]:
    """Rows about the model that a run under these settings would use."""
    if settings.engine == "echo":
        yield _GROUP.ok("model", "none is needed: engine is echo")
        return
    if settings.model is None and settings.load_format == "auto":
        found = "none is set: gpu_pipeline.internvl3.model"
        yield _GROUP.note(
            "model", found, "Name one, here and to `vlmtl run`: --model OpenGVLab/InternVL3-2B-hf"
        )
        return
    try:
        info = _found(settings)
    except ModelError as error:
        if is_hub_id(str(settings.model)) and not is_offline():
            found = f"{error.message.removesuffix('.')}; a run fetches what is missing"
            yield _GROUP.note(
                "model", found, f"To do so now: vlmtl models pull {printable(settings.model or '')}"
            )
            return
        advice = error.hint or "Name another model, or fetch it again."
        yield _GROUP.problem("model", error.message, advice, ExitCode.MODEL)
        return
    except UsageError as error:
        yield _GROUP.problem("model", error.message, error.hint, ExitCode.USAGE)
        return
    if info is None:
        yield from _not_here(str(settings.model))
        return
    yield _files(info)
    yield _engine(info, settings)
    yield _memory(info, settings, device.facts)


def _found(settings: ModelSettings) -> CheckpointInfo | None:
    if settings.load_format == "dummy" or settings.preset is not None:
        return describe_model(settings)
    return read_local_checkpoint(str(settings.model), settings.revision)


def _not_here(model: str) -> Iterator[Check]:
    shown = printable(model)
    if is_offline():
        found = f"{shown} is not in the local cache, and the network is switched off"
        advice = "Unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE, or copy the cache here."
        yield _GROUP.problem("model", found, advice, ExitCode.MODEL)
        return
    found = f"{shown} is not on this machine; the first run fetches it"
    yield _GROUP.note("model", found, f"To fetch it now: vlmtl models pull {shown}")
    if model.lower().startswith(GATED) and not _has_token():
        found = "none, and this model asks for an agreement"
        yield _GROUP.note("hub token", found, "Accept the agreement on the hub, then: hf auth login")


def _has_token() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None


def _files(info: CheckpointInfo) -> Check:
    if info.layout == "dummy":
        return _GROUP.ok("model", f"{info.model_id}, random weights of {info.num_parameters:,} parameters")
    size = sum((Path(info.path) / name).stat().st_size for name in info.weight_files)
    where = "bundled" if info.model_id == BUNDLED_MODEL else "in the hub cache"
    if not (info.model_id == BUNDLED_MODEL or is_hub_id(info.model_id)):
        where = "a local folder"
    told = f"{printable(info.model_id)}, {where}, whole: {len(info.weight_files)} weight "
    told += f"{'file' if len(info.weight_files) == 1 else 'files'}, {format_bytes(size)}"
    return _GROUP.ok("model", told)


def _engine(info: CheckpointInfo, settings: ModelSettings) -> Check:
    if info.shape is None:
        found = f"generic (transformers' generate): {info.unsupported_because}"
        return _GROUP.note(
            "engine", found, "It works, and is slower; an InternVL3 -hf checkpoint runs by local."
        )
    if settings.engine == "generic":
        return _GROUP.ok("engine", "generic, as asked")
    return _GROUP.ok("engine", f"local, {info.layout} layout, {info.text_model_type}")


def _memory(info: CheckpointInfo, settings: ModelSettings, facts: Mapping[str, Any]) -> Check:
    """Weights alone against what may be used, as the engine itself compares them."""
    chosen = facts.get("chosen", "cpu")
    device = facts.get(f"device {chosen}")
    free = device["free_bytes"] if device else available_memory_bytes()
    total = device["total_bytes"] if device else total_device_bytes("cpu")
    room = min(free, int(settings.gpu_memory_fraction * total))
    speedup = device["bfloat16_speedup"] if device else None
    dtype, itemsize = _arithmetic(info, settings, speedup)
    needed = info.num_parameters * itemsize
    told = f"weights take {format_bytes(needed)} in {dtype}, {format_bytes(room)} may be used on {chosen}"
    if needed > room:
        return _GROUP.problem("fits", told, _LESS, ExitCode.MODEL)
    return _GROUP.ok("fits", told)


def _arithmetic(info: CheckpointInfo, settings: ModelSettings, speedup: float | None) -> tuple[str, int]:
    """The dtype and its bytes; where `auto` is not measured yet, the smaller of the two it may take."""
    precision = settings.chosen_precision
    known = {"bf16": ("bfloat16", 2), "fp16": ("float16", 2), "fp32": ("float32", 4), "int8": ("int8", 1)}
    if precision in known:
        return known[precision]
    if info.is_small or (speedup is not None and speedup < _MIN_SPEEDUP):
        return "float32", 4
    return ("bfloat16", 2) if speedup is not None else ("bfloat16 at least", 2)
