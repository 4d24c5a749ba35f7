"""Pictures: the marks that must be there, no more; nothing from the network; readable on any ground."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from corridor_cli.bench.picture_batches import throughput
from corridor_cli.bench.picture_canvas import COLOURS, legend_columns
from corridor_cli.bench.picture_sentences import pass_shares
from corridor_cli.bench.pictures import NAMES, Picture, draw_pictures
from corridor_cli.bench.selection import clean_curve
from tests.bench.bench_samples import full_document
from tests.bench.drawn_samples import FULL, MINIMAL, drawn_of

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def pictures() -> dict[str, ElementTree.Element]:
    drawn = drawn_of("full")
    assert drawn.problems == ()
    return {picture.name: ElementTree.fromstring(picture.svg) for picture in drawn.pictures}


def group(root: ElementTree.Element, name: str) -> ElementTree.Element:
    """The element that was drawn under this name."""
    found = [each for each in root.iter() if each.get("id", "").endswith(f"-{name}")]
    assert len(found) == 1, name
    return found[0]


def marks(root: ElementTree.Element, name: str) -> int:
    return len(list(group(root, name).iter(f"{SVG}use")))


def words(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def test_a_full_document_has_all_pictures(pictures: dict[str, ElementTree.Element]) -> None:
    assert tuple(pictures) == NAMES


def test_throughput(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["throughput"]
    assert marks(root, "rates") == 8
    assert marks(root, "noisy") == 1
    assert marks(root, "recommended") == 1
    assert marks(root, "failed-out_of_memory") == 2
    assert marks(root, "failed-died") == 1
    assert "stroke-dasharray" in str(ElementTree.tostring(group(root, "roofline")))
    group(root, "loop")
    texts = words(root)
    assert "recommended: 48" in texts
    assert "frames/s" in texts
    assert [text for text in texts if text.isdecimal()][:11] == [
        "1", "2", "4", "8", "16", "32", "48", "128", "256", "512", "0",
    ]  # fmt: skip


def test_latency_has_a_line_a_percentile_and_the_limit(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["latency"]
    for name in ("latency_ms-p50", "latency_ms-p90", "latency_ms-p95", "latency_ms-p99", "ttft_ms-p50"):
        assert marks(root, name) == 8
    group(root, "limit")
    assert "limit for p95: 250 ms" in words(root)


def test_memory_has_the_limit_of_the_device(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["memory"]
    for name in ("peak_device_bytes", "peak_reserved_bytes", "peak_allocated_bytes", "peak_host_bytes"):
        assert marks(root, name) == 8
    assert "all there is: 80.0 GiB" in words(root)


def test_pareto_tells_the_front_from_the_rest(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["pareto"]
    assert marks(root, "front") == 6
    assert marks(root, "dominated") == 2
    assert {"1", "2", "4", "8", "16", "32", "48", "64"} <= set(words(root))


def test_stages_fill_a_bar_a_batch_size(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["stages"]
    for name in ("vision", "prefill", "steps", "tile", "rest"):
        bars = [each for each in root.iter() if each.get("id", "").startswith(f"stages-bar-{name}-")]
        assert len(bars) == 8
    assert len([text for text in words(root) if text.endswith(" ms")]) == 8
    for row in clean_curve(FULL):
        shares = pass_shares(row)
        assert sum(shares.values()) == pytest.approx(1)
        assert shares["rest"] == pytest.approx(1 - (row.busy_share or 0), abs=0.02)


def test_overlapping_passes_are_shares_of_their_sum() -> None:
    row = clean_curve(FULL)[0].model_copy(
        update={"pass_seconds_per_request": {"vision": 3.0, "steps": 1.0}, "requests_per_second": 1.0}
    )
    assert pass_shares(row) == {"vision": 0.75, "steps": 0.25, "rest": 0.0}


def test_a_curve_far_below_its_roof_is_no_flat_line(pictures: dict[str, ElementTree.Element]) -> None:
    points = [
        row.model_copy(
            update={"roofline": row.roofline.model_copy(update={"frames_per_second": 40_000.0})}
            if row.roofline
            else {}
        )
        for row in FULL.points
    ]
    svg = throughput(FULL.model_copy(update={"points": points}))
    assert svg is not None
    assert {"10", "100", "1,000", "10,000"} <= set(words(ElementTree.fromstring(svg)))
    assert "10,000" not in words(pictures["throughput"])


def test_roofline_places_each_pass_under_the_roof(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["roofline"]
    for name in ("placed-vision", "placed-prefill", "placed-steps"):
        assert marks(root, name) == 8
    assert "measured peaks: 702 TFLOP/s, 3,020 GB/s" in words(root)
    description = root.find(f"{SVG}desc")
    # 2 FLOP a weight of 2 bytes: one sequence makes about one of each byte.
    assert description is not None
    assert "1.02 FLOP of a byte at batch 1" in (description.text or "")


def test_axes_have_a_curve_each(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["axes"]
    assert [marks(root, f"axis-{axis}") for axis in ("frames", "tiles", "output_tokens")] == [4, 3, 3]
    assert {"frames a request", "tiles a frame", "output tokens a request"} <= set(words(root))


def test_long_run_shades_where_the_device_slowed_down(pictures: dict[str, ElementTree.Element]) -> None:
    root = pictures["long-run"]
    for name in ("long-rates", "long-power", "long-most", "long-clock"):
        group(root, name)
    assert len([each for each in root.iter() if each.get("id", "").startswith("long-run-slow-")]) == 4
    assert {"power, W", "clock, MHz", "time, minutes"} <= set(words(root))


def test_a_small_document_has_the_pictures_it_has_data_for() -> None:
    drawn = drawn_of("minimal")
    assert [picture.name for picture in drawn.pictures] == ["throughput", "latency", "pareto", "memory"]
    assert drawn.problems == ()
    by_name = {picture.name: ElementTree.fromstring(picture.svg) for picture in drawn.pictures}
    assert not [each for each in by_name["throughput"].iter() if each.get("id", "").endswith("-loop")]
    assert "all there is: 128.0 GiB" not in words(by_name["memory"]), "it would press all else flat"
    assert draw_pictures(MINIMAL.model_copy(update={"points": MINIMAL.points[:1]})).pictures == ()


@pytest.mark.parametrize("name", ["full", "hostile"])
def test_a_picture_loads_and_runs_nothing(name: str) -> None:
    for picture in drawn_of(name).pictures:
        root = ElementTree.fromstring(picture.svg)
        assert root.tag == f"{SVG}svg"
        assert root.get("role") == "img"
        tags = {each.tag.removeprefix(SVG) for each in root.iter()}
        assert not tags & {"script", "style", "image", "foreignObject", "metadata", "a"}
        for each in root.iter():
            for key, value in each.attrib.items():
                assert not key.startswith("on")
                assert "://" not in value
                assert key != "href" or value.startswith(f"#{picture.name}-")
        assert "http" not in picture.svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_ids_are_apart_in_one_page_and_every_reference_is_met() -> None:
    seen: set[str] = set()
    for picture in drawn_of("full").pictures:
        ids = re.findall(r' id="([^"]+)"', picture.svg)
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)
        targets = set(re.findall(r'(?:href="|url\()#([^")]+)', picture.svg))
        assert targets
        assert targets <= set(ids)


def test_the_same_document_gives_the_same_bytes() -> None:
    assert [p.svg for p in drawn_of("full").pictures] == [
        p.svg for p in draw_pictures(full_document()).pictures
    ]


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_marks_and_text_can_be_read_on_white_and_on_black(ground: str) -> None:
    for name, colour in COLOURS.items():
        least = {"ink": 4.2, "faint": 0.0}.get(name, 3.0)
        assert contrast(colour, ground) >= least, name


def test_no_text_is_black(pictures: dict[str, ElementTree.Element]) -> None:
    for root in pictures.values():
        for each in root.iter(f"{SVG}text"):
            assert each.get("fill") == COLOURS["ink"]
            assert each.get("class") == "f-ink"


def test_a_person_s_own_style_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("axes.edgecolor: red\nfont.size: 30\nlines.linewidth: 9\n")
    code = (
        "import sys; from corridor_cli.bench.pictures import draw_pictures;"
        "from tests.bench.bench_samples import minimal_document;"
        "sys.stdout.write(draw_pictures(minimal_document()).pictures[0].svg)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"MPLCONFIGDIR": str(tmp_path), "PATH": "/usr/bin", "MATPLOTLIBRC": str(tmp_path)},
    )  # fmt: skip
    assert out.stdout == drawn_of("minimal").pictures[0].svg


def test_without_matplotlib_there_is_one_line_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError(\"No module named 'matplotlib'\")\n")
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, '.'];"
        "from pathlib import Path; from corridor_cli.bench.files import write_results;"
        "from tests.bench.bench_samples import full_document;"
        f"done = write_results(Path({str(tmp_path / 'out')!r}), full_document());"
        "print(*(path.name for path in done.paths)); print(*done.problems, sep=chr(10))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    names, *problems = out.stdout.splitlines()
    assert names.split() == ["bench.json", "points.csv", "points.md", "report.html"]
    assert problems == [
        "no pictures: matplotlib is not installed (ModuleNotFoundError: No module named 'matplotlib'); "
        "`pip install 'vlmtl[bench]'` brings it"
    ]
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<svg" not in report
    assert "no pictures: matplotlib is not installed" in report


def test_legends_are_as_wide_as_a_picture_and_no_wider() -> None:
    assert legend_columns(["p50", "p90", "p95", "p99"]) == 4
    assert legend_columns(["a" * 28, "b" * 28, "c" * 28]) == 2
    assert legend_columns(["a" * 60, "b" * 60]) == 1


def test_sentences_say_what_the_figures_are(pictures: dict[str, ElementTree.Element]) -> None:
    told = {picture.name: picture for picture in drawn_of("full").pictures}
    assert isinstance(told["throughput"], Picture)
    assert told["throughput"].sentence.startswith("Batch 1 gives 6.25 frames/s, batch 64 gives 147")
    assert "batch 32 still keeps to 250 ms" in told["latency"].sentence
    assert "36.5 GiB of 80.0 GiB" in told["memory"].sentence
    assert told["stages"].sentence.startswith("Most of a request's time goes to steps at batch 1 (74 %)")
    assert "loses 2.8 %" in told["long-run"].sentence
    for name, root in pictures.items():
        description = root.find(f"{SVG}desc")
        assert description is not None
        assert description.text == told[name].sentence
