"""How the report looks: on a screen in light and dark, on a phone, on paper; all pages begin alike."""

from corridor_cli.timeline.report.style import base_style

_LIGHT = {
    "blue": "#00629b", "vermilion": "#c24e00", "green": "#00855f", "ochre": "#8f6400", "purple": "#a04f86",
    "ink": "#3c434d", "faint": "#8b939e",
}  # fmt: skip
_DARK = {
    "blue": "#58b0ee", "vermilion": "#ff8f4d", "green": "#36cfa2", "ochre": "#e3ab35", "purple": "#e0a0cb",
    "ink": "#c3cad4", "faint": "#6f7883",
}  # fmt: skip


def _colour_rules(colours: dict[str, str]) -> str:
    return "".join(f".f-{name}{{fill:{value}}}.s-{name}{{stroke:{value}}}" for name, value in colours.items())


_PAGE = """
h1{margin-top:0}
h2{margin-top:2.2rem}
h3{font-size:.98rem;margin:0}
code{overflow-wrap:anywhere}
.verdict{background:var(--good-ground);border-inline-start:4px solid var(--good);
padding:.8rem 1rem;margin:1rem 0}
.verdict p{margin:0;font-size:1.1rem;font-weight:600}
.verdict ul{margin:.5rem 0 0;padding-inline-start:1.2rem}
.verdict.none{background:var(--warn-ground);border-color:var(--warn)}
.problems{margin-top:2rem}.problems h2{border:0;margin:0;padding:0}
.tiles{grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;margin:.6rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:18px}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:12px 14px;
min-width:0;break-inside:avoid}
figure .draw{overflow-x:auto}
figure svg{display:block;width:100%;min-width:340px;height:auto;margin:.5rem 0}
figcaption{font-size:.9rem;color:var(--soft)}
.scroll{border:1px solid var(--line);border-radius:8px}
table{font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
th{font-weight:600;color:var(--soft);background:var(--card);vertical-align:bottom;white-space:normal}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--page)}
th:first-child{background:var(--card)}
td.why{text-align:left;white-space:normal;color:var(--soft);min-width:260px}
tr.best td{font-weight:600;background:var(--good-ground)}
tr.bad td:nth-child(5){color:var(--bad);font-weight:600}
@media(max-width:600px){main{padding:16px 12px 32px}body{font-size:15px}figure{padding:8px 6px}}
"""
_PRINT = """
.facts{grid-template-columns:1fr 1fr}h2{margin-top:1.2rem}
.pictures{grid-template-columns:1fr 1fr;gap:10px}
figure{padding:8px}figure svg{min-width:0}.verdict{break-inside:avoid}
.scroll{border:0}table{font-size:6.8pt}th,td{padding:2px 3px;white-space:normal}
td.why{min-width:0}th:first-child,td:first-child{position:static}
.verdict,.problems,tr.best td,th{print-color-adjust:exact;-webkit-print-color-adjust:exact}
"""

STYLE = (
    f"{base_style()}{_PAGE}{_colour_rules(_LIGHT)}\n"
    f"@media screen and (prefers-color-scheme:dark){{{_colour_rules(_DARK)}}}\n"
    f"@media print{{{_PRINT}}}\n"
)
