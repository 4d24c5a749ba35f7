"""The vision side in training: what it sees, and extra heads that teach it, dropped at export."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import InternVLForConditionalGeneration

from .batches import Batch, normalise
from .colours import COLOURS
from .labels import CONTRASTS, DETAILS, LIGHTS, PLACES, SHAPES, differing_neighbours

_WORDS = (len(LIGHTS), len(CONTRASTS), len(DETAILS), len(COLOURS), len(COLOURS) + 1)
_MEASURES = 3 + len(COLOURS)
_SHAPE = (len(SHAPES) + 1, len(COLOURS) + 1, len(PLACES) + 1)


@dataclass(frozen=True)
class Seen:
    """What the vision side makes of tiles: patches (M, 64, width) half-way and at the top, visual tokens."""

    middle: Tensor
    top: Tensor
    visual: Tensor

    def take(self, rows: Tensor) -> "Seen":
        """The tiles in `rows`."""
        return Seen(self.middle[rows], self.top[rows], self.visual[rows])


def see(model: InternVLForConditionalGeneration, tiles: Tensor) -> Seen:
    """Vision tower, pixel shuffle and projector, as the class's own `get_image_features`."""
    core = model.model
    tower = core.vision_tower
    hidden = tower.embeddings(normalise(tiles))
    states = []
    for layer in tower.encoder.layer:
        hidden = layer(hidden)
        states.append(hidden[:, 1:])
    side = int(states[-1].shape[1] ** 0.5)
    shuffled = core.pixel_shuffle(states[-1].reshape(-1, side, side, hidden.shape[2]), 0.5)
    visual = core.multi_modal_projector(shuffled.reshape(len(hidden), -1, shuffled.shape[-1]))
    return Seen(states[len(states) // 2 - 1], states[-1], visual)


def _by_patch(cells: Tensor) -> Tensor:
    """Cells (N, 16, 16) by the patch that holds them, (N, 64, 4)."""
    return cells.reshape(-1, 8, 2, 8, 2).transpose(2, 3).reshape(len(cells), 64, 4)


class Helpers(nn.Module):
    """Extra heads, dropped at export: they teach patches what they hold, visual tokens what is shown.

    Half-way up the tower a patch names its four cells, tells their luma and a shape's share of it; at the
    top, which cells differ from the next. The mean visual token tells every measure as a number: the words
    alone say little about where a threshold lies, and most wrong words stood next to one. Every visual token
    tells the shape: when only their mean did, places were still guessed after 75,000 pictures (Muon and
    stronger position waves came with that change).
    """

    def __init__(self, vision_width: int, text_width: int) -> None:
        super().__init__()
        self.cells = nn.Linear(vision_width, 4 * len(COLOURS))
        self.details = nn.Linear(vision_width, 4 + 1)
        self.differs = nn.Linear(vision_width, 8)
        self.words = nn.Linear(text_width, sum(_WORDS))
        self.measures = nn.Linear(text_width, _MEASURES)
        self.shapes = nn.Linear(text_width, sum(_SHAPE))

    def forward(self, seen: Seen, batch: Batch) -> Tensor:
        """The sum of the losses."""
        names = self.cells(seen.middle).float().reshape(-1, len(COLOURS))
        loss = F.cross_entropy(names, _by_patch(batch.cells).flatten())
        luma, cover = self.details(seen.middle).float().split((4, 1), dim=2)
        loss = loss + 4 * F.l1_loss(luma, _by_patch(batch.cell_luma) / 255)
        loss = loss + 2 * F.binary_cross_entropy_with_logits(cover.flatten(1), batch.cover.flatten(1))
        across, down = (
            F.pad(differ.float(), (0, 16 - differ.shape[2], 0, 16 - differ.shape[1]))
            for differ in differing_neighbours(batch.cell_luma)
        )
        neighbours = torch.cat([_by_patch(across), _by_patch(down)], dim=2)
        loss = loss + F.binary_cross_entropy_with_logits(self.differs(seen.top).float(), neighbours)
        mean = seen.visual.float().mean(dim=1, keepdim=True)
        # In float32: bfloat16 rounds a bright picture's luma to the next whole step of 255.
        with torch.autocast(mean.device.type, enabled=False):
            told = self.measures(mean[:, 0])
        loss = loss + 2 * (told - batch.scaled).abs().sum(dim=1).mean()
        for tokens, head, sizes, targets in (
            (mean, self.words, _WORDS, batch.words),
            (mean, self.shapes, _SHAPE, batch.shapes),
            (seen.visual, self.shapes, _SHAPE, batch.shapes),
        ):
            for column, part in enumerate(head(tokens).float().split(sizes, dim=2)):
                # No second colour and no shape are NONE (-1) in the labels and the last class here.
                wanted = (targets[:, column] % part.shape[2])[:, None].expand(-1, part.shape[1])
                loss = loss + 0.2 * F.cross_entropy(part.flatten(0, 1), wanted.flatten())
        return loss
