"""vLLM's offline engine on the same checkpoint and frames; runs in the environment vLLM is installed in.

Imports nothing of this project but the workload.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bench.workload import Workload

_PATCH_TOKENS = 256


class VllmOffline:
    """`LLM.generate` over all frames at once. Every cache across rounds is off: the frames come again."""

    def __init__(self, folder: Path, workload: Workload) -> None:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        # By default one core is kept back, half of a machine that has two.
        os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        from vllm import LLM, SamplingParams

        context = workload.tiles * _PATCH_TOKENS + len(workload.prompt) + workload.output_tokens + 64
        self._workload = workload
        # "auto" is bfloat16, as the checkpoint says.
        self._llm = LLM(
            model=str(folder),
            max_model_len=-(-context // 128) * 128,
            limit_mm_per_prompt={"image": 1, "video": 0},
            enable_prefix_caching=False,
            mm_processor_cache_gb=0,
            max_num_seqs=max(16, min(256, workload.num_frames)),
            mm_processor_kwargs={"max_patches": workload.max_tiles},
        )
        self._sampling = SamplingParams(
            temperature=0.0,
            max_tokens=workload.output_tokens,
            min_tokens=workload.output_tokens,
            ignore_eos=True,
        )

    def caption(self, frames: list[Any]) -> tuple[int, int]:
        """Caption all frames; (prompt tokens of one, new tokens of all)."""
        from PIL import Image

        chat = f"<|im_start|>user\n<IMG_CONTEXT>\n{self._workload.prompt}<|im_end|>\n<|im_start|>assistant\n"
        prompts = [
            {"prompt": chat, "multi_modal_data": {"image": Image.fromarray(frame)}} for frame in frames
        ]
        outputs = self._llm.generate(prompts, self._sampling, use_tqdm=False)
        num_new = sum(len(output.outputs[0].token_ids) for output in outputs)
        return len(outputs[0].prompt_token_ids), num_new
