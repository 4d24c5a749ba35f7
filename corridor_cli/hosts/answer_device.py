"""The child that says what torch makes of this machine: it loads torch and uses each device for a moment."""

from __future__ import annotations

import warnings

from corridor_cli.errors import ModelError
from corridor_cli.hardware import (
    choose_device,
    free_device_bytes,
    kept_measurement,
    machine_key,
    total_device_bytes,
)
from corridor_cli.hosts.process import enter_child
from corridor_cli.hosts.question import Teller

LOAD, ASK, ENGINE, TOKENIZER = (
    "loading torch",
    "looking for CUDA",
    "loading the engine",
    "loading transformers",
)


def main(answer_fd: int, parent_pid: int, requested: str) -> None:
    """Facts: `torch`, `cuda_build`, `devices` (one table each), `chosen` or `refused`, and what failed."""
    enter_child(parent_pid)
    teller = Teller(answer_fd)
    with teller.step(LOAD):
        import torch

        teller.tell(torch=torch.__version__, cuda_build=torch.version.cuda or torch.version.hip)
    names = ["cpu"]
    with teller.step(ASK), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        is_available = torch.cuda.is_available()
        teller.tell(cuda_warnings=[str(each.message) for each in told])
        names += [f"cuda:{number}" for number in range(torch.cuda.device_count())] if is_available else []
    for name in names:
        with teller.step(f"using {name}"):
            teller.tell(**{f"device {name}": _device(name)})
    with teller.step(ASK):
        try:
            choice = choose_device(requested)
            teller.tell(chosen=choice.value, reason=choice.reason)
        except ModelError as error:
            teller.tell(refused=error.message, hint=error.hint)
    with teller.step(ENGINE):
        import corridor_cli.engine.local.engine  # noqa: F401
    with teller.step(TOKENIZER):
        from transformers import AutoTokenizer  # noqa: F401


def _device(name: str) -> dict[str, object]:
    """Its name and memory; a product is computed first, which a torch built without this card cannot."""
    import torch

    side = torch.ones(8, 8, device=name)
    total = float(torch.mm(side, side).sum())
    if total != 512.0:
        raise ArithmeticError(f"a sum of 512 came out as {total}")
    kept = kept_measurement("precision", machine_key(name))
    return {
        "name": None if name == "cpu" else torch.cuda.get_device_name(name),
        "free_bytes": free_device_bytes(name),
        "total_bytes": total_device_bytes(name),
        "bfloat16_speedup": kept if isinstance(kept, int | float) else None,
    }
