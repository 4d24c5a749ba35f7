"""What torch makes of this machine, by the child that loaded it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from corridor_cli.errors import ExitCode
from corridor_cli.hosts.answer_device import ASK, ENGINE, LOAD, TOKENIZER
from corridor_cli.hosts.question import Answer
from corridor_cli.runners.checkup.check import Check, Group, first_line
from corridor_cli.runners.checkup.known import advice_for
from corridor_cli.telemetry import format_bytes

_GROUP = Group("devices")
_AGAIN = "Ask again: the first load may be slow. Else reinstall: pip install --force-reinstall torch"
_REINSTALL = {
    LOAD: "Reinstall it: pip install --force-reinstall torch",
    ENGINE: "Reinstall vlmtl and torch.",
    TOKENIZER: "Reinstall it: pip install --force-reinstall transformers",
}
# Below this share of float32's speed bfloat16 is emulated; above it, it is chosen (hardware.choose_dtype).
_MIN_SPEEDUP = 1.2


def check_devices(answer: Answer, requested: str, *, has_nvidia_driver: bool) -> Iterator[Check]:
    """torch, each device with its memory, the one a run would take, and the precision that is fast there."""
    facts = answer.facts
    if failure := facts.get(f"failed {LOAD}"):
        yield _broken("torch", failure, "", _REINSTALL[LOAD])
        return
    if "torch" not in facts:
        yield _broken("torch", f"loading it {answer.problem}", answer.printed, _AGAIN)
        return
    yield _torch(facts, has_nvidia_driver)
    for name, device in _devices(facts):
        yield _device(name, device)
    for name, failure in facts.items():
        if name.startswith("failed using "):
            yield _unusable(name.removeprefix("failed using "), str(failure))
    yield from _chosen(facts, requested)
    for step, name in ((ENGINE, "engine"), (TOKENIZER, "transformers")):
        if failure := facts.get(f"failed {step}"):
            yield _broken(name, failure, "", _REINSTALL[step])
    if answer.problem:
        yield _broken(answer.step, answer.problem, answer.printed, _AGAIN)


def free_bytes(answer: Answer) -> int | None:
    """Free memory of the device a run would take; None where it is not known."""
    device = answer.facts.get(f"device {answer.facts.get('chosen')}")
    return int(device["free_bytes"]) if device else None


def _devices(facts: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, device in facts.items():
        if name.startswith("device "):
            yield name.removeprefix("device "), device


def _torch(facts: Mapping[str, Any], has_nvidia_driver: bool) -> Check:
    told, build = f"{facts['torch']} loads", facts.get("cuda_build")
    warnings = [first_line(each) for each in facts.get("cuda_warnings", [])]
    has_card = any(name != "cpu" for name, _ in _devices(facts))
    if has_card:
        return _GROUP.ok("torch", f"{told}, built for CUDA {build}")
    if not build:
        if has_nvidia_driver:
            advice = "Install one with CUDA (pytorch.org/get-started): this one leaves the card idle."
            return _GROUP.note("torch", f"{told}, built without CUDA, and an NVIDIA driver is here", advice)
        return _GROUP.ok("torch", f"{told}, built for the CPU alone")
    found = f"{told}, built for CUDA {build}, but sees no device"
    if warnings:
        found += f": {warnings[0]}"
    missing = "Is the card hidden, or the driver older than this CUDA? See nvidia-smi."
    no_driver = "Runs on the CPU. With a card, install the NVIDIA driver."
    return _GROUP.note("torch", found, advice_for(found, missing if has_nvidia_driver else no_driver))


def _device(name: str, device: Mapping[str, Any]) -> Check:
    told = f"{device['name']}, " if device["name"] else ""
    told += f"{format_bytes(device['free_bytes'])} free of {format_bytes(device['total_bytes'])}"
    speedup = device["bfloat16_speedup"]
    if speedup is None:
        told += "; precision not measured yet (a run does it in 0.2 s)"
    else:
        best = "bfloat16" if speedup >= _MIN_SPEEDUP else "float32"
        told += f"; {best} is the fast precision (bfloat16 was measured at {speedup:.2f}x)"
    return _GROUP.ok(name, told)


def _unusable(name: str, failure: str) -> Check:
    advice = advice_for(failure, "Use another one (--device cpu), and see nvidia-smi.")
    return _GROUP.problem(name, f"cannot compute: {first_line(failure)}", advice, ExitCode.MODEL)


def _chosen(facts: Mapping[str, Any], requested: str) -> Iterator[Check]:
    if refused := facts.get("refused") or facts.get(f"failed {ASK}"):
        hint = facts.get("hint") or "Use `--device auto`."
        yield _GROUP.problem("chosen", first_line(str(refused)), hint, ExitCode.MODEL)
    elif chosen := facts.get("chosen"):
        yield _GROUP.ok("chosen", f"{chosen} (asked for: {requested})")


def _broken(name: str, failure: str, printed: str, otherwise: str) -> Check:
    last = printed.splitlines()[-1].strip() if printed else ""
    found = first_line(failure) + (f"; it last printed: {last[:200]}" if last else "")
    return _GROUP.problem(name, found, advice_for(failure + printed, otherwise), ExitCode.MODEL)
