"""Turns drawn pictures into batches of token ids, labels and tiles."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import PreTrainedTokenizerFast

from .checkpoint import MEAN, STD, TILE_TOKENS
from .labels import SIZE_PX, write_caption
from .pictures import Sheet
from .prompts import draw_prompt

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Ids and labels (N, T); uint8 tiles of all pictures (M, 3, 112, 112); measures of each last tile."""

    ids: Tensor
    labels: Tensor
    tiles: Tensor
    last_tile: Tensor
    words: Tensor
    shapes: Tensor
    scaled: Tensor
    cells: Tensor
    cell_luma: Tensor
    cover: Tensor


def normalise(tiles: Tensor) -> Tensor:
    """uint8 tiles to the pixel values the model reads."""
    mean, std = (torch.tensor(values, device=tiles.device)[:, None, None] for values in (MEAN, STD))
    return (tiles.float() / 255 - mean) / std


def image_text(num_tiles: int) -> str:
    """What stands for one picture in the prompt."""
    return "<img>" + "<IMG_CONTEXT>" * (TILE_TOKENS * num_tiles) + "</img>"


def chat_text(images: list[int], prompt: str) -> str:
    """The chat layout for pictures of so many tiles each; several pictures are numbered frames."""
    if len(images) == 1:
        head = image_text(images[0]) + "\n"
    else:
        head = "".join(f"Frame{i + 1}: {image_text(n)}\n" for i, n in enumerate(images))
    return f"<|im_start|>user\n{head}{prompt}<|im_end|>\n<|im_start|>assistant\n"


def split_tiles(picture: Tensor, columns: int, rows: int) -> list[Tensor]:
    """The tiles of a picture as if it had been that much larger, row by row."""
    size = (rows * SIZE_PX, columns * SIZE_PX)
    large = (
        interpolate(picture[None].float(), size=size, mode="bicubic").clamp(0, 255).round().to(torch.uint8)[0]
    )
    return [
        large[:, y : y + SIZE_PX, x : x + SIZE_PX]
        for y in range(0, size[0], SIZE_PX)
        for x in range(0, size[1], SIZE_PX)
    ]


def _layouts(sheet: Sheet, rows: list[int], rng: random.Random) -> tuple[list[list[int]], list[list[Tensor]]]:
    """For each row several tiles or several frames: the number of tiles of each image, and the tiles."""
    layouts, tiles = [], []
    for row in rows:
        picture = sheet.pictures[row]
        if rng.random() < 0.5:
            columns, lines = rng.choice(((2, 1), (1, 2), (3, 1), (2, 2)))
            layouts.append([columns * lines + 1])
            tiles.append([*split_tiles(picture, columns, lines), picture])
        else:
            others = [rng.randrange(len(sheet)) for _ in range(rng.choice((1, 2, 3)))]
            layouts.append([1] * (len(others) + 1))
            tiles.append([*(sheet.pictures[other] for other in others), picture])
    return layouts, tiles


def make_batch(
    sheet: Sheet, rows: list[int], tokenizer: PreTrainedTokenizerFast, rng: random.Random, is_multi: bool
) -> Batch:
    """The pictures in `rows` with random prompts; the caption is always that of the last tile."""
    if is_multi:
        layouts, tiles = _layouts(sheet, rows, rng)
    else:
        layouts, tiles = [[1]] * len(rows), [[sheet.pictures[row]] for row in rows]
    captions = [
        write_caption(sheet.words[row].tolist(), sheet.shapes[row].tolist()) + "<|im_end|>" for row in rows
    ]
    prompts = tokenizer([chat_text(layout, draw_prompt(rng)) for layout in layouts])["input_ids"]
    answers = tokenizer(captions)["input_ids"]
    width = max(len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    labels = torch.full((len(rows), width), IGNORED)
    for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        ids[index, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[index, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return Batch(
        ids=ids,
        labels=labels,
        tiles=torch.stack([tile for group in tiles for tile in group]),
        last_tile=torch.tensor(np.cumsum([len(group) for group in tiles]) - 1),
        words=sheet.words[rows],
        shapes=sheet.shapes[rows],
        scaled=sheet.scaled[rows],
        cells=sheet.cells[rows],
        cell_luma=sheet.cell_luma[rows],
        cover=sheet.cover[rows],
    )
