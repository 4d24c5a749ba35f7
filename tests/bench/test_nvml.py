"""What the driver's library answers, turned into facts."""

from __future__ import annotations

import pynvml
import pytest
from nvml_driver import Driver

from corridor_cli.bench.nvml import open_device, open_in, throttle_names


def test_a_card_in_our_units() -> None:
    driver = Driver()
    device, problem = open_in(driver, "cuda:0", {})
    assert device is not None
    assert problem == ""
    use = device.use()
    assert (use.busy_percent, use.memory_bytes) == (87.0, 100 * 2**30)
    assert (use.sm_mhz, use.memory_mhz, use.celsius) == (1980, 3201, 61)
    assert (use.watts, use.joules) == (512.345, 7000.25)
    assert use.throttle_reasons == ("power cap", "thermal slowdown by the driver")
    device.close()
    assert driver.num_open == 0


def test_what_a_card_does_not_tell_is_unknown_and_the_rest_is_told() -> None:
    lacks = ("UtilizationRates!", "TotalEnergyConsumption!", "CurrentClocksEventReasons", "Temperature!")
    device, _ = open_in(Driver(lacks=lacks), "cuda:0", {})
    assert device is not None
    use = device.use()
    assert (use.busy_percent, use.joules, use.celsius) == (None, None, None)
    assert use.watts == 512.345
    assert use.throttle_reasons == ("hardware slowdown",)


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, ()), (1, ()), (0x41, ("thermal slowdown by the hardware",)),
        (0x80 | 0x1000, ("power brake", "reason 0x1000")),
    ],
)  # fmt: skip
def test_idle_is_no_reason_to_be_slow(bits: int, names: tuple[str, ...]) -> None:
    assert throttle_names(bits) == names


def test_the_reasons_are_those_of_the_library() -> None:
    known = {
        "SwPowerCap": "power cap", "HwSlowdown": "hardware slowdown", "HwPowerBrakeSlowdown": "power brake",
        "SyncBoost": "sync boost", "SwThermalSlowdown": "thermal slowdown by the driver",
        "HwThermalSlowdown": "thermal slowdown by the hardware", "DisplayClockSetting": "display clocks",
        "ApplicationsClocksSetting": "clocks set by the user",
    }  # fmt: skip
    for name, told in known.items():
        assert throttle_names(getattr(pynvml, f"nvmlClocksEventReason{name}")) == (told,)


TWINS = (("H100", "GPU-a"), ("H100", "GPU-b"), ("H100", "GPU-c"))
STRANGERS = (("T4", "GPU-a"), ("H100", "GPU-b"))


@pytest.mark.parametrize(
    ("cards", "device", "environment", "identity"),
    [
        (TWINS, "cuda:1", {}, "GPU-b"),
        (TWINS, "cuda", {}, "GPU-a"),
        (TWINS, "GPU-c", {"CUDA_VISIBLE_DEVICES": "0"}, "GPU-c"),
        (TWINS, "cuda:0", {"CUDA_VISIBLE_DEVICES": "2,0"}, "GPU-c"),
        (TWINS, "cuda:1", {"CUDA_VISIBLE_DEVICES": "GPU-c, GPU-a"}, "GPU-a"),
        (STRANGERS, "cuda:0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "GPU-a"),
        (STRANGERS, "cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-b"}, "GPU-b"),
        (STRANGERS, "cuda:0", {}, None),
        (TWINS, "cuda:3", {}, None),
        (TWINS, "GPU-x", {}, None),
    ],
)
def test_the_card_that_cuda_means(
    cards: tuple[tuple[str, str], ...], device: str, environment: dict[str, str], identity: str | None
) -> None:
    driver = Driver(*cards)
    found, problem = open_in(driver, device, environment)
    if identity is None:
        assert found is None
        assert device in problem
        assert driver.num_open == 0
    else:
        assert found is not None
        assert found._handle[1] == identity


def test_a_machine_without_a_driver_says_so() -> None:
    found, problem = open_in(Driver(starts=False), "cuda:0", {})
    assert found is None
    assert "NVML does not start" in problem


def test_the_real_library_is_asked() -> None:
    """Here it finds no driver; where there is one, it knows the first card."""
    found, problem = open_device("cuda:0")
    assert (found is None) is bool(problem)
    if found is not None:
        assert found.use().memory_bytes
        found.close()
