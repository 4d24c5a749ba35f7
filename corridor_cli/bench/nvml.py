"""An NVIDIA card as its driver describes it, through NVML (package nvidia-ml-py, optional)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Bits of `nvmlClocksEventReasons`, nvml.h. Idle (0x1) is left out: it slows nothing that runs.
_THROTTLE_REASONS = {
    0x2: "clocks set by the user",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by the driver",
    0x40: "thermal slowdown by the hardware",
    0x80: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}
_MIG_OR_GPU = ("GPU-", "MIG-")


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """One look at a card. What the driver does not tell is None.

    `busy_percent` is the share of the driver's last sample period (up to a second) in which any kernel ran.
    `memory_bytes` is all that is in use, other processes' and the driver's too, `joules` those since the
    driver was loaded.
    """

    busy_percent: float | None
    memory_bytes: int | None
    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    watts: float | None
    joules: float | None
    throttle_reasons: tuple[str, ...] | None


class NvmlDevice:
    """A card of the driver's library, open until `close`; `library` is the module `pynvml`."""

    def __init__(self, library: Any, handle: Any) -> None:
        self._library, self._handle = library, handle

    def use(self) -> DeviceUse:
        """How it is now."""
        library, ask = self._library, self._ask
        watts, joules = ask("PowerUsage"), ask("TotalEnergyConsumption")  # in thousandths
        reasons = ask("CurrentClocksEventReasons")
        if reasons is None:  # older drivers and packages know it by its first name
            reasons = ask("CurrentClocksThrottleReasons")
        busy, memory = ask("UtilizationRates"), ask("MemoryInfo")
        return DeviceUse(
            busy_percent=None if busy is None else float(busy.gpu),
            memory_bytes=None if memory is None else int(memory.used),
            sm_mhz=ask("ClockInfo", library.NVML_CLOCK_SM),
            memory_mhz=ask("ClockInfo", library.NVML_CLOCK_MEM),
            celsius=ask("Temperature", library.NVML_TEMPERATURE_GPU),
            watts=None if watts is None else watts / 1000,
            joules=None if joules is None else joules / 1000,
            throttle_reasons=None if reasons is None else throttle_names(reasons),
        )

    def close(self) -> None:
        try:
            self._library.nvmlShutdown()
        except self._library.NVMLError:
            return

    def _ask(self, what: str, *arguments: Any) -> Any:
        """What `nvmlDeviceGet…` answers; None where this card, driver or package does not know it."""
        question: Callable[..., Any] | None = getattr(self._library, f"nvmlDeviceGet{what}", None)
        try:
            return None if question is None else question(self._handle, *arguments)
        except self._library.NVMLError:
            return None


def throttle_names(bits: int) -> tuple[str, ...]:
    """The reasons why a card runs below its clocks; bits nobody knows keep their number."""
    known = tuple(name for bit, name in _THROTTLE_REASONS.items() if bits & bit)
    rest = bits & ~sum(_THROTTLE_REASONS) & ~0x1
    return (*known, f"reason {rest:#x}") if rest else known


def open_device(device: str) -> tuple[NvmlDevice | None, str]:
    """The card of `cuda:n` or of an identity (`GPU-…`), or why the driver cannot be asked about it."""
    try:
        import pynvml
    except ImportError:
        return None, 'the card: package nvidia-ml-py is missing (`pip install "vlmtl[bench]"`)'
    return open_in(pynvml, device, os.environ)


def open_in(library: Any, device: str, environment: Mapping[str, str]) -> tuple[NvmlDevice | None, str]:
    """`open_device` with the library and the variables given that say which cards CUDA numbers."""
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        return None, f"the card: NVML does not start: {error}"
    try:
        return NvmlDevice(library, _handle(library, device, environment)), ""
    except (library.NVMLError, LookupError, ValueError) as error:
        library.nvmlShutdown()
        return None, f"the card: NVML does not know {device}: {error}"


def _handle(library: Any, device: str, environment: Mapping[str, str]) -> Any:
    """CUDA numbers the cards it may see, NVML all of them in the order of the bus.

    Raises `LookupError` where it cannot be told which is meant.
    """
    name = device
    if not device.startswith(_MIG_OR_GPU):
        number = int(device.partition(":")[2] or 0)
        visible = [
            each.strip() for each in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if each.strip()
        ]
        name = visible[number] if visible else str(number)
    if name.startswith(_MIG_OR_GPU):
        return library.nvmlDeviceGetHandleByUUID(name)
    handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]
    is_bus_order = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    if not is_bus_order and len({str(library.nvmlDeviceGetName(handle)) for handle in handles}) > 1:
        raise LookupError(
            "cards differ, and CUDA numbers the fastest first; set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        )
    return handles[int(name)]
