"""The checkpoint's own processor: template, tokens and pixels, put together without its video half.

`AutoProcessor` loads every part a family has, and the video part of many needs torchvision, which frames do
not. So the parts are loaded one by one, the video part is left out, and pixels go through Pillow where the
family can: the same frame then makes the same numbers with and without torchvision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corridor_cli.engine.checkpoint_files import chat_template, read_json
from corridor_cli.engine.generic.load import first_line, silence_transformers
from corridor_cli.errors import ModelError

_NAMING_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


def load_processor(path: str, max_tiles: int) -> Any:
    """The processor of the checkpoint in the folder `path`; its tokenizer pads on the left.

    `max_tiles` holds where the family counts tiles as InternVL does; others cut frames as their files say.
    Raises `ModelError`.
    """
    silence_transformers()
    try:
        processor_class = _processor_class(path)
        parts = [_load_part(path, name) for name in processor_class.get_attributes()]
        settings, _ = processor_class.get_processor_dict(path, local_files_only=True)
        processor = _without_video(processor_class).from_args_and_dict(parts, settings)
    except Exception as error:  # transformers raises any type for a processor it cannot take
        raise ModelError(
            f"The processor in {path} cannot be loaded: {type(error).__name__}: {first_line(error)}",
            hint="If it asks for a package, install that one beside vlmtl.",
        ) from error
    processor.chat_template = getattr(processor, "chat_template", None) or chat_template(Path(path))
    processor.tokenizer.padding_side = "left"
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    pixels: Any = getattr(processor, "image_processor", None)
    if hasattr(pixels, "max_patches") and hasattr(pixels, "crop_to_patches"):
        pixels.max_patches, pixels.crop_to_patches = max_tiles, max_tiles > 1
    return processor


def _processor_class(path: str) -> Any:
    """The class a file of the checkpoint names, else the one transformers has for its model type."""
    from transformers import AutoConfig
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name

    names = (read_json(Path(path) / file).get("processor_class") for file in _NAMING_FILES)
    for name in names:
        found = processor_class_from_name(name) if isinstance(name, str) else None
        if found is not None:
            return found
    config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    return PROCESSOR_MAPPING[type(config)]


def _load_part(path: str, name: str) -> Any:
    """The part of a processor called `name`; None for what only other media than pictures need."""
    from transformers import AutoImageProcessor, AutoTokenizer

    if name == "tokenizer":
        return AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    if name == "image_processor":
        return AutoImageProcessor.from_pretrained(
            path, backend="pil", local_files_only=True, trust_remote_code=False
        )
    if "video" in name or "feature_extractor" in name:
        return None
    raise ModelError(f"its part {name!r} is unknown; known are a tokenizer and an image processor")


def _without_video(processor_class: Any) -> Any:
    """The class, taking None for the parts left out; transformers' own check refuses that."""

    def check(self: Any, name: str, part: Any) -> Any:
        return processor_class.check_argument_for_proper_class(self, name, part) if part else None

    return type(processor_class.__name__, (processor_class,), {"check_argument_for_proper_class": check})
