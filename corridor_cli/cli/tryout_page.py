"""The page of `vlmtl try`: scenes with their pictures, and what each variant made of them beside each other.

It loads nothing and runs nothing; whatever a caption holds is text.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from string import ascii_uppercase
from typing import TYPE_CHECKING

from corridor_cli.cli.tryout_lines import figures_line, place, told
from corridor_cli.printable import printable
from corridor_cli.records import Role

if TYPE_CHECKING:
    from corridor_cli.runners.tryout import Tryout

_ROLES = tuple(Role)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #767676; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 90rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
section { border-top: 1px solid var(--line); padding: 1rem 0; break-inside: avoid; }
.pictures { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: .75rem; }
.pictures img { max-height: 9rem; max-width: 100%; border: 1px solid var(--line); }
.answers { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
.answers p { margin: 0; overflow-wrap: anywhere; } .answers b { color: var(--soft); }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { padding: .2rem 1rem .2rem 0; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; } .soft { color: var(--soft); }
"""


def tryout_html(found: Tryout) -> bytes:
    """The page as UTF-8."""
    body = [
        "<h1>Captions tried</h1>",
        f'<p class="soft">{_text(figures_line(found))}</p>',
        _variants(found),
        *(_scene(found, number) for number in range(len(found.scenes))),
    ]
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Captions tried</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )
    return page.encode("utf-8")


def _variants(found: Tryout) -> str:
    rows = [
        f"<tr><th>{letter}</th><td>{_text(result.variant.label)}</td>"
        f"<td>{_text(result.engine.model_id)}</td>"
        f'<td class="number">{result.seconds_per_scene:.3g}</td>'
        f"<td>{_text(result.variant.settings.caption.prompt)}</td></tr>"
        for letter, result in zip(ascii_uppercase, found.results, strict=False)
    ]
    head = "<tr><th></th><th>variant</th><th>model</th><th>s/scene</th><th>prompt</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _scene(found: Tryout, number: int) -> str:
    scene = found.scenes[number]
    pictures = "".join(
        f'<img alt="{role.value} frame" src="data:image/jpeg;base64,{b64encode(data).decode("ascii")}">'
        for role, data in sorted(scene.pictures.items(), key=lambda each: _ROLES.index(each[0]))
    )
    answers = "".join(
        f'<p dir="auto"><b>{letter}</b> {_text(told(result.answers[number], result.retries[number]))}</p>'
        for letter, result in zip(ascii_uppercase, found.results, strict=False)
    )
    return (
        f"<section><h2>{number + 1}. {_text(place(scene))}</h2>"
        f'<div class="pictures">{pictures}</div><div class="answers">{answers}</div></section>'
    )


def _text(text: str) -> str:
    return escape(printable(text))
