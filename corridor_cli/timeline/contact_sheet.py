"""A contact sheet: a cell for each scene with its picks, number, times and transitions.

Many scenes take several pages, so that no picture grows beyond what a viewer opens. Drawn with Pillow alone
and with the font it brings, so that a sheet looks the same everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from corridor_cli.printable import printable
from corridor_cli.records import Pick, Role, Scene, Transition
from corridor_cli.timeline.listing import transitions_of
from corridor_cli.timeline.scan_record import ScanRecord
from corridor_cli.timeline.timecode import timecode

PICK_WIDTH_PX = 208
MAX_PICK_HEIGHT_PX = 240
COLUMNS = 2
ROWS = 12
SCENES_PER_PAGE = COLUMNS * ROWS

_GAP_PX = 6
_CELL_GAP_PX = 16
_MARGIN_PX = 16
_HEADER_PX = 44
_CAPTION_PX = 24
_BAR_PX = 5
_CELL_WIDTH_PX = 3 * PICK_WIDTH_PX + 2 * _GAP_PX
PAGE_WIDTH_PX = 2 * _MARGIN_PX + COLUMNS * _CELL_WIDTH_PX + (COLUMNS - 1) * _CELL_GAP_PX

_PAPER = "#ffffff"
_INK = "#1a1a1a"
_FAINT = "#6b6b6b"
_EMPTY = "#dddddd"
# What opened the scene, as the colour of the bar above its picks; told apart by people who see no red too.
_BAR_COLOURS = {
    "start": "#9a9a9a",
    "cut": "#0072b2",
    "transition": "#e69f00",
    "split": "#cccccc",
    "file": "#009e73",
}

# Pillow's own font has ASCII only.
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "LiberationSans-Regular.ttf")

PictureOf = Callable[[int, Role], bytes | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One scene on a page: where it lies, in pixels."""

    scene: int
    left: int
    top: int
    width: int
    height: int


def pages(record: ScanRecord) -> list[range]:
    """The scenes of each page."""
    num_scenes = len(record.scenes)
    starts = range(0, num_scenes, SCENES_PER_PAGE)
    return [range(start, min(start + SCENES_PER_PAGE, num_scenes)) for start in starts]


