"""How the report looks: on a screen in light and dark, on a phone, on paper."""

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
:root{color-scheme:light dark;--page:#fff;--ink:#1f252d;--soft:#5a6370;--line:#d9dee5;--card:#f6f8fa;
--good:#e7f4ee;--good-line:#00855f;--warn:#fdf1e6;--warn-line:#c24e00}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:1.35rem;line-height:1.3;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:2.2rem 0 .8rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:.98rem;margin:0}
p,li,dd,dt,code{overflow-wrap:anywhere}
.soft{color:var(--soft)}
.verdict{background:var(--good);border-left:4px solid var(--good-line);padding:.8rem 1rem;margin:1rem 0}
.verdict p{margin:0;font-size:1.1rem;font-weight:600}
.verdict ul,.problems ul{margin:.5rem 0 0;padding-left:1.2rem}
.verdict.none,.problems{background:var(--warn);border-left:4px solid var(--warn-line)}
.problems{padding:.7rem 1rem .8rem;margin-top:2rem}.problems h2{border:0;margin:0;padding:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:1rem 0}
.tiles div{border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:.85rem}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;margin:.6rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
dl{display:grid;grid-template-columns:fit-content(45%) minmax(0,1fr);
gap:.15rem 1rem;margin:.6rem 0;font-size:.9rem;
align-content:start}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:0 2rem}
dt{color:var(--soft)}dd{margin:0}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:18px}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:12px 14px;
min-width:0;break-inside:avoid}
figure .draw{overflow-x:auto}
figure svg{display:block;width:100%;min-width:340px;height:auto;margin:.5rem 0}
figcaption{font-size:.9rem;color:var(--soft)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
th{font-weight:600;color:var(--soft);background:var(--card);vertical-align:bottom;white-space:normal}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--page)}
th:first-child{background:var(--card)}
td.why{text-align:left;white-space:normal;color:var(--soft);min-width:260px}
tr.best td{font-weight:600;background:var(--good)}
tr.bad td:nth-child(5){color:var(--warn-line);font-weight:600}
footer{margin-top:2rem;color:var(--soft);font-size:.85rem}
@media(max-width:600px){main{padding:16px 12px 32px}body{font-size:15px}figure{padding:8px 6px}}
"""
_DARK_PAGE = """
:root{--page:#12161b;--ink:#dfe4ea;--soft:#98a2ae;--line:#2c343d;--card:#1a2027;
--good:#12291f;--good-line:#36cfa2;--warn:#2e2015;--warn-line:#ff8f4d}
"""
_PRINT = """
@page{margin:14mm}
html{font-size:9.5pt}body{font-size:1rem}main{max-width:none;padding:0}
.facts{grid-template-columns:1fr 1fr}h2{margin-top:1.2rem}
.pictures{grid-template-columns:1fr 1fr;gap:10px}
figure{padding:8px}figure svg{min-width:0}h2{break-after:avoid}tr,li,.verdict{break-inside:avoid}
.scroll{overflow:visible;border:0}table{font-size:6.8pt}th,td{padding:2px 3px;white-space:normal}
td.why{min-width:0}th:first-child,td:first-child{position:static}
.verdict,.problems,tr.best td,th{print-color-adjust:exact;-webkit-print-color-adjust:exact}
"""

STYLE = (
    f"{_PAGE}{_colour_rules(_LIGHT)}\n"
    f"@media screen and (prefers-color-scheme:dark){{{_DARK_PAGE}{_colour_rules(_DARK)}}}\n"
    f"@media print{{:root{{color-scheme:light}}{_PRINT}}}\n"
)
