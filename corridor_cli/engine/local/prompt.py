"""The token ids of a request: the checkpoint's chat template around image tokens and the user's text.

The user's text can never become a special token: wherever it spells one, it is tokenised in two halves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.errors import ModelError

IMAGE_START = "<img>"
IMAGE_END = "</img>"

# Stands for the user's text while the template is rendered; private-use characters, so no file has them.
_PLACEHOLDER = "\ue000prompt\ue001"


class PromptBuilder:
    """Builds prompts with one checkpoint's tokenizer. `tokenizer` is a transformers one."""

    def __init__(self, tokenizer: Any, info: CheckpointInfo) -> None:
        self._tokenizer = tokenizer
        self._template = info.chat_template
        self._tokens_per_tile = info.tokens_per_tile
        self._image_token = tokenizer.convert_ids_to_tokens(info.image_token_id)
        if not isinstance(self._image_token, str):
            raise ModelError(
                f"{info.path}: the tokenizer has no token {info.image_token_id}, the image token."
            )
        self._image_token_id = info.image_token_id
        self._start_ids = self._encode(IMAGE_START)
        self._end_ids = self._encode(IMAGE_END)
        special = sorted((t for t in tokenizer.get_added_vocab() if len(t) > 1), key=len, reverse=True)
        # Looks ahead without consuming, so that overlapping spellings are all found.
        self._special = re.compile("(?=" + "|".join(map(re.escape, special)) + ")") if special else None
        self.pieces = lru_cache(maxsize=64)(self._pieces)
        self.text_ids = lru_cache(maxsize=256)(self._text_ids)
        self.pieces(1)

    def build(self, prompt: str, tiles_per_frame: Sequence[int]) -> list[int]:
        """The ids of one request; `tiles_per_frame` has one entry for each of its frames, in order."""
        ids: list[int] = []
        tiles = iter(tiles_per_frame)
        for piece in self.pieces(len(tiles_per_frame)):
            if piece == self._image_token:
                num_visual_tokens = self._tokens_per_tile * next(tiles)
                ids += [*self._start_ids, *([self._image_token_id] * num_visual_tokens), *self._end_ids]
            elif piece == _PLACEHOLDER:
                ids += self.text_ids(prompt)
            else:
                ids += self._encode(piece)
        return ids

    def _pieces(self, num_frames: int) -> list[str]:
        """The rendered template, cut at the image tokens and at the place of the user's text."""
        rendered = self._render(num_frames)
        pieces = re.split(f"({re.escape(self._image_token)}|{_PLACEHOLDER})", rendered)
        if pieces.count(self._image_token) != num_frames or pieces.count(_PLACEHOLDER) != 1:
            raise ModelError(
                f"The chat template puts {pieces.count(self._image_token)} image tokens and "
                f"{pieces.count(_PLACEHOLDER)} texts where {num_frames} and 1 are needed."
            )
        return [piece for piece in pieces if piece]

    def _render(self, num_frames: int) -> str:
        content: list[dict[str, str]] = []
        for number in range(1, num_frames + 1):
            if num_frames > 1:
                content.append({"type": "text", "text": f"Frame{number}: "})
            content.append({"type": "image"})
        content.append({"type": "text", "text": _PLACEHOLDER})
        if self._template is None:
            body = "".join(part.get("text", f"{self._image_token}\n") for part in content)
            return f"<|im_start|>user\n{body}<|im_end|>\n<|im_start|>assistant\n"
        try:
            rendered = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": content}],
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:  # templates are programs, run in a sandbox: they raise what they like
            raise ModelError(
                f"The chat template cannot be rendered: {type(error).__name__}: {error}"
            ) from error
        return str(rendered)

    def _text_ids(self, text: str) -> list[int]:
        text = text.strip().replace(_PLACEHOLDER, "")
        starts = [match.start() + 1 for match in self._special.finditer(text)] if self._special else []
        edges = [0, *starts, len(text)]
        return [x for start, end in pairwise(edges) for x in self._encode(text[start:end])]

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False)) if text else []
