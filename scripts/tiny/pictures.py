"""Composes pictures, with labels: a ground, perhaps a large shape, then what cameras and codecs do.

Deterministic: the same seed and index give the same pictures.
"""

import random
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from . import effects
from .colours import name_colours
from .grounds import GROUNDS, Ground, gradient, uniform
from .labels import NONE, PLACES, SHAPES, SIZE_PX, measure
from .palettes import any_colours, clear_colours, natural_colours

CHUNK = 16
VARIANTS = 3
_PIXELS = torch.arange(SIZE_PX) + 0.5
_MIN_DISTANCE = 0.16  # RGB distance between a shape and what surrounds it, below which nobody could see it


@dataclass(frozen=True)
class Sheet:
    """Uint8 pictures (N, 3, 112, 112), words (N, 5), shapes (N, 3), and what only helps training.

    That is `Measures.scaled` (N, 15), the cells' colours and luma, (N, 16, 16), and a shape's share of each
    patch, (N, 8, 8).
    """

    pictures: Tensor
    words: Tensor
    shapes: Tensor
    scaled: Tensor
    cells: Tensor
    cell_luma: Tensor
    cover: Tensor

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Tensor) -> "Sheet":
        """The pictures in `rows`."""
        return Sheet(**{name: values[rows] for name, values in vars(self).items()})


def generator_for(seed: int, index: int) -> Generator:
    """The random numbers of sheet `index` of `seed`."""
    # Hashed, because the generator looks at 32 bits of its seed only: with seed and index side by side in 64
    # bits every seed drew the same pictures.
    return Generator().manual_seed(random.Random(f"{seed}/{index}").getrandbits(32))


def place_shapes(count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Centres (x, y) and halves (width, height) in px, each (2, count), and the place's index (count,).

    Centres keep 4 px from the borders between places: a place is never a matter of one pixel.
    """
    place = torch.randint(len(PLACES), (count,), generator=generator)
    third, draws = SIZE_PX / 3, torch.rand((count, 4), generator=generator)
    half = 17 + 19 * draws[:, 0]
    stretch = (draws[:, 1] - 0.5) * 0.9
    half_width, half_height = half * (stretch / 2).exp(), half * (-stretch / 2).exp()
    centres = []
    for column, size, draw in ((place % 3, half_width, draws[:, 2]), (place // 3, half_height, draws[:, 3])):
        low = torch.where(column == 0, (size * 0.8).clamp(max=third - 5), column * third + 4)
        high = torch.where(column == 2, SIZE_PX - (size * 0.8).clamp(max=third - 5), (column + 1) * third - 4)
        centres.append(low + (high - low) * draw)
    return torch.stack(centres), torch.stack([half_width, half_height]), place


def shape_masks(kinds: Tensor, centres: Tensor, halves: Tensor, turn: Tensor) -> Tensor:
    """Soft-edged masks (N, 1, 112, 112) of the shapes `kinds` (N,), `turn` in radians."""
    dx = (_PIXELS[None, None, :] - centres[0, :, None, None]) / halves[0, :, None, None]
    dy = (_PIXELS[None, :, None] - centres[1, :, None, None]) / halves[1, :, None, None]
    cos, sin = turn.cos()[:, None, None], turn.sin()[:, None, None]
    x, y = dx * cos + dy * sin, dy * cos - dx * sin
    radius = (x.square() + y.square()).sqrt()
    far = torch.maximum(x.abs(), y.abs())
    triangle = torch.maximum((y - 0.8) * 1.1, (x.abs() * 2 - y - 1) / 2.2)
    distances = torch.stack(
        [
            radius - 1,
            far - 0.9,
            triangle,
            x.abs() + y.abs() - 1,
            torch.maximum(far - 1, torch.minimum(x.abs(), y.abs()) - 0.3),
            (radius - 0.78).abs() - 0.22,
        ]
    )
    distance = distances[kinds, torch.arange(len(kinds))]
    return (0.5 - distance * halves.mean(dim=0)[:, None, None]).clamp(0, 1)[:, None]


def shape_colours(ground: Tensor, masks: Tensor, generator: Generator, clear: bool) -> Tensor:
    """For each picture the one of several candidate colours which stands out, (N, 3)."""
    count = len(ground)
    candidates = clear_colours((count, 4), generator, jitter=0.03 if clear else 0.06)
    if not clear:
        others = [any_colours((count, 2), generator), natural_colours((count, 2), generator)]
        candidates = torch.cat([candidates[:, :2], *others], dim=1)
    under = (ground * masks).sum(dim=(2, 3)) / masks.sum(dim=(2, 3))
    distance = (candidates - under[:, None]).square().sum(dim=2)
    # The first candidate that stands out enough; the farthest one when none does.
    order = torch.arange(candidates.shape[1], 0, -1)
    rank = torch.where(distance > 0.16, 10.0 + order, distance)
    return candidates[torch.arange(count), rank.argmax(dim=1)]


def add_shapes(pictures: Tensor, generator: Generator, clear: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a large shape into each picture; also masks (N, 2) of it and around it, and (kind, 0, place)."""
    count = len(pictures)
    kinds = torch.randint(len(SHAPES), (count,), generator=generator)
    centres, halves, places = place_shapes(count, generator)
    turn = torch.zeros(count) if clear else torch.randn((count,), generator=generator) * 0.06
    masks = shape_masks(kinds, centres, halves, turn)
    around = shape_masks(kinds, centres, halves + 8, turn) * (1 - masks)
    colours = shape_colours(pictures, masks, generator, clear)[:, :, None, None]
    if not clear:
        colours = colours * (1 + uniform(count, -0.15, 0.15, generator) * (_PIXELS[:, None] / SIZE_PX - 0.5))
    shapes = torch.stack([kinds, torch.zeros_like(kinds), places], dim=1)
    return pictures + masks * (colours - pictures), torch.cat([masks, around], dim=1), shapes


def add_small_shapes(pictures: Tensor, generator: Generator) -> Tensor:
    """Up to two shapes too small to be told of."""
    count = len(pictures)
    for _ in range(2):
        kinds = torch.randint(len(SHAPES), (count,), generator=generator)
        centres = torch.rand((2, count), generator=generator) * SIZE_PX
        halves = 2 + 7 * torch.rand((2, count), generator=generator)
        masks = shape_masks(kinds, centres, halves, torch.zeros(count))
        colours = natural_colours((count,), generator)[:, :, None, None]
        pictures = pictures + masks * (uniform(count, 0, 1, generator) < 0.2) * (colours - pictures)
    return pictures


def to_sheet(pictures: Tensor, masks: Tensor | None, shapes: Tensor) -> Sheet:
    """Round to bytes and measure; a shape's colour is its mean in the finished picture."""
    finished = pictures.clamp(0, 1).mul(255).round().to(torch.uint8)
    measures = measure(finished)
    cover = torch.zeros((len(finished), 8, 8))
    if masks is not None:
        values = finished.float() / 255
        inside, around = (
            (values * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3)) for mask in (masks[:, :1], masks[:, 1:])
        )
        is_seen = (inside - around).square().sum(dim=1).sqrt() >= _MIN_DISTANCE
        named = torch.stack([shapes[:, 0], name_colours(inside), shapes[:, 2]], dim=1)
        shapes = torch.where(is_seen[:, None], named, torch.full_like(named, NONE))
        cover = torch.nn.functional.avg_pool2d(masks[:, 0], 14) * is_seen[:, None, None]
    return Sheet(
        pictures=finished,
        words=measures.words(),
        shapes=shapes,
        scaled=measures.scaled(),
        cells=measures.cells,
        cell_luma=measures.cell_luma,
        cover=cover,
    )


