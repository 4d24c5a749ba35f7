"""Pages in a real Chromium: scripts on and off, keys and mouse, light and dark, phone, paper, no network."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, Page, find_browser
from export_samples import HOSTILE, document
from PIL import Image
from sample_clips import Encoding, SceneRecipe, draw_story, write_video

from corridor_cli.timeline.report import thumbnails
from corridor_cli.timeline.report.library import library_page
from corridor_cli.timeline.report.make import make_page
from corridor_cli.timeline.report.pages import Player, library_html
from corridor_cli.timeline.schema import read_timeline

TEXTS = (
    "A red car drives by.",
    "Ein Café am Abend.",
    "汽车停在路边。",
    "سيارة حمراء على الطريق.",
    None,
    "</script><script>document.title = 'broken'</script><img src=x onerror=alert(1)>",
    "A dog 🐕 runs.",
)
QUESTIONS: tuple[tuple[str, list[int]], ...] = (
    ("car", [1]),
    ("RED drives", [1]),
    ("cafe", [2]),
    ("汽车", [3]),
    ("حمراء", [4]),
    ("🐕", [7]),
    ("script onerror", [6]),
    ("memory", [5]),
    ("red dog", []),
    ("  ", [1, 2, 3, 4, 5, 6, 7]),
)
SCENE_SECONDS = 40 * 1001 / 24000
MAX_BYTES = 10_000_000
MAX_USABLE_MS = 1000.0
# From the beginning of loading until the page's script has run, and then until a search shows what it found.
USABLE_MS = """() => {
  const loaded = performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd;
  const begin = performance.now();
  document.getElementById("search").value = "499";
  document.getElementById("search").dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return loaded + performance.now() - begin;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = find_browser()
    if executable is None:
        message = "no Chromium is installed (Debian: apt-get install chromium)"
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail(f"REQUIRE_CHROMIUM=1, but {message}", pytrace=False)
        pytest.skip(message)
    with Browser(executable) as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    opened.look_as(1200, 900)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of two videos, of which one has a page and is there to be played."""
    made = tmp_path_factory.mktemp("pages") / "out"
    (made / "day #1").mkdir(parents=True)
    recipe = SceneRecipe("circle", "red", "white", seconds=len(TEXTS) * SCENE_SECONDS)
    vp8 = Encoding("libvpx", options={"deadline": "realtime", "cpu-used": "8", "b": "100k"}, gop_frames=6)
    write_video(made.parent / "clip #1.webm", draw_story([recipe], Fraction(6), 64, 48), vp8)
    pictures = {"s0001": jpeg(1), "s0003": jpeg(2)}
    rows = []
    for name, texts, player in (
        ("day #1/clip.webm", TEXTS, Player("../../clip%20%231.webm")),
        ("b.mp4", ("A quiet beach.", "A red boat."), Player(None, "The video is not there.")),
    ):
        timeline = read_timeline(json.dumps(document(texts, name=name.rpartition("/")[2])).encode())
        page = make_page(timeline, name, "x.timeline.json", player, pictures, "")
        (made / f"{name}.report.html").write_bytes(page.html)
        rows.append(page.row)
    (made / "report.html").write_bytes(library_html(library_page("out", rows, [])))
    return made


@pytest.fixture
def video_url(folder: Path) -> str:
    return (folder / "day #1/clip.webm.report.html").as_uri()


@pytest.fixture
def library_url(folder: Path) -> str:
    return (folder / "report.html").as_uri()


def jpeg(seed: int) -> bytes:
    """A picture with as much in it as one of a real scene, or more."""
    pixels = np.random.default_rng(seed).integers(0, 256, (45, 80, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((320, 180), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def shown(page: Page) -> Any:
    """The ids of the rows that are to be seen."""
    return page.evaluate(
        "[...document.querySelectorAll('tr.scene')].filter(r => r.offsetHeight).map(r => r.id)"
    )


def current(page: Page) -> Any:
    return page.evaluate("[...document.querySelectorAll('[aria-current]')].map(row => row.id).join()")


def is_quiet(page: Page) -> bool:
    """Nothing was logged, thrown or refused, and nothing asked for but files of this machine."""
    assert page.complaints == []
    assert page.refused == []
    assert all(url.startswith(("file:///", "data:image/")) for url in page.requested)
    return True


def search(page: Page, text: str) -> None:
    page.press("/")
    page.evaluate("document.getElementById('search').select()")
    page.type(text)


def test_the_search_box_finds_scenes(page: Page, video_url: str) -> None:
    page.open(video_url)
    for question, found in QUESTIONS:
        search(page, question)
        assert shown(page) == [f"s{number:04}" for number in found], question
        count = "7 scenes" if len(found) == 7 else f"{len(found)} of 7 scenes"
        assert page.evaluate("document.getElementById('count').textContent") == count
        assert page.evaluate("document.getElementById('none').offsetHeight > 0") == (found == [])
        page.press("Escape")
        assert len(shown(page)) == 7
    assert is_quiet(page)


def test_the_filter_and_what_is_marked(page: Page, video_url: str) -> None:
    page.open(video_url)
    change = (
        "const f = document.getElementById('filter'); f.value = '{}'; f.dispatchEvent(new Event('change'))"
    )
    page.evaluate(f"(() => {{{change.format('problem')}}})()")
    assert shown(page) == ["s0005"]
    page.evaluate(f"(() => {{{change.format('good')}}})()")
    assert "s0005" not in shown(page)
    assert len(shown(page)) == 6
    search(page, "car")
    assert page.evaluate("[...CSS.highlights.get('found')].map(String)") == ["car"]


def test_keys_move_between_scenes_and_enter_seeks(page: Page, video_url: str) -> None:
    page.open(video_url)
    page.wait_until("document.querySelector('video').readyState > 0")
    assert current(page) == ""
    page.press("j", "j", "ArrowDown")
    assert current(page) == "s0003"
    assert page.evaluate("document.activeElement.id") == "s0003"
    page.press("k")
    assert current(page) == "s0002"
    page.press("ArrowRight", "Enter")
    time_of_scene = 2 * SCENE_SECONDS
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(
        time_of_scene, abs=0.01
    )
    assert page.evaluate("location.hash") == "#s0003"
    search(page, "dog")
    page.press("j")
    assert page.evaluate("document.getElementById('search').value") == "dogj"
    page.press("Escape")
    search(page, "dog")
    page.evaluate("document.activeElement.blur()")
    page.press("j")
    assert current(page) == "s0007"
    page.press("j")
    assert current(page) == "s0007"
    assert is_quiet(page)


def test_a_click_seeks_the_local_video(page: Page, video_url: str) -> None:
    page.open(video_url)
    page.wait_until("document.querySelector('video').readyState > 0")
    player = "document.querySelector('video')"
    page.click("#s0004 .words")
    assert page.evaluate(f"{player}.currentTime") == pytest.approx(3 * SCENE_SECONDS, abs=0.01)
    assert current(page) == "s0004"
    page.click("#s0002 a.seek")
    assert page.evaluate(f"{player}.currentTime") == pytest.approx(SCENE_SECONDS, abs=0.01)
    page.click("#strip", share=0.5)
    assert page.evaluate(f"{player}.currentTime") == pytest.approx(3.5 * SCENE_SECONDS, abs=0.05)
    assert current(page) == "s0004"
    assert page.evaluate("location.pathname.endsWith('clip.webm.report.html')")
    page.press(" ")
    page.wait_until(f"!{player}.paused && {player}.currentTime > {4 * SCENE_SECONDS}")
    page.wait_until("document.querySelector('[aria-current]').id === 's0005'")
    page.press(" ")
    page.wait_until(f"{player}.paused")
    assert is_quiet(page)
    asked = {url.rpartition("/")[2] for url in page.requested if not url.startswith("data:")}
    assert asked == {"clip.webm.report.html", "clip%20%231.webm"}


def test_an_address_opens_its_scene(page: Page, video_url: str) -> None:
    page.open(f"{video_url}#s0006")
    page.wait_until("document.querySelector('video').currentTime > 0")
    assert current(page) == "s0006"
    box = page.evaluate(
        "(() => {const b = document.getElementById('s0006').getBoundingClientRect();"
        "return [b.top, document.querySelector('.stage').getBoundingClientRect().bottom]})()"
    )
    assert box[0] >= box[1], "the stage covers the scene"


def test_hostile_captions_run_nothing(page: Page, folder: Path) -> None:
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip() for text in HOSTILE]
    timeline = read_timeline(json.dumps(document([*texts, TEXTS[5]], name="a.mp4")).encode())
    made = make_page(timeline, "a.mp4", "a", Player(None, ""), {}, "")
    (folder / "hostile.html").write_bytes(made.html)
    (folder / "hostile-library.html").write_bytes(library_html(library_page("out", [made.row], [])))
    for name, row in (("hostile.html", "tr.scene"), ("hostile-library.html", "tr.video")):
        page.open((folder / name).as_uri())
        assert page.evaluate(f"document.querySelectorAll('{row}').length") == (
            len(texts) + 1 if row == "tr.scene" else 1
        )
        assert page.evaluate("document.querySelectorAll('img, iframe').length") == 0
        assert page.evaluate("document.title").endswith("· vlmtl")
        search(page, "alert")
        assert is_quiet(page)
    num_hits = sum("alert" in text for text in [*texts, TEXTS[5] or ""])
    assert page.evaluate("document.querySelectorAll('#hits-list li').length") == num_hits == 3


def test_the_policy_refuses_what_is_not_the_page_s_own(page: Page, video_url: str) -> None:
    """The policy is at work: what hostile text would do if it got through is refused."""
    page.open(video_url)
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('img'), {src: 'https://x.test/a'}))"
    )
    refused = page.evaluate("fetch('https://x.test/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert page.evaluate("window.ran") is None
    assert len([text for text in page.complaints if "Content Security Policy" in text]) >= 3
    assert page.refused == ["https://x.test/a"]
    assert "https://x.test/" not in page.requested


def test_without_scripts_all_of_it_is_there(page: Page, video_url: str, library_url: str) -> None:
    page.run_scripts(False)
    page.open(video_url)
    page.run_scripts(True)  # the page has been loaded without: now it can be asked
    assert len(shown(page)) == 7
    text = page.evaluate("document.body.innerText")
    for caption in filter(None, TEXTS):
        assert caption in text
    assert "no caption: out of memory (ModelError)" in text
    assert page.evaluate("document.querySelector('form').offsetHeight") == 0
    assert page.evaluate("document.querySelector('#s0002 a.seek').getAttribute('href')").endswith(
        "webm#t=1.668333"
    )
    assert page.evaluate("document.querySelector('video').controls")
    page.run_scripts(False)
    page.open(library_url)
    page.run_scripts(True)
    assert page.evaluate("document.querySelectorAll('tr.video').length") == 2
    assert page.evaluate("document.querySelectorAll('tr.video a').length") == 2
    assert page.evaluate("document.querySelectorAll('button').length") == 0


def test_the_library_searches_filters_and_sorts(page: Page, library_url: str) -> None:
    page.open(library_url)
    rows = "[...document.querySelectorAll('tr.video')].filter(row => row.offsetHeight)"
    names = f"{rows}.map(row => row.cells[1].innerText)"
    hits = "[...document.querySelectorAll('#hits-list li')].map(item => item.innerText)"
    both = ["day #1/clip.webm", "b.mp4"]
    assert [name.partition("\n")[0] for name in page.evaluate(names)] == both
    search(page, "red")
    assert [hit.split("\n")[-1] for hit in page.evaluate(hits)] == ["A red car drives by.", "A red boat."]
    search(page, "beach")
    assert page.evaluate(names) == ["b.mp4"]
    assert (
        page.evaluate("document.querySelector('#hits-list a').getAttribute('href')")
        == "./b.mp4.report.html#s0001"
    )
    search(page, "day clip")
    assert [name.partition("\n")[0] for name in page.evaluate(names)] == both[:1]
    page.press("Escape")
    change = "(() => {const f = document.getElementById('filter'); f.value = 'partial';"
    page.evaluate(change + "f.dispatchEvent(new Event('change'))})()")
    assert [name.partition("\n")[0] for name in page.evaluate(names)] == both[:1]
    page.evaluate(change.replace("partial", "all") + "f.dispatchEvent(new Event('change'))})()")
    page.click("th[data-sort] button")
    page.click("th[data-sort] button")
    assert [name.partition("\n")[0] for name in page.evaluate(names)] == both[::-1]
    assert page.evaluate("document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    page.evaluate("document.activeElement.blur()")
    page.press("j", "j")
    assert page.evaluate("document.activeElement.innerText") == both[0]
    page.press("Enter")
    page.wait_until(
        "location.pathname.endsWith('clip.webm.report.html') && document.readyState === 'complete'"
    )
    page.wait_until("document.querySelectorAll('tr.scene').length === 7")
    assert is_quiet(page)


def test_light_dark_phone_and_paper(page: Page, video_url: str, library_url: str) -> None:
    for url in (video_url, library_url):
        grounds = []
        for is_dark in (False, True):
            page.look_as(1200, 900, dark=is_dark)
            page.open(url)
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert grounds == ["rgb(255, 255, 255)", "rgb(18, 22, 27)"]
        page.look_as(400, 800)
        page.open(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.look_as(800, 1100, dark=True, is_print=True)
        page.open(url)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.querySelector('form').offsetHeight") == 0


def test_right_to_left_captions_begin_at_the_right(page: Page, video_url: str) -> None:
    page.open(video_url)
    direction = "getComputedStyle(document.querySelector('#s000{} .caption')).direction"
    assert [page.evaluate(direction.format(number)) for number in (1, 3, 4)] == ["ltr", "ltr", "rtl"]


@pytest.mark.alone
def test_a_video_of_500_scenes_opens_within_a_second(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "_thumbnail", cache(thumbnails._thumbnail))  # there are 20 pictures
    texts = [
        f"Scene {number}: a caption of some length, as a model writes it. {TEXTS[3]}" for number in range(500)
    ]
    timeline = read_timeline(json.dumps(document(texts, name="long.mp4")).encode())
    drawn = [jpeg(seed) for seed in range(20)]
    pictures = {scene.id: drawn[scene.index % 20] for scene in timeline.scenes}
    html = make_page(timeline, "long.mp4", "long.mp4.timeline.json", Player(None, ""), pictures, "").html
    assert len(html) < MAX_BYTES
    path = tmp_path / "long.mp4.report.html"
    path.write_bytes(html)
    usable_ms = []
    for _ in range(3):  # the machine may be busy: the quickest of three says what the page costs
        page.open(path.as_uri())
        usable_ms.append(page.evaluate(f"({USABLE_MS})()"))
        assert shown(page) == ["s0500"]
        if min(usable_ms) < MAX_USABLE_MS:
            break
    assert page.evaluate("document.querySelectorAll('tr.scene img').length") == 500
    assert min(usable_ms) < MAX_USABLE_MS, f"{usable_ms} ms"
