"""Energy of the processors, from the counters under /sys/class/powercap (RAPL, Intel's and AMD's).

Packages and the memory beside them are added up; `core` and `uncore` lie within a package, and `psys` holds
everything once more. The counters are root's to read on most machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")

_MICRO = 1e-6


@dataclass
class _Zone:
    """A counter of microjoules that begins anew after `range_uj`."""

    path: Path
    range_uj: int
    last_uj: int


class ProcessorEnergy:
    """Joules since this was made. `problem` says why nothing is known, or what is left out."""

    def __init__(self, folder: Path = POWERCAP) -> None:
        self.problem = ""
        self._zones: list[_Zone] = []
        self._microjoules = 0
        unreadable = []
        # Links to all zones and their parts lie side by side; intel-rapl-mmio shows the same packages again.
        for zone in sorted(folder.glob("intel-rapl:*")):
            if not _is_counted(zone):
                continue
            try:
                last_uj = _number(zone / "energy_uj")
                self._zones.append(_Zone(zone / "energy_uj", _number(zone / "max_energy_range_uj"), last_uj))
            except (OSError, ValueError) as error:
                unreadable.append(f"{zone.name}: {error}")
        if unreadable:
            self.problem = f"energy of the processors: {'; '.join(unreadable)}"
        elif not self._zones:
            self.problem = f"energy of the processors: no counters of packages in {folder}"

    def joules(self) -> float | None:
        """Of all packages since the start; None where one of them cannot be read.

        To be asked at least as often as a counter turns over, which takes minutes.
        """
        if self.problem:
            return None
        try:
            self._microjoules += sum(_advance(zone) for zone in self._zones)
        except (OSError, ValueError) as error:
            self.problem = f"energy of the processors: {error}"
            return None
        return self._microjoules * _MICRO


def _is_counted(zone: Path) -> bool:
    try:
        name = (zone / "name").read_text().strip()
    except OSError:
        return False
    return name.startswith("package") or name == "dram"


def _advance(zone: _Zone) -> int:
    """Microjoules since the zone was read last."""
    now = _number(zone.path)
    grown = now - zone.last_uj
    zone.last_uj = now
    return grown if grown >= 0 else grown + zone.range_uj


def _number(path: Path) -> int:
    return int(path.read_text())
