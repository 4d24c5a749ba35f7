"""Measures a 112 x 112 picture and writes the caption the tiny model has to learn.

All is measured on a 16 x 16 grid of cells (7 x 7 px means): texture finer than a cell is seen as its mean.
The shape sentence is the exception: what was drawn, and where, is told by whoever drew it.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from .colours import COLOURS, name_colours

SIZE_PX = 112
GRID = 16

LIGHTS: tuple[str, ...] = ("very dark", "dark", "dim", "bright", "very bright")
LIGHT_BOUNDS: tuple[float, ...] = (28.0, 72.0, 120.0, 190.0)  # mean luma, 0..255
CONTRASTS: tuple[str, ...] = ("low-contrast", "medium-contrast", "high-contrast")
CONTRAST_BOUNDS: tuple[float, ...] = (20.0, 55.0)  # standard deviation of the cells' luma
DETAILS: tuple[str, ...] = ("plain", "detailed", "busy")
DETAIL_BOUNDS: tuple[float, ...] = (
    0.25,
    0.55,
)  # share of neighbouring cells that differ by more than DETAIL_STEP
DETAIL_STEP = 8.0
SECOND_SHARE = 0.20  # the second colour is named from this share of the cells
SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "diamond", "cross", "ring")
PLACES: tuple[str, ...] = (
    "upper left", "top", "upper right", "left", "centre", "right", "lower left", "bottom", "lower right",
)  # fmt: skip
NONE = -1

GRAMMAR = re.compile(
    rf"A (?P<light>{'|'.join(sorted(LIGHTS, key=len, reverse=True))}), (?P<contrast>{'|'.join(CONTRASTS)}),"
    rf" (?P<detail>{'|'.join(DETAILS)}) picture, mainly (?P<first>{'|'.join(COLOURS)})"
    rf"(?: and (?P<second>{'|'.join(COLOURS)}))?\."
    rf"(?: A large (?P<shape_colour>{'|'.join(COLOURS)}) (?P<shape>{'|'.join(SHAPES)})"
    rf" is at the (?P<place>{'|'.join(PLACES)})\.)?"
)


@dataclass(frozen=True)
class Measures:
    """Of N pictures: luma, contrast, detail (N,); shares (N, 12); the cells' colours and luma (N, 16, 16)."""

    luma: Tensor
    contrast: Tensor
    detail: Tensor
    shares: Tensor
    cells: Tensor
    cell_luma: Tensor

    def words(self) -> Tensor:
        """Indices (N, 5): light, contrast, detail, first colour, second colour or NONE."""
        columns = [
            torch.bucketize(values, torch.tensor(bounds), right=True)
            for values, bounds in (
                (self.luma, LIGHT_BOUNDS),
                (self.contrast, CONTRAST_BOUNDS),
                (self.detail, DETAIL_BOUNDS),
            )
        ]
        # A stable sort: of two equal shares the colour earlier in COLOURS comes first.
        shares, order = self.shares.sort(dim=1, descending=True, stable=True)
        second = torch.where(shares[:, 1] >= SECOND_SHARE, order[:, 1], torch.full_like(order[:, 1], NONE))
        return torch.stack([*columns, order[:, 0], second], dim=1)

    def scaled(self) -> Tensor:
        """All of it as numbers in about 0..1, (N, 15): luma, contrast, detail, the twelve shares."""
        columns = [self.luma / 255, self.contrast / 64, self.detail]
        return torch.cat([torch.stack(columns, dim=1), self.shares], dim=1)

    def are_clear(self) -> Tensor:
        """Whether each picture (N,) keeps off every threshold, so that its caption is not a coin toss."""
        clear = torch.ones(len(self.luma), dtype=torch.bool)
        for values, bounds, margin in (
            (self.luma, LIGHT_BOUNDS, 3.0),
            (self.contrast, CONTRAST_BOUNDS, 2.0),
            (self.detail, DETAIL_BOUNDS, 0.03),
        ):
            clear &= ((values[:, None] - torch.tensor(bounds)).abs() >= margin).all(dim=1)
        shares = self.shares.sort(dim=1, descending=True).values
        clear &= (shares[:, 0] - shares[:, 1] >= 0.04) & ((shares[:, 1] - SECOND_SHARE).abs() >= 0.02)
        return clear & ((shares[:, 1] < SECOND_SHARE) | (shares[:, 1] - shares[:, 2] >= 0.04))


def differing_neighbours(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Which cells of luma (N, 16, 16) differ from the next to the right (N, 16, 15) and below (N, 15, 16)."""
    across = (luma[:, :, 1:] - luma[:, :, :-1]).abs() > DETAIL_STEP
    return across, (luma[:, 1:] - luma[:, :-1]).abs() > DETAIL_STEP


def measure(pictures: Tensor) -> Measures:
    """Measure uint8 RGB pictures of shape (N, 3, 112, 112)."""
    means = torch.nn.functional.avg_pool2d(pictures.float(), SIZE_PX // GRID)
    luma = means[:, 0] * 0.299 + means[:, 1] * 0.587 + means[:, 2] * 0.114
    across, down = differing_neighbours(luma)
    pairs = across.flatten(1).sum(dim=1) + down.flatten(1).sum(dim=1)
    cells = name_colours(means.permute(0, 2, 3, 1) / 255)
    return Measures(
        luma=luma.mean(dim=(1, 2)),
        contrast=luma.flatten(1).std(dim=1, correction=0),
        detail=pairs / (2 * GRID * (GRID - 1)),
        shares=torch.nn.functional.one_hot(cells.flatten(1), len(COLOURS)).float().mean(dim=1),
        cells=cells,
        cell_luma=luma,
    )


def write_caption(words: list[int], shape: list[int]) -> str:
    """The caption for a row of `Measures.words` and (shape, colour, place), or [NONE] * 3 without a shape."""
    light, contrast, detail, first, second = words
    colours = COLOURS[first] + (f" and {COLOURS[second]}" if second != NONE else "")
    text = f"A {LIGHTS[light]}, {CONTRASTS[contrast]}, {DETAILS[detail]} picture, mainly {colours}."
    kind, colour, place = shape
    if kind == NONE:
        return text
    return f"{text} A large {COLOURS[colour]} {SHAPES[kind]} is at the {PLACES[place]}."
