"""Loads any image-text-to-text checkpoint onto a device: safetensors only, never remote code."""

from __future__ import annotations

import logging
from typing import Any

import torch

from corridor_cli.engine.local.failures import is_out_of_memory
from corridor_cli.errors import ModelError

_MAX_REASON_CHARACTERS = 300


def load_network(path: str, device: str, dtype: torch.dtype) -> Any:
    """The network of the checkpoint in the folder `path`, in evaluation mode. Raises `ModelError`."""
    silence_transformers()
    from transformers import AutoConfig, AutoModelForImageTextToText

    problem = ""
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        use_plain_rope(config.get_text_config())
        network, report = AutoModelForImageTextToText.from_pretrained(
            path,
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
                f"The weights in {path} lack {len(missing)} tensors, such as {missing[0]}.",
                hint="The checkpoint is incomplete: download it again.",
            )
        return network.to(device).eval().requires_grad_(False)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - transformers raises any type for a checkpoint it cannot take
        cause = "does not fit into the memory of" if is_out_of_memory(error) else "cannot be loaded onto"
        problem = f"The model in {path} {cause} {device}: {type(error).__name__}: {first_line(error)}"
    # Outside the block: inside it the exception would still hold the tensors.
    raise ModelError(
        problem,
        hint="Try a smaller model, another `--device`, or a checkpoint that transformers loads without "
        "code of its own.",
    )


def use_plain_rope(text_config: Any) -> None:
    """Replace dynamic position scaling by plain RoPE: the same below `max_position_embeddings`.

    The dynamic form makes transformers synchronise with the device at every step. The prompt's length is
    checked against the bound, so the longer range is never reached.
    """
    parameters = getattr(text_config, "rope_parameters", None) or {}
    if parameters.get("rope_type") == "dynamic":
        kept = {
            key: value for key, value in parameters.items() if key in {"rope_theta", "partial_rotary_factor"}
        }
        text_config.rope_parameters = {"rope_type": "default", **kept}


def max_context_tokens(text_config: Any) -> int | None:
    """Tokens a sequence may have, or None where the config does not say."""
    for name in ("max_position_embeddings", "max_sequence_length", "n_positions"):
        value = getattr(text_config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def first_line(error: Exception) -> str:
    """What an error says first, of a length for one line of a terminal or a document."""
    return next(iter(str(error).strip().splitlines()), "")[:_MAX_REASON_CHARACTERS]


def silence_transformers() -> None:
    """No progress bars and no advice on the terminal; errors still come as exceptions."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity(logging.ERROR)
