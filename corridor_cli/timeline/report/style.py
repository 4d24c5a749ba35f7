"""How pages look, from the files beside it; other pages of the house begin with the same style."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FILES = Path(__file__).with_name("files")


@cache
def read_file(name: str) -> str:
    """One of the files that pages are made of."""
    return (FILES / name).read_text(encoding="utf-8")


def base_style() -> str:
    """Colours for light and dark, type, figures, facts and paper."""
    return read_file("base.css")
