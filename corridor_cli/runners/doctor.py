"""`vlmtl doctor`: whether this machine can do the work, row by row, and what to do where it cannot.

Main loads neither torch nor a decoder: children try them, side by side, and may hang or crash as they like.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from corridor_cli.config import Override, load_settings
from corridor_cli.errors import ConfigError, ExitCode
from corridor_cli.hosts.question import Answer, Question
from corridor_cli.media.nvdec import DRIVER_VERSION
from corridor_cli.runners.checkup.check import Check, Group, guarded
from corridor_cli.runners.checkup.devices import check_devices
from corridor_cli.runners.checkup.known import check_environment
from corridor_cli.runners.checkup.machine import check_machine
from corridor_cli.runners.checkup.model import check_bundled, check_model, check_network
from corridor_cli.runners.checkup.readers import check_optional, check_pyav
from corridor_cli.runners.checkup.storage import (
    check_cache,
    check_current,
    check_hub_cache,
    check_temporary,
)
from corridor_cli.runners.checkup.versions import check_versions, installed_version
from corridor_cli.settings import Settings

# A run meets what is wrong in this order, so its exit code is that of the first.
_ORDER = (ExitCode.USAGE, ExitCode.MODEL, ExitCode.STORAGE)
_READER = "corridor_cli.hosts.answer_reader"
_DEVICE = "corridor_cli.hosts.answer_device"
_NOT_ASKED = Answer({}, "", "was not asked", "")


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is asked about: a settings file (None: the one found here), what overrides it, and the variables.

    `reader_seconds` and `device_seconds` limit the children; loading torch from a cold disk takes its time.
    """

    config: Path | None
    overrides: Sequence[Override]
    environ: Mapping[str, str]
    reader_seconds: float = 30.0
    device_seconds: float = 60.0


def run_doctor(options: DoctorOptions) -> Iterator[Check]:
    """All checks, group by group, as they are done; closing the iterator ends what is under way."""
    has_driver = DRIVER_VERSION.is_file()
    settings, row = _settings(options)
    with ExitStack() as stack:
        folder = _scratch(stack)
        device = _ask(stack, options.device_seconds, _DEVICE, settings.gpu_pipeline.internvl3.device)
        pyav = _ask(stack, options.reader_seconds, _READER, "pyav", str(folder)) if folder else None
        yield from guarded("versions", "versions", check_versions)
        yield row
        yield from guarded("machine", "machine", check_machine)
        storage = {
            "temporary": check_temporary,
            "current": check_current,
            "measurements": check_cache,
            "models": check_hub_cache,
        }
        for name, check in storage.items():
            yield from guarded("storage", name, check)
        yield from _readers(stack, options, settings, _answer(pyav))
        answer = _answer(device)
        requested = settings.gpu_pipeline.internvl3.device
        told = partial(check_devices, answer, requested, has_nvidia_driver=has_driver)
        yield from guarded("devices", "devices", told)
        yield from guarded("model", "tiny (bundled)", check_bundled)
        yield from guarded("model", "hub", partial(check_network, options.environ))
        yield from guarded("model", "model", partial(check_model, settings.gpu_pipeline.internvl3, answer))
        troubles = partial(check_environment, options.environ, has_nvidia_driver=has_driver)
        yield from guarded("known troubles", "known troubles", troubles)


def exit_code_of(checks: Sequence[Check]) -> ExitCode:
    """0, or the code that a run would end with."""
    found = {check.exit_code for check in checks}
    return next((code for code in _ORDER if code in found), ExitCode.OK)


def _settings(options: DoctorOptions) -> tuple[Settings, Check]:
    """The settings of a run here, and the row about them; the defaults where they are wrong."""
    group = Group("settings")
    try:
        loaded = load_settings(options.config, options.overrides, options.environ)
    except ConfigError as error:
        lines = error.message.splitlines()
        found = lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")
        row = group.problem("settings", found, error.hint or "See `vlmtl config check`.", ExitCode.USAGE)
        return _with_model(options.overrides), row
    num_variables = sum(origin.kind == "environment" for origin in loaded.origins.values())
    told = f"valid, {loaded.note}"
    if num_variables:
        told += f", {num_variables} from the environment"
    return loaded.settings, group.ok("settings", told)


def _with_model(overrides: Sequence[Override]) -> Settings:
    """The defaults with the flags on top, where those are good: what they name can still be looked at."""
    try:
        return load_settings(None, overrides, {}).settings
    except ConfigError:
        return Settings()


def _scratch(stack: ExitStack) -> Path | None:
    """A folder for drawn clips; None where no temporary folder can be had, which is a row of its own."""
    try:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="vlmtl-doctor-", ignore_cleanup_errors=True)
        )
    except OSError:
        return None
    return Path(name)


def _ask(stack: ExitStack, limit_seconds: float, module: str, *arguments: str) -> Question | None:
    try:
        return stack.enter_context(Question(module, *arguments, limit_seconds=limit_seconds))
    except OSError:  # no process, no descriptor, no temporary file
        return None


def _answer(question: Question | None) -> Answer:
    return (
        replace(_NOT_ASKED, problem="could not be tried: no process or temporary file")
        if question is None
        else question.answer()
    )


def _readers(stack: ExitStack, options: DoctorOptions, settings: Settings, pyav: Answer) -> Iterator[Check]:
    clip = pyav.facts.get("clip")
    versions = {name: installed_version(name) for name in ("decord", "torchcodec")}
    asked: dict[str, Question | None] = {}
    limits = {"decord": options.reader_seconds, "torchcodec": options.device_seconds}
    for name, version in versions.items():
        if version is not None and clip is not None:
            asked[name] = _ask(stack, limits[name], _READER, name, clip)
    yield from guarded("readers", "pyav", partial(check_pyav, pyav))
    for name, version in versions.items():
        answer = _answer(asked[name]) if name in asked else None
        is_asked_for = settings.decode.reader == name
        yield check_optional(name, version, answer, is_asked_for=is_asked_for)
