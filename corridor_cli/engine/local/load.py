"""Loads the network and the tokenizer of a checkpoint onto a device: safetensors only, never remote code."""

from __future__ import annotations

import logging
from typing import Any

import torch

from corridor_cli.engine.checkpoint import CheckpointInfo
from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.errors import ModelError


def load_network(info: CheckpointInfo, device: str, dtype: torch.dtype) -> Any:
    """The `InternVLForConditionalGeneration` in evaluation mode. Raises `ModelError`."""
    silence_transformers()
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    problem = ""
    try:
        config = InternVLConfig.from_pretrained(info.path, local_files_only=True)
        use_plain_rope(config.text_config)
        network, report = InternVLForConditionalGeneration.from_pretrained(
            info.path,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        missing = sorted(report["missing_keys"])
        if missing:
            raise ModelError(
                f"The weights in {info.path} lack {len(missing)} tensors, such as {missing[0]}.",
                hint="The checkpoint is incomplete: download it again.",
            )
        return network.to(device).eval().requires_grad_(False)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - transformers raises any type for a checkpoint it cannot take
        first_line = next(iter(str(error).strip().splitlines()), "")
        cause = "does not fit into the memory of" if is_out_of_memory(error) else "cannot be loaded onto"
        problem = f"Model {info.model_id!r} {cause} {device}: {type(error).__name__}: {first_line[:300]}"
    raise ModelError(
        problem, hint="Try a smaller model, another `--device`, or download the checkpoint again."
    )


def load_tokenizer(info: CheckpointInfo) -> Any:
    """The checkpoint's tokenizer. AutoProcessor is no choice: its video half needs torchvision."""
    silence_transformers()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(info.path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises any type for a tokenizer it cannot take
        first_line = next(iter(str(error).strip().splitlines()), "")
        raise ModelError(f"The tokenizer in {info.path} cannot be loaded: {first_line[:300]}") from error


def use_plain_rope(text_config: Any) -> None:
    """Replace dynamic position scaling by plain RoPE: the same below `max_position_embeddings`.

    The dynamic form makes transformers synchronise with the device at every step. The prompt's length is
    checked against the bound, so the longer range is never reached.
    """
    parameters = text_config.rope_parameters
    if parameters.get("rope_type") == "dynamic":
        kept = {
            key: value for key, value in parameters.items() if key in {"rope_theta", "partial_rotary_factor"}
        }
        text_config.rope_parameters = {"rope_type": "default", **kept}


def silence_transformers() -> None:
    """No progress bars and no advice on the terminal; errors still come as exceptions."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity(logging.ERROR)
