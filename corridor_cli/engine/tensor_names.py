"""The names of a network's tensors: the canonical ones with their shapes, and others they are stored under.

Canonical is what the first `-hf` checkpoints call them (`engine/local/tensors.py`). Stored they may also be
as transformers now calls them (`model.vision_tower…`, `lm_head.weight`), or as in the original layout, where
the queries, keys and values of the vision encoder are one tensor. Nothing else differs: both layouts shuffle
pixels alike (`ps_version` v2), so the projector's weights stay in their order.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from corridor_cli.engine.local.shape import NetworkShape, TextShape, VisionShape

Shape = tuple[int, ...]
LM_HEAD = "language_model.lm_head.weight"
EMBEDDINGS = "language_model.model.embed_tokens.weight"

_QKV = re.compile(r"attention\.([qkv])_proj\.")
_ORIGINAL = {
    "vision_tower.embeddings.cls_token": "vision_model.embeddings.class_embedding",
    "vision_tower.embeddings.position_embeddings": "vision_model.embeddings.position_embedding",
    "vision_tower.embeddings.patch_embeddings.projection.": "vision_model.embeddings.patch_embedding.",
    "vision_tower.encoder.layer.": "vision_model.encoder.layers.",
    ".attention.projection_layer.": ".attn.proj.",
    ".attention.": ".attn.",
    ".lambda_": ".ls",
    ".layernorm_before.": ".norm1.",
    ".layernorm_after.": ".norm2.",
    "multi_modal_projector.layer_norm.": "mlp1.0.",
    "multi_modal_projector.linear_1.": "mlp1.1.",
    "multi_modal_projector.linear_2.": "mlp1.3.",
}


@dataclass(frozen=True, slots=True)
class StoredName:
    """Where a tensor may lie: a name, and which third of that tensor's rows it is, None for the whole."""

    name: str
    third: int | None = None

    def shape(self, wanted: Shape) -> Shape:
        """The shape of the stored tensor that holds one of shape `wanted`."""
        return wanted if self.third is None else (3 * wanted[0], *wanted[1:])


def stored_names(canonical: str) -> tuple[StoredName, ...]:
    """Every way a checkpoint may store this tensor, the usual one first."""
    part, _, rest = canonical.partition(".")
    if part == "language_model":
        inner = rest.removeprefix("model.")
        prefixes = ("model.language_model", "language_model")
        newer = [rest] if canonical == LM_HEAD else [f"{prefix}.{inner}" for prefix in prefixes]
    else:
        newer = [f"model.{canonical}"]
    return (StoredName(canonical), *map(StoredName, newer), _original_name(canonical))


def find_stored(canonical: str, present: Collection[str], *, is_tied: bool) -> StoredName | None:
    """Where it lies among the names that are present; a tied head lies where the embeddings do."""
    for stored in stored_names(canonical):
        if stored.name in present:
            return stored
    if is_tied and canonical == LM_HEAD:
        return find_stored(EMBEDDINGS, present, is_tied=False)
    return None


def has_lm_head(present: Collection[str]) -> bool:
    """Whether the weights have an output layer of their own."""
    return find_stored(LM_HEAD, present, is_tied=False) is not None


def canonical_shapes(shape: NetworkShape) -> dict[str, Shape]:
    """Every tensor of a network by its canonical name; a tied head is none of its own."""
    vision, text = shape.vision, shape.text
    wide = 4 * vision.hidden
    shapes: dict[str, Shape] = {
        "vision_tower.embeddings.cls_token": (1, 1, vision.hidden),
        "vision_tower.embeddings.position_embeddings": (1, vision.num_positions, vision.hidden),
        "vision_tower.embeddings.patch_embeddings.projection.weight": (
            vision.hidden, 3, vision.patch_px, vision.patch_px,
        ),
        "vision_tower.embeddings.patch_embeddings.projection.bias": (vision.hidden,),
    }  # fmt: skip
    for number in range(vision.num_layers):
        layer = _vision_layer(vision)
        shapes |= {f"vision_tower.encoder.layer.{number}.{name}": size for name, size in layer.items()}
    shapes |= {
        "multi_modal_projector.layer_norm.weight": (wide,),
        "multi_modal_projector.layer_norm.bias": (wide,),
        **_linear("multi_modal_projector.linear_1", text.hidden, wide),
        **_linear("multi_modal_projector.linear_2", text.hidden, text.hidden),
        EMBEDDINGS: (text.vocab_size, text.hidden),
        "language_model.model.norm.weight": (text.hidden,),
    }
    for number in range(text.num_layers):
        layer = _text_layer(text)
        shapes |= {f"language_model.model.layers.{number}.{name}": size for name, size in layer.items()}
    if not text.is_tied:
        shapes[LM_HEAD] = (text.vocab_size, text.hidden)
    return shapes


def _vision_layer(vision: VisionShape) -> dict[str, Shape]:
    hidden = vision.hidden
    shapes: dict[str, Shape] = {"lambda_1": (hidden,), "lambda_2": (hidden,)}
    for norm in ("layernorm_before", "layernorm_after"):
        shapes[f"{norm}.weight"] = (hidden,)
        if vision.norm == "layer_norm":
            shapes[f"{norm}.bias"] = (hidden,)
    for letter in "qkv":
        shapes |= _linear(f"attention.{letter}_proj", hidden, hidden, has_bias=vision.has_qkv_bias)
    shapes |= _linear("attention.projection_layer", hidden, hidden)
    if vision.has_qk_norm:
        shapes |= {"attention.q_norm.weight": (hidden,), "attention.k_norm.weight": (hidden,)}
    shapes |= _linear("mlp.fc1", vision.intermediate, hidden)
    return shapes | _linear("mlp.fc2", hidden, vision.intermediate)


def _text_layer(text: TextShape) -> dict[str, Shape]:
    hidden, wide, narrow = text.hidden, text.num_heads * text.head_dim, text.num_kv_heads * text.head_dim
    shapes: dict[str, Shape] = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
        "self_attn.o_proj.weight": (hidden, wide),
        "mlp.gate_proj.weight": (text.intermediate, hidden),
        "mlp.up_proj.weight": (text.intermediate, hidden),
        "mlp.down_proj.weight": (hidden, text.intermediate),
    }
    for letter, width in (("q", wide), ("k", narrow), ("v", narrow)):
        shapes |= _linear(f"self_attn.{letter}_proj", width, hidden, has_bias=text.has_qkv_bias)
    if text.has_qk_norm:
        norms: dict[str, Shape] = {f"self_attn.{x}_norm.weight": (text.head_dim,) for x in "qk"}
        shapes |= norms
    return shapes


def _linear(name: str, rows: int, columns: int, *, has_bias: bool = True) -> dict[str, Shape]:
    weight: dict[str, Shape] = {f"{name}.weight": (rows, columns)}
    return weight | ({f"{name}.bias": (rows,)} if has_bias else {})


def _original_name(canonical: str) -> StoredName:
    """The text half has the same names in both layouts."""
    if canonical.startswith("language_model."):
        return StoredName(canonical)
    qkv = _QKV.search(canonical)
    third = None if qkv is None else "qkv".index(qkv[1])
    name = canonical if qkv is None else _QKV.sub("attention.qkv.", canonical)
    for ours, theirs in _ORIGINAL.items():
        name = name.replace(ours, theirs)
    return StoredName(name, third)
