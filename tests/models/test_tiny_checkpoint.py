"""The bundled tiny checkpoint: its files, what it says about drawn pictures, and the code that trained it."""

import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny import labels, pictures
from tiny.batches import chat_text, make_batch
from tiny.checkpoint import build_config, build_model, build_tokenizer
from tiny.colours import COLOURS, PROTOTYPES, name_colours
from tiny.evaluation import Captioner, solid_pictures
from tiny.training import Plan, Trainer
from transformers import InternVLConfig, InternVLForConditionalGeneration, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

REPOSITORY = Path(__file__).resolve().parents[2]
CHECKPOINT = REPOSITORY / "corridor_cli" / "models" / "tiny"


@pytest.fixture(scope="module")
def captioner() -> Iterator[Captioner]:
    threads = torch.get_num_threads()
    torch.set_num_threads(min(2, threads))
    yield Captioner.load(CHECKPOINT)
    torch.set_num_threads(threads)


def draw(
    kind: str, place: str, shape_rgb: tuple[int, int, int], ground_rgb: tuple[int, int, int]
) -> torch.Tensor:
    """One shape of 25 px half size in the middle of its third."""
    column, row = labels.PLACES.index(place) % 3, labels.PLACES.index(place) // 3
    centres = torch.tensor([[(26.0, 56.0, 86.0)[column]], [(26.0, 56.0, 86.0)[row]]])
    halves = torch.full((2, 1), 25.0)
    mask = pictures.shape_masks(torch.tensor([labels.SHAPES.index(kind)]), centres, halves, torch.zeros(1))
    inside, outside = (torch.tensor(rgb)[None, :, None, None] for rgb in (shape_rgb, ground_rgb))
    return (outside + mask * (inside - outside)).round().to(torch.uint8)


def parsed(caption: str) -> dict[str, str | None]:
    match = labels.GRAMMAR.fullmatch(caption)
    assert match, caption
    return match.groupdict()


def test_files_are_those_of_the_native_layout_and_small() -> None:
    config = json.loads((CHECKPOINT / "config.json").read_text())
    assert config["architectures"] == ["InternVLForConditionalGeneration"]
    assert (config["model_type"], config["text_config"]["model_type"]) == ("internvl", "qwen2")
    assert config["vision_config"]["model_type"] == "internvl_vision"
    assert config["image_seq_length"] == 16
    preprocessor = json.loads((CHECKPOINT / "preprocessor_config.json").read_text())
    assert preprocessor["size"] == {"height": 112, "width": 112}
    assert preprocessor["image_mean"] == [0.485, 0.456, 0.406]
    assert preprocessor["image_std"] == [0.229, 0.224, 0.225]
    assert preprocessor["resample"] == 3
    assert (CHECKPOINT / "model.safetensors").stat().st_size <= 12_000_000


def test_loads_with_every_weight_accounted_for() -> None:
    transformers_logging.set_verbosity_warning()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, report = InternVLForConditionalGeneration.from_pretrained(CHECKPOINT, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


def test_each_colour_alone_is_named(captioner: Captioner) -> None:
    captions = captioner.caption(solid_pictures(torch.tensor(PROTOTYPES, dtype=torch.uint8)))
    assert [parsed(caption)["first"] for caption in captions] == list(COLOURS)


def test_exchanged_channels_change_the_colour(captioner: Captioner) -> None:
    red = solid_pictures(torch.tensor([PROTOTYPES[COLOURS.index("red")]], dtype=torch.uint8))
    captions = captioner.caption(torch.cat([red, red.flip(1)]))
    assert [parsed(caption)["first"] for caption in captions] == ["red", "blue"]


@pytest.mark.parametrize("kind", labels.SHAPES)
def test_shapes_colours_and_places_are_told(captioner: Captioner, kind: str) -> None:
    blue, white = PROTOTYPES[COLOURS.index("blue")], PROTOTYPES[COLOURS.index("white")]
    drawn = torch.cat([draw(kind, place, blue, white) for place in labels.PLACES])
    answers = [parsed(caption) for caption in captioner.caption(drawn)]
    assert [(a["shape"], a["shape_colour"], a["place"]) for a in answers] == [
        (kind, "blue", place) for place in labels.PLACES
    ]


def test_batch_says_what_single_requests_say(captioner: Captioner) -> None:
    sheet = pictures.draw_clear_shapes(6, seed=2**31)
    prompts = ["Hi", "Describe this picture in as many words as you like, please, and then stop.", "?"] * 2
    alone = [captioner.caption(sheet.pictures[i : i + 1], [prompts[i]])[0] for i in range(6)]
    assert captioner.caption(sheet.pictures, prompts) == alone


def test_answers_end_within_forty_tokens(captioner: Captioner) -> None:
    generator = torch.Generator().manual_seed(3)
    noise = torch.randint(0, 256, (8, 3, 112, 112), dtype=torch.uint8, generator=generator)
    for caption in captioner.caption(noise):
        assert parsed(caption)
        assert len(captioner.tokenizer(caption)["input_ids"]) <= 40


def test_of_two_frames_the_last_is_told(captioner: Captioner) -> None:
    one = draw("circle", "left", PROTOTYPES[0], PROTOTYPES[7])
    two = draw("square", "right", PROTOTYPES[2], PROTOTYPES[8])
    text = [chat_text([1, 1], "What happens?")]
    said = [captioner.complete(text, torch.cat(order))[0] for order in ((one, two), (two, one))]
    assert [parsed(caption)["shape"] for caption in said] == ["square", "circle"]


@pytest.mark.parametrize(
    "text", ["", "naïve 🙂\u200d e\u0301", "\x00\t\r\n  x", "<img>日本語</img>", "عربى\ufeff"]
)
def test_any_text_survives_the_tokenizer(captioner: Captioner, text: str) -> None:
    assert captioner.tokenizer.decode(captioner.tokenizer(text)["input_ids"]) == text


def test_chat_template_writes_the_published_layout(captioner: Captioner) -> None:
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Why?"}]}]
    text = captioner.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\n<IMG_CONTEXT>\nWhy?<|im_end|>\n<|im_start|>assistant\n"


def test_tokenizer_is_the_one_the_script_builds(captioner: Captioner) -> None:
    assert build_tokenizer().get_vocab() == captioner.tokenizer.get_vocab()


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((255, 0, 0), "red"), ((0, 0, 128), "blue"), ((255, 165, 0), "orange"), ((139, 69, 19), "brown"),
        ((128, 128, 128), "gray"), ((255, 192, 203), "pink"), ((0, 255, 255), "cyan"),
        ((255, 0, 255), "pink"),
        ((128, 0, 128), "purple"), ((255, 215, 0), "yellow"), ((0, 128, 0), "green"), ((20, 18, 22), "black"),
    ],
)  # fmt: skip
def test_colours_are_named_as_people_name_them(rgb: tuple[int, int, int], name: str) -> None:
    assert COLOURS[int(name_colours(torch.tensor(rgb) / 255))] == name


