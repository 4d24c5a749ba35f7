"""Listings and contact sheets of scenes, from records made by hand."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction

import pytest
from PIL import Image
from timeline_samples import FACTS, FRAME, INFO, READER, pick, record, scan_end

from corridor_cli.records import PickedFrame, Role, Scene, SceneFrames, Transition
from corridor_cli.timeline.contact_sheet import (
    PAGE_WIDTH_PX,
    SCENES_PER_PAGE,
    draw_page,
    pages,
    pick_height_px,
    place_cells,
)
from corridor_cli.timeline.listing import (
    CSV_COLUMNS,
    SceneListing,
    csv_line,
    csv_rows,
    listing_as_json,
    transitions_of,
)
from corridor_cli.timeline.scan_record import ScanRecord


def many(num_scenes: int) -> ScanRecord:
    """A record of scenes of ten frames each."""
    scenes = []
    for index in range(num_scenes):
        start = 10 * index
        scene = Scene(
            index, start * FRAME, (start + 10) * FRAME, start, start + 10, "cut" if index else "start"
        )
        picks = (pick(role, start + place) for place, role in enumerate(Role))
        scenes.append(SceneFrames(0, index, scene, tuple(PickedFrame(each, None, None) for each in picks)))
    end = replace(scan_end(), num_frames=10 * num_scenes, duration=10 * num_scenes * FRAME, transitions=())
    return ScanRecord.from_scan(INFO, READER, scenes, end)


def test_a_transition_belongs_to_the_scene_it_opens_or_lies_in() -> None:
    of_scene_0 = Transition("fade", Fraction(0), 10 * FRAME)
    opens_1 = Transition("dissolve", 38 * FRAME, 42 * FRAME)
    ends_1 = Transition("fade", 90 * FRAME, 100 * FRAME)
    both = replace(record(), transitions=(of_scene_0, opens_1, ends_1))
    assert transitions_of(both) == [[of_scene_0], [opens_1, ends_1]]


def test_rows_hold_the_columns_in_order() -> None:
    listing = SceneListing(FACTS, "clip.mp4", "complete", record())
    scenes = listing_as_json(listing)["scenes"]
    assert [tuple(scene[column] for column in CSV_COLUMNS) for scene in scenes] == list(csv_rows(listing))
    assert csv_line("a,\n\udcff", 1.5, None) == '"a,\n\\xff",1.5,\n'
    pending = SceneListing(FACTS, "clip.mp4", "pending")
    assert list(csv_rows(pending)) == []
    assert listing_as_json(pending)["errors"] == []


@pytest.mark.parametrize(("num_scenes", "sizes"), [(1, [1]), (24, [24]), (25, [24, 1]), (60, [24, 24, 12])])
def test_many_scenes_take_pages_of_bounded_size(num_scenes: int, sizes: list[int]) -> None:
    long = many(num_scenes)
    assert [len(page) for page in pages(long)] == sizes
    asked: list[tuple[int, Role]] = []
    for number, scenes in enumerate(pages(long)):
        data = draw_page("a.mp4", long, number, lambda scene, role: asked.append((scene, role)))  # type: ignore[func-returns-value]
        with Image.open(io.BytesIO(data)) as page:
            last = place_cells(scenes, pick_height_px(long))[-1]
            assert (page.format, page.width) == ("JPEG", PAGE_WIDTH_PX)
            assert last.top + last.height < page.height <= 4000
    assert asked == [(scene, role) for scene in range(num_scenes) for role in Role]
    assert SCENES_PER_PAGE == 24


def test_cells_are_apart_whatever_the_shape_of_the_video() -> None:
    for width, height in ((1, 4000), (4000, 1), (720, 1280), (1920, 1080)):
        shaped = replace(many(3), info=replace(INFO, width_px=width, height_px=height))
        first, second, third = place_cells(range(3), pick_height_px(shaped))
        assert first.left + first.width < second.left
        assert first.top + first.height < third.top
        draw_page("名前 é \x1b.mp4", shaped, 0, lambda scene, role: None)