def _vary(
    pictures: Tensor, masks: Tensor, shapes: Tensor, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The same scenes seen anew: half of them mirrored, a third with their colour channels exchanged."""
    count = len(pictures)
    mirror = uniform(count, 0, 1, generator) < 0.5
    pictures, masks = (torch.where(mirror, values.flip(3), values) for values in (pictures, masks))
    place = shapes[:, 2]
    place = torch.where(mirror.flatten(), place - 2 * (place % 3) + 2, place)
    channels = torch.randperm(3, generator=generator)
    pictures = torch.where(uniform(count, 0, 1, generator) < 0.33, pictures[:, channels], pictures)
    return pictures, masks, torch.stack([shapes[:, 0], shapes[:, 1], place], dim=1)


def _finish(pictures: Tensor, masks: Tensor | None, shapes: Tensor, generator: Generator) -> Sheet:
    pictures = effects.expose(pictures, generator)
    pictures = effects.compress(effects.add_noise(pictures, generator), generator)
    return to_sheet(pictures, masks, shapes)


def _draw_chunk(ground: Ground, has_shape: bool, chunk: int, generator: Generator) -> list[Sheet]:
    """One set of scenes, finished VARIANTS times: drawing a scene costs more than finishing it."""
    scenes = effects.shade(ground(chunk, generator), generator)
    scenes = effects.add_bars(effects.blur(scenes, generator), generator)
    scenes = add_small_shapes(scenes, generator)
    masks, shapes = torch.zeros((chunk, 1, 1, 1)), torch.full((chunk, 3), NONE)
    if has_shape:
        scenes, masks, shapes = add_shapes(scenes, generator, clear=False)
    sheets = []
    for _ in range(VARIANTS):
        seen = _vary(scenes, masks, shapes, generator)
        sheets.append(
            _finish(seen[0], seen[1] if has_shape else None, seen[2] if has_shape else shapes, generator)
        )
    return sheets


def join(sheets: list[Sheet]) -> Sheet:
    """One sheet of several."""
    return Sheet(**{name: torch.cat([getattr(sheet, name) for sheet in sheets]) for name in vars(sheets[0])})


def draw_training_sheet(seed: int, index: int, chunk: int = CHUNK) -> Sheet:
    """204 shuffled pictures a scene of a chunk: nearly half with a large shape, each ground in its share."""
    generator = generator_for(seed, index)
    chunks = [
        sheet
        for ground, plain, shaped in GROUNDS
        for has_shape, times in ((False, plain), (True, shaped))
        for _ in range(times)
        for sheet in _draw_chunk(ground, has_shape, chunk, generator)
    ]
    sheet = join(chunks)
    return sheet.take(torch.randperm(len(sheet), generator=generator))


def draw_clear_shapes(count: int, seed: int) -> Sheet:
    """One large shape on a plain or gently shaded ground, both near a prototype colour: the held-out set."""
    generator = generator_for(seed, 0)
    colours = clear_colours((count,), generator, jitter=0.03)[:, :, None, None]
    slope = gradient(count, generator).mean(dim=1, keepdim=True) - 0.5
    ground = colours + slope * 0.12 * (uniform(count, 0, 1, generator) < 0.5)
    pictures, masks, shapes = add_shapes(
        ground.clamp(0, 1).expand(-1, 3, SIZE_PX, SIZE_PX), generator, clear=True
    )
    return to_sheet(pictures, masks, shapes)
