"""Energy of the processors from a folder laid out like the kernel's, in files that are really read."""

from __future__ import annotations

from pathlib import Path

import pytest

from corridor_cli.bench.power import ProcessorEnergy

RANGE_UJ = 262_143_328_850


class Powercap:
    """A folder like /sys/class/powercap: zones and their parts side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def zone(self, name: str, kind: str, energy_uj: int | str) -> None:
        zone = self.folder / name
        zone.mkdir(exist_ok=True)
        (zone / "name").write_text(f"{kind}\n")
        (zone / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        (zone / "energy_uj").write_text(f"{energy_uj}\n")


@pytest.fixture
def powercap(tmp_path: Path) -> Powercap:
    found = Powercap(tmp_path / "powercap")
    found.folder.mkdir()
    (found.folder / "intel-rapl").mkdir()  # the type of control itself, without counters
    return found


def test_packages_and_memory_are_added_up_and_their_parts_are_not(powercap: Powercap) -> None:
    zones = {
        "intel-rapl:0": ("package-0", 5_000_000, 2_000_000),
        "intel-rapl:1": ("package-1", 7_000_000, 3_000_000),
        "intel-rapl:0:0": ("core", 1_000_000, 1_500_000),
        "intel-rapl:0:1": ("dram", 0, 250_000),
        "intel-rapl:2": ("psys", 90_000_000, 9_000_000),
        "intel-rapl-mmio:0": ("package-0", 5_000_000, 2_000_000),
    }
    for name, (kind, start, _) in zones.items():
        powercap.zone(name, kind, start)
    energy = ProcessorEnergy(powercap.folder)
    assert energy.problem == ""
    assert energy.joules() == 0
    for name, (kind, start, used) in zones.items():
        powercap.zone(name, kind, start + used)
    assert energy.joules() == pytest.approx(2 + 3 + 0.25)
    assert energy.joules() == pytest.approx(2 + 3 + 0.25)


def test_a_counter_that_begins_anew_goes_on(powercap: Powercap) -> None:
    powercap.zone("intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    energy = ProcessorEnergy(powercap.folder)
    for now, joules in (
        (RANGE_UJ - 500_000, 0.5),
        (2_000_000, 3.0),
        (4_000_000, 5.0),
        (1_000_000, 262_145.32885),
    ):
        powercap.zone("intel-rapl:0", "package-0", now)
        assert energy.joules() == pytest.approx(joules)


def test_a_machine_without_counters_says_so(powercap: Powercap, tmp_path: Path) -> None:
    for folder in (powercap.folder, tmp_path / "nowhere"):
        energy = ProcessorEnergy(folder)
        assert energy.joules() is None
        assert str(folder) in energy.problem


def test_counters_that_cannot_be_read_say_so(powercap: Powercap) -> None:
    """As for everybody but root: there, but not to be opened. Root may open all, so a folder stands there."""
    powercap.zone("intel-rapl:0", "package-0", 1)
    powercap.zone("intel-rapl:1", "package-1", 1)
    (powercap.folder / "intel-rapl:1" / "energy_uj").unlink()
    (powercap.folder / "intel-rapl:1" / "energy_uj").mkdir()
    energy = ProcessorEnergy(powercap.folder)
    assert energy.joules() is None
    assert "intel-rapl:1" in energy.problem
    assert "intel-rapl:0" not in energy.problem


@pytest.mark.parametrize("content", ["", "many"])
def test_a_counter_that_ends_leaves_the_sum_unknown(powercap: Powercap, content: str) -> None:
    powercap.zone("intel-rapl:0", "package-0", 1_000_000)
    energy = ProcessorEnergy(powercap.folder)
    powercap.zone("intel-rapl:0", "package-0", content)
    assert energy.joules() is None
    assert energy.problem