def test_measures_of_a_picture_in_two_halves() -> None:
    picture = torch.zeros((1, 3, 112, 112), dtype=torch.uint8)
    picture[:, :, :, 42:] = 255
    measures = labels.measure(picture)
    assert measures.luma.item() == pytest.approx(255 * 0.625, abs=0.01)
    assert measures.shares[0, COLOURS.index("white")].item() == 0.625
    assert measures.detail.item() == pytest.approx(16 / 480)
    words = measures.words()[0].tolist()
    caption = labels.write_caption(words, [labels.NONE] * 3)
    assert caption == "A bright, high-contrast, plain picture, mainly white and black."


def test_pictures_near_a_threshold_are_not_clear() -> None:
    levels = torch.tensor([72, 76], dtype=torch.uint8)
    assert labels.measure(solid_pictures(levels[:, None].expand(2, 3))).are_clear().tolist() == [False, True]


def test_same_seed_draws_the_same_pictures() -> None:
    one, two, other = (pictures.draw_clear_shapes(8, seed) for seed in (5, 5, 6))
    assert torch.equal(one.pictures, two.pictures)
    assert not torch.equal(one.pictures, other.pictures)


def shallow_config(tokenizer: PreTrainedTokenizerFast) -> InternVLConfig:
    """The bundled model's, with one layer a tower, and that one narrow.

    Muon makes each matrix orthogonal in bfloat16, which takes most of a step on a processor that multiplies
    no bfloat16: 3.5 to 7 s for the whole model. More of the same matrices would prove nothing more.
    """
    config = build_config(tokenizer)
    for tower in (config.vision_config, config.text_config):
        tower.num_hidden_layers, tower.intermediate_size = 1, 64
    config.text_config.layer_types = config.text_config.layer_types[:1]
    return config


def test_same_seed_trains_the_same_weights() -> None:
    tokenizer = build_tokenizer()
    sheet = pictures.draw_clear_shapes(4, seed=5)
    multi = (False, True)
    batches = [
        make_batch(sheet, [0, 1, 2, 3], tokenizer, random.Random(step), is_multi=multi[step])
        for step in (0, 1)
    ]
    states = []
    for seed in (1, 1, 2):
        trainer = Trainer(build_model(shallow_config(tokenizer), seed), Plan(steps=2), "cpu")
        for batch in batches:
            trainer.take_step(batch)
        states.append(trainer.average)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_training_state_is_resumed_exactly(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    sheet = pictures.draw_clear_shapes(4, seed=5)
    batches = [make_batch(sheet, [0, 1], tokenizer, random.Random(step), is_multi=False) for step in range(3)]
    first = Trainer(build_model(shallow_config(tokenizer), 1), Plan(steps=3), "cpu")
    for batch in batches[:2]:
        first.take_step(batch)
    first.save(tmp_path / "state.pt")
    second = Trainer(build_model(shallow_config(tokenizer), 9), Plan(steps=3), "cpu")
    second.restore(tmp_path / "state.pt")
    for trainer in (first, second):
        trainer.take_step(batches[2])
    assert all(torch.equal(first.average[name], second.average[name]) for name in first.average)
