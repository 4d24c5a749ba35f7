"""Settings with the origin of each value: files, environment and flags, read with positions and checked."""

from corridor_cli.config.given import Origin
from corridor_cli.config.load import LoadedSettings, load_settings, packaged_file
from corridor_cli.config.sources import Override

__all__ = ["LoadedSettings", "Origin", "Override", "load_settings", "packaged_file"]
