"""Requests to network inputs: the checkpoint's chat template and processor, left-padded into one batch.

The user's text can never become a special token. Where it spells one, a token of our own is put between
its first letter and the rest, so that the tokenizer sees two halves; it is taken out of the ids again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from corridor_cli.engine.generic.load import first_line
from corridor_cli.errors import ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

    from corridor_cli.records import Pixels

# Private-use characters, so no vocabulary has them.
_BREAK = "\ue000break\ue001"
_PLACEHOLDER = "\ue002prompt\ue003"

# Below it some processors take the height of a picture for its channels, and others refuse it.
_MIN_SIDE_PX = 32


class PromptBuilder:
    """Builds batches with one checkpoint's processor, as `load_processor` gives it."""

    def __init__(self, processor: Any) -> None:
        tokenizer = processor.tokenizer
        self._image_token = _image_token(processor)
        known = {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens, self._image_token} - {""}
        special = sorted(known, key=len, reverse=True)
        self._special_ids = frozenset(tokenizer.convert_tokens_to_ids(special))
        # Looks ahead without consuming, so that overlapping spellings are all found.
        spelled = "|".join(re.escape(token) for token in special if len(token) > 1)
        self._special = re.compile(f"(?={spelled})") if spelled else None
        tokenizer.add_tokens([_break_token()], special_tokens=True)
        self._break_id = int(tokenizer.convert_tokens_to_ids(_BREAK))
        self._processor = processor
        self._rendered = lru_cache(maxsize=16)(self._render)
        self.safe_text = lru_cache(maxsize=256)(self._safe_text)
        self._rendered(1)

    def build(self, prompts: Sequence[tuple[str, Sequence[Pixels]]]) -> dict[str, torch.Tensor]:
        """Network inputs for texts with their frames, uint8 (height, width, 3) each: a left-padded batch.

        Either all of them have frames or none has: processors take no mixture. Raises what the processor
        does; that of a family which always looks at a picture takes no text alone.
        """
        texts = [self.render(text, len(frames)) for text, frames in prompts]
        pictures = [[_picture(frame) for frame in frames] for _, frames in prompts]
        options: dict[str, Any] = {"add_special_tokens": False} if self._begins(texts[0]) else {}
        if any(pictures):
            options["images"] = pictures
        inputs = self._processor(text=texts, return_tensors="pt", padding=True, **options)
        # Labels are for training: with them some families work out a loss.
        return self._without_breaks({name: inputs[name] for name in inputs if name != "labels"})

    def render(self, text: str, num_frames: int) -> str:
        """The rendered template for a text and so many frames."""
        return self._rendered(num_frames).replace(_PLACEHOLDER, self.safe_text(text))

    def _begins(self, rendered: str) -> bool:
        """Whether the template wrote the beginning of the sequence itself, which must not come twice."""
        begin = self._processor.tokenizer.bos_token
        return bool(begin) and rendered.startswith(begin)

    def _safe_text(self, text: str) -> str:
        for mark in (_BREAK, _PLACEHOLDER):
            text = text.replace(mark, "")
        text = text.strip()
        starts = [match.start() + 1 for match in self._special.finditer(text)] if self._special else []
        safe = _BREAK.join(text[start:end] for start, end in pairwise([0, *starts, len(text)]))
        ids = self._processor.tokenizer.encode(safe, add_special_tokens=False)
        if self._special_ids.isdisjoint(ids):
            return safe
        # The tokenizer normalises: what became a special token was spelled in another way.
        return _BREAK.join(text)

    def _render(self, num_frames: int) -> str:
        if not self._processor.chat_template:
            return f"{self._image_token * num_frames}{_PLACEHOLDER}"
        content: list[dict[str, str]] = []
        for number in range(1, num_frames + 1):
            if num_frames > 1:
                content.append({"type": "text", "text": f"Frame{number}: "})
            content.append({"type": "image"})
        content.append({"type": "text", "text": _PLACEHOLDER})
        try:
            rendered = self._processor.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # templates are programs, run in a sandbox: they raise what they like
            problem = f"The chat template cannot be rendered: {type(error).__name__}: {first_line(error)}"
            raise ModelError(problem) from error
        self._check(rendered, num_frames)
        return str(rendered)

    def _check(self, rendered: str, num_frames: int) -> None:
        num_images = rendered.count(self._image_token) if self._image_token else num_frames
        if num_images != num_frames or rendered.count(_PLACEHOLDER) != 1:
            raise ModelError(
                f"The chat template puts {num_images} image tokens and {rendered.count(_PLACEHOLDER)} "
                f"texts where {num_frames} and 1 are needed."
            )

    def _without_breaks(self, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
        """The batch with our own tokens taken out of each row, and padding put in front instead."""
        is_break = inputs["input_ids"] == self._break_id
        if not is_break.any():
            return inputs
        fill = {"input_ids": self._processor.tokenizer.pad_token_id}
        cleaned = dict(inputs)
        for name, values in inputs.items():
            if (
                isinstance(values, torch.Tensor)
                and values.shape[:2] == is_break.shape
                and _is_per_token(name)
            ):
                rows = zip(values, is_break, strict=True)
                cleaned[name] = torch.stack([_moved(row, breaks, fill.get(name, 0)) for row, breaks in rows])
        num_idle = int(cleaned["attention_mask"].any(dim=0).int().argmax())
        per_token = (name for name in cleaned if cleaned[name] is not inputs[name])
        return cleaned | {name: cleaned[name][:, num_idle:] for name in per_token}


def _is_per_token(name: str) -> bool:
    """Whether a tensor as wide as the batch is long has an entry for each token; pixels never do."""
    return not name.startswith(("pixel", "image"))


def _moved(row: torch.Tensor, is_removed: torch.Tensor, fill: int) -> torch.Tensor:
    """The row (tokens, ...) without the removed entries, filled up in front to its former length."""
    padding = torch.full_like(row[: int(is_removed.sum())], fill)
    return torch.cat([padding, row[~is_removed]])


def _break_token() -> Any:
    from tokenizers import AddedToken

    return AddedToken(_BREAK, special=True, normalized=False)


def _image_token(processor: Any) -> str:
    """What stands for a picture in the rendered text; empty for families that need nothing there."""
    token = getattr(processor, "image_token", None) or getattr(processor.tokenizer, "image_token", None)
    return str(token) if token else ""


def _picture(frame: Pixels) -> Image:
    from PIL import Image

    picture = Image.fromarray(frame)
    shortest = min(picture.size)
    if shortest >= _MIN_SIDE_PX:
        return picture
    scale = -(-_MIN_SIDE_PX // shortest)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
