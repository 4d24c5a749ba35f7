"""Combinations that are known to go wrong: how each is recognised, why, and what to do.

Kept as two lists, so that what was learned from one machine is told on the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from corridor_cli.hardware import num_usable_cpus
from corridor_cli.printable import shortened
from corridor_cli.runners.checkup.check import Check, Group

_GROUP = Group("known troubles")
_FORKS_OF_DECORD = ("eva-decord", "decord2")
GATED = ("meta-llama/", "google/paligemma", "google/gemma", "mistralai/pixtral")
"""Beginnings of hub ids that ask for an agreement, and so for a token."""


@dataclass(frozen=True, slots=True)
class FailureSign:
    """What a library says when it fails in a known way, and the way out."""

    pattern: str
    advice: str


FAILURES = (
    # Its native half is compiled against one torch, and numbers go in step: torchcodec 0.13 with torch 2.13.
    FailureSign(
        r"undefined symbol|could not load libtorchcodec|symbol not found",
        "It is built for another torch: pip install 'vlmtl[torchcodec]' fetches the one that fits.",
    ),
    FailureSign(
        r"FFmpeg's shared libraries|libav(codec|util|format)[.\w-]*: cannot open",
        "Install FFmpeg's libraries, version 4 to 8: apt-get install ffmpeg",
    ),
    FailureSign(
        r"driver on your system is too old", "Update the NVIDIA driver, or install a torch built for it."
    ),
    # A wheel holds code for some generations of cards only.
    FailureSign(
        r"no kernel image", "This torch has no code for the card: install a build for its generation."
    ),
    FailureSign(
        r"libcuda\.so|Found no NVIDIA driver",
        "Install the NVIDIA driver (in a container: run it with --gpus all).",
    ),
    FailureSign(r"libcud|libnv|libnccl", "torch's CUDA packages do not match: reinstall torch."),
    FailureSign(
        r"operator torchvision::", "torchvision is built for another torch: upgrade or uninstall torchvision."
    ),
    FailureSign(
        r"numpy\.core\.multiarray|_ARRAY_API", "Built for another NumPy: pip install --upgrade numpy"
    ),
    FailureSign(
        r"GLIBC(XX)?_", "The package is built for a newer system: use a newer one, or an older package."
    ),
    FailureSign(r"libgomp", "Install the OpenMP library: apt-get install libgomp1"),
    FailureSign(r"SIGILL", "The package is built for a newer processor: install another build of it."),
    FailureSign(r"SIGKILL", "The system ended it, most likely for want of memory: free some."),
    FailureSign(r"[Oo]ut of memory|cannot allocate", "Free memory on the device, and ask again."),
)


def advice_for(failure: str, otherwise: str) -> str:
    """What to do about a failure, by what was said of it."""
    return next((each.advice for each in FAILURES if re.search(each.pattern, failure)), otherwise)


def check_environment(environ: Mapping[str, str], *, has_nvidia_driver: bool) -> Iterator[Check]:
    """Variables and packages that are known to slow a run down or to mislead it."""
    rows = [_threads(environ), _hidden_cards(environ, has_nvidia_driver), _two_decords()]
    found = [row for row in rows if row is not None]
    yield from found or [_GROUP.ok("none", "no known bad combination was found")]


def _threads(environ: Mapping[str, str]) -> Check | None:
    asked = environ.get("OMP_NUM_THREADS")
    if asked is None:
        return None
    name, usable = "OMP_NUM_THREADS", num_usable_cpus()
    if not asked.isdecimal() or int(asked) < 1:
        return _GROUP.note(
            name, f"is {shortened(asked)!r}, no number of threads", f"Unset it, or {name}={usable}."
        )
    if int(asked) > usable:
        found = f"is {asked}, more than the {usable} usable processors: threads will wait for each other"
        return _GROUP.note(name, found, f"Unset it, or {name}={usable}.")
    if int(asked) == 1 and usable > 1:
        found = f"is 1: a model on the CPU leaves {usable - 1} of {usable} processors idle"
        return _GROUP.note(name, found, f"Unset it, or {name}={usable}; with a card it does no harm.")
    return None


def _hidden_cards(environ: Mapping[str, str], has_nvidia_driver: bool) -> Check | None:
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if not has_nvidia_driver or visible is None or visible not in ("", "-1"):
        return None
    found = f"is {visible!r}: the NVIDIA card is hidden from torch"
    return _GROUP.note("CUDA_VISIBLE_DEVICES", found, "Unset it to use the card.")


def _two_decords() -> Check | None:
    """They install the same folder, so whichever came last is imported, with the other's version."""
    there = {name for each in metadata.distributions() if (name := (each.name or "").lower())}
    both = [name for name in ("decord", *_FORKS_OF_DECORD) if name in there]
    if len(both) < 2:
        return None
    advice = f"pip uninstall {' '.join(both)}, then pip install decord"
    return _GROUP.note("decord", f"{' and '.join(both)} overwrite each other", advice)
