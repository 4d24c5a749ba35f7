"""What is made of the sample documents, once a process: all pictures of the full one take three seconds."""

from __future__ import annotations

from functools import cache

from corridor_cli.bench.pictures import Drawn, draw_pictures
from corridor_cli.bench.report import report_html
from tests.bench.bench_samples import full_document, hostile_document, minimal_document

FULL, MINIMAL, ROUGH = full_document(), minimal_document(), hostile_document()
SAMPLES = {"full": FULL, "minimal": MINIMAL, "hostile": ROUGH}


@cache
def drawn_of(name: str) -> Drawn:
    return draw_pictures(SAMPLES[name])


@cache
def page_of(name: str) -> str:
    return report_html(SAMPLES[name], drawn_of(name))