def place_cells(scenes: range, pick_height_px: int) -> list[Cell]:
    """Cells in reading order. `scenes` are those of one page."""
    height = _CAPTION_PX + _BAR_PX + pick_height_px
    return [
        Cell(
            scene,
            _MARGIN_PX + (place % COLUMNS) * (_CELL_WIDTH_PX + _CELL_GAP_PX),
            _MARGIN_PX + _HEADER_PX + (place // COLUMNS) * (height + _CELL_GAP_PX),
            _CELL_WIDTH_PX,
            height,
        )
        for place, scene in enumerate(scenes)
    ]


def pick_height_px(record: ScanRecord) -> int:
    """How high a pick is drawn: as the video is shaped, within limits."""
    info = record.info
    return max(16, min(MAX_PICK_HEIGHT_PX, round(PICK_WIDTH_PX * info.height_px / max(info.width_px, 1))))


def draw_page(name: str, record: ScanRecord, number: int, picture_of: PictureOf) -> bytes:
    """JPEG bytes of page `number` (from 0); `picture_of` gives the encoded picture of a pick or None."""
    all_pages = pages(record)
    scenes, height = all_pages[number], pick_height_px(record)
    cells = place_cells(scenes, height)
    page = Image.new("RGB", (PAGE_WIDTH_PX, cells[-1].top + cells[-1].height + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(page)
    _draw_header(draw, name, record, number, len(all_pages))
    changes = transitions_of(record)
    for cell in cells:
        scene = record.scenes[cell.scene]
        _draw_caption(draw, cell, scene, changes[cell.scene])
        for place, role in enumerate(Role):
            left = cell.left + place * (PICK_WIDTH_PX + _GAP_PX)
            box = (left, cell.top + _CAPTION_PX + _BAR_PX, PICK_WIDTH_PX, height)
            pick = next((pick for pick in record.picks[cell.scene] if pick.role == role), None)
            _draw_pick(page, draw, box, pick, picture_of(cell.scene, role))
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _draw_header(draw: ImageDraw.ImageDraw, name: str, record: ScanRecord, number: int, count: int) -> None:
    info = record.info
    facts = [
        f"{len(record.scenes):,} scenes" if len(record.scenes) != 1 else "1 scene",
        timecode(record.duration),
        f"{info.width_px}x{info.height_px} {info.video_codec}",
        f"{record.num_frames:,} frames",
    ]
    if count > 1:
        facts.append(f"page {number + 1} of {count}")
    room = PAGE_WIDTH_PX - 2 * _MARGIN_PX
    name, font = _legible(printable(name), 20)
    draw.text((_MARGIN_PX, _MARGIN_PX - 6), _fitted(draw, name, font, room), _INK, font)
    line = "  ·  ".join(facts)
    draw.text((_MARGIN_PX, _MARGIN_PX + 18), _fitted(draw, line, _font(14), room), _FAINT, _font(14))


def _draw_caption(draw: ImageDraw.ImageDraw, cell: Cell, scene: Scene, changes: Sequence[Transition]) -> None:
    """`3  00:00:02.480 - 00:00:03.120  0.64 s  cut`, and a bar in the colour of what opened the scene."""
    number = f"{scene.index}"
    draw.text((cell.left, cell.top), number, _INK, _font(18))
    left = cell.left + int(draw.textlength(number, _font(18))) + 10
    text = "   ".join([_span(scene), *_words(scene, changes)])
    fitted = _fitted(draw, text, _font(14), cell.left + cell.width - left)
    draw.text((left, cell.top + 3), fitted, _FAINT, _font(14))
    top = cell.top + _CAPTION_PX
    colour = _BAR_COLOURS[scene.boundary]
    draw.rectangle((cell.left, top, cell.left + cell.width - 1, top + _BAR_PX - 3), colour)


def _span(scene: Scene) -> str:
    length = float(scene.end - scene.start)
    return f"{timecode(scene.start)} - {timecode(scene.end)}   {length:.2f} s"


def _words(scene: Scene, changes: Sequence[Transition]) -> Iterator[str]:
    if scene.boundary != "transition":
        yield scene.boundary
    for each in changes:
        yield f"{each.kind} of {float(each.end - each.start):.2f} s at {timecode(each.start)}"


def _draw_pick(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    pick: Pick | None,
    encoded: bytes | None,
) -> None:
    left, top, width, height = box
    draw.rectangle((left, top, left + width - 1, top + height - 1), _EMPTY)
    if encoded is not None:
        with Image.open(io.BytesIO(encoded)) as picture:
            fitted = picture.convert("RGB")
        scale = min(width / fitted.width, height / fitted.height)
        size = max(1, round(fitted.width * scale)), max(1, round(fitted.height * scale))
        fitted = fitted.resize(size, Image.Resampling.BICUBIC)
        page.paste(fitted, (left + (width - size[0]) // 2, top + (height - size[1]) // 2))
    if pick is not None:
        text = timecode(pick.time)[3:] if pick.time < 3600 else timecode(pick.time)
        _draw_tag(draw, left, top + height, f"{text} like {pick.duplicate_of}" if pick.duplicate_of else text)


def _draw_tag(draw: ImageDraw.ImageDraw, left: int, bottom: int, text: str) -> None:
    """Small white text on black in the lower left corner, readable on any picture."""
    font = _font(12)
    width = int(draw.textlength(text, font)) + 8
    draw.rectangle((left, bottom - 17, left + width, bottom - 1), "#000000")
    draw.text((left + 4, bottom - 16), text, "#ffffff", font)


def _fitted(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, room_px: int) -> str:
    """The text, its end replaced by dots where it is too long."""
    if draw.textlength(text, font) <= room_px:
        return text
    while text and draw.textlength(f"{text}...", font) > room_px:
        text = text[:-1]
    return f"{text}..."


def _legible(name: str, size_px: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """The name and a font that has its letters: beyond ASCII one of the machine, or `?` where it has none."""
    if not name.isascii():
        for file in _WIDE_FONTS:
            try:
                return name, ImageFont.truetype(file, size_px)
            except OSError:
                continue
    return name.encode("ascii", "replace").decode("ascii"), _font(size_px)


_fonts: dict[int, ImageFont.FreeTypeFont] = {}


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    if size_px not in _fonts:
        font = ImageFont.load_default(size_px)
        assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
        _fonts[size_px] = font
    return _fonts[size_px]
