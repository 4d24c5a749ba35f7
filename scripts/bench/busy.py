"""How busy the GPU is, asked of the driver while work goes on.

The driver answers with the share of its last sample period (up to a second) in which any kernel ran, so only
work of several seconds can be judged; a kernel that fills a tenth of the chip counts as busy too.
"""

from __future__ import annotations

import statistics
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType

_PERIOD_SECONDS = 0.1


class BusySampler:
    """Samples inside the block. `percent` is the mean, None where the driver cannot be asked."""

    def __init__(self, device: str) -> None:
        self._read, self.source = _find_reader(device)
        self._samples: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @property
    def percent(self) -> float | None:
        return round(statistics.mean(self._samples), 1) if self._samples else None

    def __enter__(self) -> BusySampler:
        if self._read is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._read is not None:
            self._thread.join()

    def _sample(self) -> None:
        assert self._read is not None
        while not self._stop.wait(_PERIOD_SECONDS):
            try:
                self._samples.append(self._read())
            except (OSError, RuntimeError, ValueError, subprocess.SubprocessError):
                return  # the driver stopped answering: what was sampled stands


def _find_reader(device: str) -> tuple[Callable[[], float] | None, str]:
    if not device.startswith("cuda"):
        return None, "not measured: needs CUDA"
    return _nvml_reader(device) or _smi_reader(device) or (None, "not measured: neither NVML nor nvidia-smi")


def _uuid(device: str) -> str:
    """Ordinals of torch and of the driver differ under CUDA_VISIBLE_DEVICES; the identity does not."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _nvml_reader(device: str) -> tuple[Callable[[], float], str] | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(_uuid(device))
        pynvml.nvmlDeviceGetUtilizationRates(handle)
    except Exception:  # noqa: BLE001 - no package, no library, no permission: another way is tried
        return None
    return (lambda: float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)), "NVML"


def _smi_reader(device: str) -> tuple[Callable[[], float], str] | None:
    command = [
        "nvidia-smi",
        f"--id={_uuid(device)}",
        "--query-gpu=utilization.gpu",
        "--format=csv,noheader,nounits",
    ]

    def read() -> float:
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout)

    try:
        read()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return read, "nvidia-smi"
