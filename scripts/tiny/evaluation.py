"""Asks a finished tiny checkpoint about pictures, by the public classes, and counts what is right."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer, InternVLForConditionalGeneration, PreTrainedTokenizerFast

from .batches import chat_text, normalise
from .colours import COLOURS
from .labels import CONTRASTS, DETAILS, GRAMMAR, LIGHTS, SIZE_PX, measure, write_caption
from .pictures import Sheet
from .prompts import DEFAULT_PROMPT

CLEAR_LEAD = 0.10  # a main colour is clear when its share leads the second one by this much
WORDS = (
    ("light", LIGHTS),
    ("contrast", CONTRASTS),
    ("detail", DETAILS),
    ("first", COLOURS),
    ("second", COLOURS),
)


@dataclass(frozen=True)
class Captioner:
    """A loaded checkpoint."""

    model: InternVLForConditionalGeneration
    tokenizer: PreTrainedTokenizerFast

    @classmethod
    def load(cls, folder: Path) -> "Captioner":
        """Load from a checkpoint folder, in float32."""
        model = InternVLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        return cls(model, AutoTokenizer.from_pretrained(folder))

    def caption(self, pictures: Tensor, prompts: list[str] | None = None, batch: int = 64) -> list[str]:
        """One greedy caption for each uint8 picture (N, 3, 112, 112), by default for the default prompt."""
        prompts = prompts or [DEFAULT_PROMPT] * len(pictures)
        captions: list[str] = []
        for start in range(0, len(pictures), batch):
            texts = [chat_text([1], prompt) for prompt in prompts[start : start + batch]]
            captions += self.complete(texts, pictures[start : start + batch])
        return captions

    @torch.no_grad()
    def complete(self, texts: list[str], tiles: Tensor) -> list[str]:
        """Greedy answers to whole chat texts, padded on the left; `tiles` are those of all texts in order."""
        inputs = self.tokenizer(texts, return_tensors="pt", padding=True)
        ids = self.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            pixel_values=normalise(tiles),
            max_new_tokens=64,
            do_sample=False,
        )
        answers: list[str] = self.tokenizer.batch_decode(
            ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return answers


def score_sheet(captions: list[str], sheet: Sheet) -> dict[str, float]:
    """Shares of whole sentences right: all of them, and those clear of every threshold; then word by word."""
    truth = [write_caption(w, s) for w, s in zip(sheet.words.tolist(), sheet.shapes.tolist(), strict=True)]
    right = torch.tensor([caption == true for caption, true in zip(captions, truth, strict=True)]).float()
    clear = measure(sheet.pictures).are_clear()
    scores = {"pictures": len(truth), "exact": right.mean().item(), "clear": clear.float().mean().item()}
    scores["exact_clear"] = right[clear].mean().item()
    parsed = [
        (GRAMMAR.fullmatch(caption), GRAMMAR.fullmatch(true))
        for caption, true in zip(captions, truth, strict=True)
    ]
    for name in GRAMMAR.groupindex:
        scores[name] = float(
            np.mean([bool(got and want and got[name] == want[name]) for got, want in parsed])
        )
    return scores


def score_frames(captions: list[str], pictures: Tensor) -> dict[str, float]:
    """On any pictures: light right, first colour right where clear, and how many are said to hold a shape."""
    measures = measure(pictures)
    words = measures.words()
    shares = measures.shares.sort(dim=1, descending=True).values
    is_clear = (shares[:, 0] - shares[:, 1] >= CLEAR_LEAD).tolist()
    counts: dict[str, float] = {
        "frames": len(captions),
        "light": 0,
        "clear": 0,
        "first": 0,
        "contrast": 0,
        "detail": 0,
        "shapes": 0,
    }
    for caption, row, clear in zip(captions, words.tolist(), is_clear, strict=True):
        match = GRAMMAR.fullmatch(caption)
        for column, (name, names) in enumerate(WORDS[:3]):
            counts[name] += bool(match and match[name] == names[row[column]])
        counts["clear"] += clear
        counts["first"] += bool(clear and match and match["first"] == COLOURS[row[3]])
        counts["shapes"] += bool(match and match["shape"])
    return counts


def squeeze(picture: Image.Image) -> Tensor:
    """A picture squeezed to one tile, bicubic with antialiasing; uint8 (3, 112, 112)."""
    small = picture.convert("RGB").resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


def read_frames(path: Path, count: int) -> list[Tensor]:
    """Up to `count` different frames spread over a video, squeezed; those before an error, if one comes."""
    frames: list[Tensor] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return frames
            stream = container.streams.video[0]
            begin, length = container.start_time or 0, container.duration or 0
            for index in range(count):
                target = begin + length * index // count
                container.seek(target)
                frame = _frame_at(container.decode(stream), target / av.time_base)
                picture = squeeze(frame.to_image()) if frame else None
                if picture is not None and not any(torch.equal(picture, other) for other in frames):
                    frames.append(picture)
    except av.FFmpegError:
        # Damaged clips are among those people keep for tests; what was decoded of them still counts.
        return frames
    return frames


def _frame_at(frames: Iterator[av.VideoFrame], seconds: float) -> av.VideoFrame | None:
    """The first frame at or after a time, or the last there is: seeking alone stops at a keyframe before."""
    last = None
    for frame in frames:
        last = frame
        if frame.time is None or frame.time >= seconds:
            break
    return last


def solid_pictures(colours: Tensor) -> Tensor:
    """One-colour pictures for uint8 RGB rows (N, 3)."""
    return colours[:, :, None, None].expand(-1, 3, SIZE_PX, SIZE_PX).contiguous()
