"""What a user of plain transformers would write: `generate`, one frame at a time or in batches of one size.

Resizing and normalising are done with torch and not with the checkpoint's image processor, which would need
torchvision; it is slower, so the comparison errs on transformers' side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.workload import Pixels, Workload
from corridor_cli.engine.local.tiles import TileRule, cut_tiles


class Reference:
    """A transformers network with its prompts ready."""

    def __init__(self, network: Any, tokenizer: Any, rule: TileRule, workload: Workload) -> None:
        self.network = network
        self._tokenizer = tokenizer
        self._rule = rule
        self._workload = workload

    @classmethod
    def load(cls, folder: Path, workload: Workload, device: str, dtype: torch.dtype) -> Reference:
        """The checkpoint as `from_pretrained` gives it."""
        from transformers import AutoTokenizer, InternVLForConditionalGeneration

        network = InternVLForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return cls(network.to(device).eval(), tokenizer, _tile_rule(folder, workload), workload)

    def prompt_ids(self, num_tiles: Sequence[int], prompt: str) -> list[int]:
        """Token ids of one request with these tiles in each of its frames, as the chat template writes them."""
        text = "".join(
            f"{f'Frame{number}: ' if len(num_tiles) > 1 else ''}<img>"
            + "<IMG_CONTEXT>" * (self.tokens_per_tile * tiles)
            + "</img>\n"
            for number, tiles in enumerate(num_tiles, 1)
        )
        chat = f"<|im_start|>user\n{text}{prompt}<|im_end|>\n<|im_start|>assistant\n"
        return list(self._tokenizer.encode(chat, add_special_tokens=False))

    @property
    def tokens_per_tile(self) -> int:
        return int(self.network.config.image_seq_length)

    @torch.inference_mode()
    def caption(self, frames: Sequence[Pixels], batch_size: int) -> tuple[int, int]:
        """Caption all frames; (prompt tokens of one, new tokens of all)."""
        num_new, num_prompt = 0, 0
        for start in range(0, len(frames), batch_size):
            rows, num_prompt = self._generate(frames[start : start + batch_size])
            num_new += sum(len(row) for row in rows)
            for row in rows:
                self._tokenizer.decode(row, skip_special_tokens=True)
        return num_prompt, num_new

    def _generate(self, frames: Sequence[Pixels]) -> tuple[list[list[int]], int]:
        parameter = next(self.network.parameters())
        device, dtype = parameter.device, parameter.dtype
        tiles = [cut_tiles(torch.from_numpy(frame).to(device), self._rule).to(dtype) for frame in frames]
        ids = self.prompt_ids([len(tiles[0])], self._workload.prompt)
        token_ids = torch.tensor([ids] * len(frames), device=device)
        output = self.network.generate(
            input_ids=token_ids,
            attention_mask=torch.ones_like(token_ids),
            pixel_values=torch.cat(tiles),
            max_new_tokens=self._workload.output_tokens,
            do_sample=False,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return output[:, len(ids) :].tolist(), len(ids)


def _tile_rule(folder: Path, workload: Workload) -> TileRule:
    from corridor_cli.engine.checkpoint import read_checkpoint

    info = read_checkpoint(str(folder), None)
    return TileRule(info.tile_px, workload.max_tiles, info.image_mean, info.image_std)
