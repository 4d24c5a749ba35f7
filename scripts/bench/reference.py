"""What a user of plain transformers would write: `generate`, one frame at a time or in batches of one size.

Resizing and normalising are done with torch and not with the checkpoint's image processor, which would need
torchvision; it is slower, so the comparison errs on transformers' side.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.dummy_checkpoint import (
    END_TOKEN_IDS,
    IMAGE_MEAN,
    IMAGE_STD,
    dummy_config,
    dummy_network,
    write_tokenizer,
)
from bench.workload import Pixels, prompt_of_length
from corridor_cli.engine.checkpoint import read_checkpoint
from corridor_cli.engine.local.tiles import TileRule, cut_tiles


class Reference:
    """A transformers network and its tokenizer. `end_token_ids` stop a caption."""

    def __init__(self, network: Any, tokenizer: Any, rule: TileRule, end_token_ids: Sequence[int]) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._rule = rule
        self._end_token_ids = list(end_token_ids)
        self._image_token = tokenizer.convert_ids_to_tokens(network.config.image_token_id)

    @classmethod
    def load(cls, model: str, max_tiles: int, device: str, dtype: torch.dtype) -> Reference:
        """A checkpoint's folder, or `tiny`, as `from_pretrained` gives it."""
        from transformers import AutoTokenizer, InternVLForConditionalGeneration

        info = read_checkpoint(model, None)
        network = InternVLForConditionalGeneration.from_pretrained(
            info.path, dtype=dtype, local_files_only=True, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(info.path, local_files_only=True, trust_remote_code=False)
        rule = TileRule(info.tile_px, max_tiles, info.image_mean, info.image_std)
        return cls(network.to(device).eval(), tokenizer, rule, info.end_token_ids)

    @classmethod
    def dummy(cls, preset: str, max_tiles: int, device: str, dtype: torch.dtype) -> Reference:
        """Random weights of a real shape, made on the device: no file is needed."""
        from transformers import PreTrainedTokenizerFast

        with tempfile.TemporaryDirectory() as folder:
            write_tokenizer(Path(folder))
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        rule = TileRule(448, max_tiles, IMAGE_MEAN, IMAGE_STD)
        return cls(dummy_network(dummy_config(preset), device, dtype), tokenizer, rule, END_TOKEN_IDS)

    def prompt_ids(self, tiles_per_frame: Sequence[int], prompt: str) -> list[int]:
        """Token ids of one request, as the chat template and the published recipe for several frames say."""
        content: list[dict[str, str]] = []
        for number in range(1, len(tiles_per_frame) + 1):
            if len(tiles_per_frame) > 1:
                content.append({"type": "text", "text": f"Frame{number}: "})
            content.append({"type": "image"})
        content.append({"type": "text", "text": prompt.strip()})
        chat = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        first, *rest = chat.split(self._image_token)
        tokens_per_tile = self._network.config.image_seq_length
        for tiles, text in zip(tiles_per_frame, rest, strict=True):
            first += "<img>" + self._image_token * (tokens_per_tile * tiles) + "</img>" + text
        return list(self._tokenizer.encode(first, add_special_tokens=False))

    def prompt_with_tokens(self, num_tokens: int) -> str:
        """A text that makes `num_tokens` with the template around it, beside the pictures; with one token a
        letter, as the tokenizers of dummy and tiny checkpoints have."""
        around = len(self.prompt_ids([0], "x")) - 1
        return prompt_of_length(max(1, num_tokens - around))

    def caption(
        self, frames: Sequence[Pixels], prompt: str, output_tokens: int, batch_size: int
    ) -> tuple[int, int]:
        """Caption frames of one size; (prompt tokens of one, new tokens of all)."""
        num_new, num_prompt = 0, 0
        for start in range(0, len(frames), batch_size):
            batch = [[frame] for frame in frames[start : start + batch_size]]
            rows, num_prompt = self._generate(batch, prompt, output_tokens)
            num_new += sum(len(row) for row in rows)
            for row in rows:
                self._text(row)
        return num_prompt, num_new

    def answer(self, frames: Sequence[Pixels], prompt: str, output_tokens: int) -> str:
        """The text of one request with these frames, alone."""
        (row,), _ = self._generate([frames], prompt, output_tokens)
        return self._text(row)

    def _text(self, row: list[int]) -> str:
        text = self._tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text).strip()

    @torch.inference_mode()
    def _generate(
        self, requests: Sequence[Sequence[Pixels]], prompt: str, output_tokens: int
    ) -> tuple[list[list[int]], int]:
        parameter = next(self._network.parameters())
        device, dtype = parameter.device, parameter.dtype
        tiles = [
            cut_tiles(torch.from_numpy(frame).to(device), self._rule).to(dtype)
            for frames in requests
            for frame in frames
        ]
        ids = self.prompt_ids([len(each) for each in tiles[: len(requests[0])]], prompt)
        token_ids = torch.tensor([ids] * len(requests), device=device)
        output = self._network.generate(
            input_ids=token_ids,
            attention_mask=torch.ones_like(token_ids),
            pixel_values=torch.cat(tiles),
            max_new_tokens=output_tokens,
            do_sample=False,
            eos_token_id=self._end_token_ids,
            pad_token_id=self._end_token_ids[0],
        )
        return output[:, len(ids) :].tolist(), len(ids)
