"""What is installed, in which version, and whether `vlmtl` may be used with it. Nothing is imported."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from corridor_cli import __version__
from corridor_cli.errors import ExitCode
from corridor_cli.runners.checkup.check import Check, Group

_GROUP = Group("versions")
PACKAGES = ("torch", "transformers", "av", "decord", "torchcodec")
# Packages of an extra: which one it is, and what it is for.
EXTRAS = {
    "torchcodec": ("torchcodec",),
    "export": ("orjson", "pyarrow"),
    "otio": ("opentimelineio", "otio-cmx3600-adapter"),
    "bench": ("matplotlib", "nvidia-ml-py"),
    "json": ("llguidance",),
    "whisper": ("faster-whisper",),
}
_EXTRA_USES = {
    "torchcodec": "decoding on an NVIDIA card",
    "export": "Parquet and datasets",
    "otio": "OpenTimelineIO and edit lists",
    "bench": "pictures of a benchmark, energy of a card",
    "json": "answers that follow a JSON Schema",
    "whisper": "writing down what is said",
}
_LEAST = re.compile(r"^([A-Za-z0-9._-]+)>=([0-9.]+)")


def installed_version(package: str) -> str | None:
    """The version of an installed package; None when it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def check_versions() -> Iterator[Check]:
    """vlmtl, Python, what every run needs, and the extras."""
    yield _GROUP.ok("vlmtl", __version__)
    yield _GROUP.ok("python", f"{platform.python_version()}, {platform.platform(terse=True)}")
    required = _required()
    for package in PACKAGES:
        if package != "torchcodec":
            yield _package(package, required.pop(package, None))
    for package, least in required.items():
        row = _package(package, least)
        if row.status != "ok":
            yield row
    for extra, packages in EXTRAS.items():
        yield _extra(extra, packages)


def _required() -> dict[str, str]:
    """The least version of each package that every run needs; empty where `vlmtl` is not installed."""
    try:
        wanted = metadata.requires("vlmtl") or []
    except metadata.PackageNotFoundError:
        return {}
    # The one marker but those of extras is decord's: it is on PyPI for Linux on x86_64 only.
    has_decord = sys.platform == "linux" and platform.machine() == "x86_64"
    found = (_LEAST.match(each) for each in wanted if "extra ==" not in each)
    return {each[1]: each[2] for each in found if each and (has_decord or each[1] != "decord")}


def _package(package: str, least: str | None) -> Check:
    version = installed_version(package)
    if version is None and least is None:
        return _GROUP.ok(package, "not installed, and not needed on this system")
    advice = f'Install it: pip install --upgrade "{package}>={least}"'
    if version is None:
        return _GROUP.problem(package, "not installed", advice, ExitCode.MODEL)
    if least is not None and _numbers(version) < _numbers(least):
        return _GROUP.problem(package, f"{version}, at least {least} is needed", advice, ExitCode.MODEL)
    return _GROUP.ok(package, version)


def _extra(extra: str, packages: tuple[str, ...]) -> Check:
    versions = {package: installed_version(package) for package in packages}
    told = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    missing = [package for package, version in versions.items() if version is None]
    if not missing:
        return _GROUP.ok(f"[{extra}]", told)
    use = _EXTRA_USES[extra]
    if told:
        advice = f'For {use}: pip install "vlmtl[{extra}]"'
        return _GROUP.note(f"[{extra}]", f"{told}, but not {', '.join(missing)}", advice)
    return _GROUP.ok(f"[{extra}]", f"not installed; for {use}")


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version as numbers: `2.13.0+cpu` is (2, 13, 0)."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
