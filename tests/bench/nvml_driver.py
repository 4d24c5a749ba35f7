"""A driver's library that answers as nvml.h says, for there is no card where the tests run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml


class Driver:
    """Cards in the order of the bus, each as (name, identity)."""

    NVMLError = pynvml.NVMLError
    NVML_CLOCK_SM, NVML_CLOCK_MEM = pynvml.NVML_CLOCK_SM, pynvml.NVML_CLOCK_MEM
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, *cards: tuple[str, str], lacks: tuple[str, ...] = (), starts: bool = True) -> None:
        self.cards, self.lacks, self.starts, self.num_open = cards or (("H200", "GPU-a"),), lacks, starts, 0
        self.millijoules = 7_000_250

    def nvmlInit(self) -> None:
        if not self.starts:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
        self.num_open += 1

    def nvmlShutdown(self) -> None:
        self.num_open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> tuple[str, str]:
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> tuple[str, str]:
        for card in self.cards:
            if card[1] == uuid:
                return card
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    def nvmlDeviceGetName(self, card: tuple[str, str]) -> str:
        return card[0]

    def __getattr__(self, name: str) -> Any:
        answers: dict[str, Any] = {
            "UtilizationRates": SimpleNamespace(gpu=87, memory=40),
            "MemoryInfo": SimpleNamespace(total=140 * 2**30, free=40 * 2**30, used=100 * 2**30),
            "ClockInfo": {self.NVML_CLOCK_SM: 1980, self.NVML_CLOCK_MEM: 3201},
            "Temperature": {self.NVML_TEMPERATURE_GPU: 61},
            "PowerUsage": 512_345,
            "TotalEnergyConsumption": self.millijoules,
            "CurrentClocksEventReasons": 0x4 | 0x20,
            "CurrentClocksThrottleReasons": 0x8,
        }
        what = name.removeprefix("nvmlDeviceGet")
        if what in self.lacks or what not in answers:
            raise AttributeError(name)

        def answer(card: tuple[str, str], *kind: int) -> Any:
            if f"{what}!" in self.lacks:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return answers[what][kind[0]] if kind else answers[what]

        return answer
