"""Pages of documents: whole, alone, safe whatever a caption says, and honest about what is missing."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from export_samples import HOSTILE, document
from PIL import Image
from report_samples import captions_of, page_of, plain, policy_of, read_page
from timeline_samples import DAMAGED, FACTS, caption, captions, failed_caption, failed_timeline, timeline

from corridor_cli.records import Role
from corridor_cli.timeline.exports.plain import text_lines
from corridor_cli.timeline.report import thumbnails as pictures_of_pages
from corridor_cli.timeline.report.library import MAX_CAPTION_CHARACTERS, Unread, library_page
from corridor_cli.timeline.report.make import make_page
from corridor_cli.timeline.report.pages import Player, library_html
from corridor_cli.timeline.report.thumbnails import MAX_PAGE_BYTES, poster, thumbnails
from corridor_cli.timeline.schema import Timeline, read_timeline

VIDEO = Player("../videos/clip%20%231.mp4")


def hostile_timeline() -> Timeline:
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip() for text in HOSTILE]
    found = document(texts, name="</script><script>alert(1)</script>.mp4")
    found["source"]["reader"]["warnings"] = list(texts)
    found["provenance"]["prompt"]["text"] = "".join(texts)
    found["run"]["environment"] = {text: text for text in texts}
    found["summary"] = {"title": texts[6], "synopsis": texts[5], "tags": texts}
    for scene, text in zip(found["scenes"], texts, strict=True):
        scene["attributes"] = {
            "title": text, "subjects": texts[:3], "action": text, "setting": None, "shot_type": text,
            "camera_movement": None, "on_screen_text": text, "tags": texts[:8],
        }  # fmt: skip
    return read_timeline(json.dumps(found).encode())


def jpeg(width: int, height: int, colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("player", [VIDEO, Player(None, "not there")], ids=["video", "none"])
def test_a_page_loads_nothing_and_runs_only_its_own(player: Player) -> None:
    page = page_of(hostile_timeline(), player=player, pictures={"s0001": jpeg(64, 36)})
    policy = policy_of(page)
    assert policy == {
        "default-src": ["'none'"],
        "script-src": policy["script-src"],
        "style-src": policy["style-src"],
        "img-src": ["data:"],
        "media-src": ["'self'", "file:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    for directive, tag in (("script-src", "script"), ("style-src", "style")):
        digest = b64encode(sha256(page.one(tag).text.encode()).digest()).decode()
        assert policy[directive] == [f"'sha256-{digest}'"]
    assert not {each.tag for each in page.all()} & {"link", "iframe", "object", "embed", "base"}
    for element in page.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name not in ("style", "action", "formaction", "srcset", "background", "ping")
            if name == "src":
                assert value.startswith("data:image/webp;base64,") or value == player.url
            if name == "href":
                assert value.startswith(("#s", "./", "../"))
    for text in (page.one("style").text, page.one("script").text):
        assert "@import" not in text
        assert "url(" not in text
        assert not re.search(r"https?:|fetch\(|XMLHttpRequest|innerHTML|eval\(|document\.write", text)


def test_hostile_captions_are_shown_and_break_nothing() -> None:
    page = page_of(hostile_timeline())
    expected = ["\n".join(text_lines(text)) for text in HOSTILE]
    shown = captions_of(page)
    assert [plain(text) for text in shown] == [
        plain(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")) for text in expected
    ]
    assert len(page.all("script")) == 1
    whole = page.text
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", whole
    )
    for text in page.all("p", "caption"):
        assert (text.attributes["dir"], text.attributes["lang"]) == ("auto", "")


def test_every_scene_is_a_row_and_a_block_to_scale() -> None:
    made = timeline()
    page = page_of(made)
    rows = page.all("tr", "scene")
    assert [row.attributes["id"] for row in rows] == [scene.id for scene in made.scenes]
    assert [float(row.attributes["data-start"]) for row in rows] == [scene.start for scene in made.scenes]
    assert list(captions_of(page)) == [scene.caption.text for scene in made.scenes]
    strip = page.one("svg")
    assert float(strip.attributes["viewbox"].split()[2]) == made.scenes[-1].end
    blocks = [each.one("rect") for each in strip.all("a")]
    for block, scene in zip(blocks, made.scenes, strict=True):
        assert float(block.attributes["x"]) == scene.start
        assert float(block.attributes["width"]) == pytest.approx(scene.end - scene.start)
    (change,) = strip.all("rect", "transition")
    assert float(change.attributes["x"]) == made.transitions[0].start
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    # The dissolve lies around the second scene's start: it is told there, and not twice.
    assert ["dissolve" in row.text for row in rows] == [False, True]
    assert "A dark street." in rows[0].one("details").text


def test_times_lead_into_the_video_or_to_their_scene() -> None:
    with_video = page_of(timeline(), player=VIDEO)
    assert with_video.one("video").attributes["src"] == VIDEO.url
    links = [each.attributes["href"] for each in with_video.all("a", "seek")]
    assert links[0] == f"{VIDEO.url}#t=0"
    assert links[1].startswith(f"{VIDEO.url}#t=1.66")
    without = page_of(timeline())
    assert without.all("video") == []
    assert [each.attributes["href"] for each in without.all("a", "seek")] == ["#s0001", "#s0002"]
    assert "The video is not there." in without.text


def test_what_needs_a_script_is_hidden_until_it_runs() -> None:
    page = page_of(timeline(), player=VIDEO)
    for element in page.all():
        if element.tag in ("input", "select", "button", "form"):
            assert "hidden" in element.attributes or element.tag != "form"
    assert "hidden" in page.one("form").attributes
    assert len(page.one("form").all("input")) == len(page.all("input")) == 1


def test_failures_warnings_and_retries_are_told() -> None:
    answers = captions(failed_caption(1, Role.FIRST, "the <b>device</b> is lost"))
    made = timeline(answers, error=DAMAGED)
    run = made.run.model_copy(
        update={"attempts": 3, "oom_retries": 1, "degraded": ("pictures were left out",)}
    )
    page = page_of(made.model_copy(update={"run": run}))
    problems = page.one("section", "problems")
    assert problems.one("summary").text.split(", ")[1:] == ["2 warnings", "2 retries"]
    items = [plain(each.text) for each in problems.all("li")]
    assert any("the pictures stop at frame 100 (DecodeError)" in item for item in items)
    assert any(
        item.startswith("error scene 2 caption: the <b>device</b> is lost (ModelError)") for item in items
    )
    assert "warning a packet was skipped" in items
    assert "warning pictures were left out" in items
    assert sum(item.startswith("retry ") for item in items) == 2
    assert ("a", "#s0002") in [(each.tag, each.attributes.get("href", "")) for each in problems.all("a")]
    row = page.all("tr", "scene")[1]
    assert row.attributes["data-mood"] == "bad"
    assert captions_of(page)[1] == ""
    assert "no caption: the <b>device</b> is lost (ModelError)" in row.text


def test_a_video_without_problems_has_no_such_section() -> None:
    found = document(["A car", "A tree"])
    found["source"]["reader"]["warnings"] = []
    assert page_of(read_timeline(json.dumps(found).encode())).all("section", "problems") == []


def test_a_failed_video_has_a_page_without_scenes() -> None:
    page = page_of(failed_timeline())
    assert page.all("tr", "scene") == page.all("svg") == page.all("form") == []
    assert "an HLS playlist is no video (NotVideoError)" in page.one("section", "problems").text
    assert page.one("h1").one("span", "badge").text == "failed"


def test_provenance_is_all_there() -> None:
    made = timeline()
    told = {
        label.text: value.text
        for rows in page_of(made).one("div", "facts").all("dl")
        for label, value in zip(rows.all("dt"), rows.all("dd"), strict=True)
    }
    assert told["model"] == "tiny"
    assert told["made by"] == f"{made.provenance.tool} {made.provenance.version}"
    assert plain(told["prompt"]) == plain(made.provenance.prompt.text)
    assert told["video"] == FACTS.path
    assert told["read by"] == "pyav: scans every format"
    assert told["tokens"] == "900 read, 36 written"
    assert told["python"] == "3.11"


def test_names_cannot_leave_their_link() -> None:
    name = 'day#1?/a"><img src=x>&%41 ü:\n.mp4'
    made = make_page(timeline(), name, f"{name.rpartition('/')[2]}.timeline.json", VIDEO, {}, "")
    page = read_page(made.html)
    assert page.all("img") == []
    assert page.one("nav").one("a").attributes["href"] == "../report.html"
    library = read_page(library_html(library_page("out", [made.row], [])))
    (link,) = library.one("td", "name").all("a")
    assert link.attributes["href"] == (
        "./day%231%3F/a%22%3E%3Cimg%20src%3Dx%3E%26%2541%20%C3%BC%3A%0A.mp4.report.html"
    )


def test_pictures_are_small_and_whatever_is_none_is_left_out() -> None:
    pictures = {"s0001": jpeg(1920, 1080), "s0002": b"\xff\xd8\xffno picture"}
    page = page_of(timeline(), pictures=pictures)
    (picture,) = page.all("img")
    assert (picture.attributes["width"], picture.attributes["height"]) == ("288", "162")
    data = b64decode(picture.attributes["src"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (288, 162))
    assert "1 pictures are left out: they are damaged or too many." in page.text
    assert page_of(timeline()).all("td", "picture") == []


def noise(seed: int) -> bytes:
    """A picture that compresses badly: the largest there is for its size."""
    import numpy as np

    pixels = np.random.default_rng(seed).integers(0, 256, (45, 80, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((320, 180)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def test_a_page_has_room_for_so_many_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_of_pages, "MAX_PAGE_BYTES", MAX_PAGE_BYTES // 20)
    few = thumbnails({f"s{number:04}": noise(number) for number in range(2)})
    many = thumbnails({f"s{number:04}": noise(number) for number in range(40)})
    far_too_many = thumbnails(dict.fromkeys((f"s{number:04}" for number in range(200)), noise(1)))
    assert {each.width_px for each in few.values()} == {288}
    assert max(each.width_px for each in many.values()) < 288
    assert len(many) == 40
    assert 0 < len(far_too_many) < 300
    for made in (few, many, far_too_many):
        assert sum(len(each.uri) for each in made.values()) <= MAX_PAGE_BYTES // 20


def test_a_huge_picture_is_left_out() -> None:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 6_000)).save(buffer, "JPEG")
    assert poster(buffer.getvalue()) is None


def test_the_library_tells_all_videos() -> None:
    rows = [
        make_page(made, name, "x.timeline.json", VIDEO, {}, "").row
        for name, made in (
            ("a.mp4", timeline()),
            ("day/b.mp4", timeline(captions(failed_caption(1, Role.FIRST)))),
            ("c.mp4", failed_timeline()),
        )
    ]
    unread = [Unread("bad<1>.timeline.json", "is damaged: Invalid JSON")]
    page = read_page(library_html(library_page("holi<day>", rows, unread)))
    assert plain(page.one("h1").text) == "holi<day>"
    tiles = {each.one("span").text: each.one("b").text for each in page.one("div", "tiles").all("div")}
    assert tiles == {
        "videos": "3", "of video": "8.3 s", "scenes": "4", "complete": "1", "partial": "1", "failed": "1",
        "scenes without caption": "1",
    }  # fmt: skip
    shown = page.all("tr", "video")
    assert [row.one("td", "name").one("a").text for row in shown] == ["a.mp4", "day/b.mp4", "c.mp4"]
    assert [row.attributes["data-status"] for row in shown] == ["complete", "partial", "failed"]
    assert "an HLS playlist is no video" in shown[2].text
    assert "bad<1>.timeline.json is damaged: Invalid JSON" in page.one("section", "problems").text
    data = json.loads(page.all("script")[0].text)
    assert data["videos"] == ["a.mp4", "day/b.mp4", "c.mp4"]
    assert data["scenes"][1] == [0, 2, "00:00:01.668", "A red ball lies on green grass."]
    assert {video for video, *_ in data["scenes"]} == {0, 1}


def test_captions_cannot_end_the_data_of_the_library() -> None:
    row = make_page(hostile_timeline(), "a.mp4", "a.mp4.timeline.json", VIDEO, {}, "").row
    html = library_html(library_page("out", [row], []))
    page = read_page(html)
    assert [each.attributes.get("type") for each in page.all("script")] == ["application/json", None]
    data = page.all("script")[0].text
    assert not set("<>&\u2028\u2029") & set(data)
    shown = [caption for _, _, _, caption in json.loads(data)["scenes"]]
    assert "<script>alert(1)</script> & <b>bold</b> &lt;" in shown
    assert len(shown) == len(row.captions)


def test_too_many_captions_stay_out_of_the_library() -> None:
    row = make_page(timeline(), "a.mp4", "a.mp4.timeline.json", VIDEO, {}, "").row
    full = replace(
        row, captions=((1, "00:00:00.000", "x" * MAX_CAPTION_CHARACTERS), (2, "00:00:01.000", "y"))
    )
    page = read_page(library_html(library_page("out", [full], [])))
    assert json.loads(page.all("script")[0].text)["scenes"] == []
    assert "`vlmtl search` finds scenes" in page.text


def test_a_page_is_the_same_each_time() -> None:
    made = [make_page(timeline(), "a.mp4", "a", VIDEO, {"s0001": jpeg(64, 64)}, "").html for _ in range(2)]
    assert made[0] == made[1]


def test_a_caption_cut_short_says_so() -> None:
    cut = replace(caption(1, Role.FIRST, "A red ball and then"), finish_reason="length")
    page = page_of(timeline(captions(cut)))
    assert "truncated: the token limit cut it" in page.all("tr", "scene")[1].text
    assert captions_of(page)[1] == "A red ball and then"
