"""Reading checkpoints: the good one, and every way in which one cannot be used."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_samples import TILE_PX, TOKENS_PER_TILE, write_json

from corridor_cli.engine.checkpoint import read_checkpoint
from corridor_cli.errors import ExitCode, ModelError


@pytest.fixture
def checkpoint(random_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(random_checkpoint, tmp_path / "checkpoint"))


def change(path: Path, **values: object) -> None:
    """Set keys of a JSON file; None removes one. A key `a__b` is `b` inside `a`."""
    table = json.loads(path.read_text())
    for key, value in values.items():
        inner = table
        *outer, last = key.split("__")
        for name in outer:
            inner = inner[name]
        inner[last] = value
        if value is None:
            del inner[last]
    write_json(path, table)


def test_facts_come_from_the_files(random_checkpoint: Path) -> None:
    info = read_checkpoint(str(random_checkpoint), None)
    assert (info.tile_px, info.tokens_per_tile, info.max_tiles) == (TILE_PX, TOKENS_PER_TILE, 12)
    assert info.image_mean == (0.485, 0.456, 0.406)
    assert info.image_std == (0.229, 0.224, 0.225)
    assert (info.image_token_id, info.end_token_ids) == (5, (2,))
    assert info.weight_files == ("model.safetensors",)
    assert info.is_small
    assert info.revision is None


def test_the_number_of_parameters_is_the_networks_own(random_checkpoint: Path) -> None:
    from transformers import InternVLForConditionalGeneration

    network = InternVLForConditionalGeneration.from_pretrained(random_checkpoint)
    assert read_checkpoint(str(random_checkpoint), None).num_parameters == network.num_parameters()


def test_pixels_may_be_described_in_the_processor_config(checkpoint: Path) -> None:
    pixels = json.loads((checkpoint / "preprocessor_config.json").read_text())
    (checkpoint / "preprocessor_config.json").unlink()
    pixels["image_mean"] = [0.5, 0.25, 0.125]
    write_json(checkpoint / "processor_config.json", {"image_processor": pixels, "image_seq_length": 4})
    assert read_checkpoint(str(checkpoint), None).image_mean == (0.5, 0.25, 0.125)


@pytest.mark.parametrize(
    "name", ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"]
)
def test_the_identity_follows_every_file(checkpoint: Path, name: str) -> None:
    before = read_checkpoint(str(checkpoint), None).identity
    assert read_checkpoint(str(checkpoint), None).identity == before
    if name == "model.safetensors":
        from safetensors.torch import load_file, save_file

        tensors = load_file(checkpoint / name)
        save_file(tensors, checkpoint / name, metadata={"other": "header"})
    else:
        (checkpoint / name).write_text((checkpoint / name).read_text() + "\n")
    assert read_checkpoint(str(checkpoint), None).identity != before


@pytest.mark.parametrize("small_file_bytes", [0, 16 * 1024**2])
def test_the_identity_follows_further_training(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, small_file_bytes: int
) -> None:
    from safetensors.torch import load_file, save_file

    monkeypatch.setattr("corridor_cli.engine.weights._SMALL_FILE_BYTES", small_file_bytes)
    path = checkpoint / "model.safetensors"
    before, header = read_checkpoint(str(checkpoint), None).identity, path.read_bytes()[:1000]
    tensors = {name: tensor * 1.001 for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    assert path.read_bytes()[:1000] == header
    assert read_checkpoint(str(checkpoint), None).identity != before


def test_shards_are_read_through_their_index(checkpoint: Path) -> None:
    split(checkpoint)
    info = read_checkpoint(str(checkpoint), None)
    assert info.weight_files == ("part-1.safetensors", "part-2.safetensors")


def split(checkpoint: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"part-1.safetensors": names[::2], "part-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, checkpoint / file)
    weight_map = {name: file for file, part in parts.items() for name in part}
    write_json(checkpoint / "model.safetensors.index.json", {"weight_map": weight_map})


def only_pickles(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def lose_layer(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file({name: t for name, t in load_file(path).items() if ".layers.1." not in name}, path)


def lose_shard(folder: Path) -> None:
    split(folder)
    (folder / "part-2.safetensors").unlink()


def lose_tensor_of_index(folder: Path) -> None:
    split(folder)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"]["another.weight"] = "part-1.safetensors"
    write_json(folder / "model.safetensors.index.json", index)


def climb_out_by_index(folder: Path) -> None:
    write_json(folder / "model.safetensors.index.json", {"weight_map": {"a": "../../other.safetensors"}})


def leave_pointer(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")

    return spoil


def set_config(**values: object) -> Callable[[Path], None]:
    return lambda folder: change(folder / "config.json", **values)


def set_pixels(**values: object) -> Callable[[Path], None]:
    return lambda folder: change(folder / "preprocessor_config.json", **values)


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


JUNK_HEADER = (9).to_bytes(8, "little") + b'{"a": 1}\n' + bytes(9)
SPOILED = {
    "no config": (remove("config.json"), "no config.json"),
    "broken config": (write("config.json", b'{"a": '), "not valid JSON"),
    "config is a list": (write("config.json", b"[1]"), "holds list"),
    "original layout": (set_config(architectures=["InternVLChatModel"]), "original InternVLChatModel layout"),
    "another architecture": (set_config(architectures=["LlamaForCausalLM"]), "is 'LlamaForCausalLM'"),
    "no architecture": (set_config(architectures=None, model_type="bert"), "is 'bert'"),
    "no image token": (set_config(image_token_id=None), "image_token_id is None"),
    "strange sub-config": (set_config(text_config="qwen2"), "cannot be understood"),
    "no tokenizer": (remove("tokenizer.json"), "no tokenizer.json"),
    "no preprocessor": (remove("preprocessor_config.json"), "no preprocessor_config.json"),
    "no mean": (set_pixels(image_mean=None), "image_mean is None"),
    "two deviations": (set_pixels(image_std=[0.2, 0.2]), "not three numbers"),
    "tile not square": (set_pixels(size={"height": 56, "width": 28}), "not equal height and width"),
    "tile of another size": (set_pixels(size={"height": 28, "width": 28}), "tiles of 28 px"),
    "not bicubic": (set_pixels(resample=0), "only bicubic"),
    "wrong token count": (set_config(image_seq_length=5), "image_seq_length is 5"),
    "only pickles": (only_pickles, "never loaded"),
    "no weights": (remove("model.safetensors"), "no model.safetensors"),
    "weights cut off": (cut_off, "bytes long where its header asks for"),
    "weights are text": (write("model.safetensors", b"hello"), "not a safetensors file"),
    "header is junk": (write("model.safetensors", JUNK_HEADER), "broken safetensors header"),
    "layer missing": (lose_layer, "lack language_model layer 1"),
    "shard missing": (lose_shard, "part-2.safetensors is missing"),
    "tensor of the index missing": (lose_tensor_of_index, "such as another.weight"),
    "index names a file elsewhere": (climb_out_by_index, "not a safetensors file beside it"),
    "weights not fetched": (leave_pointer("model.safetensors"), "git-lfs pointer"),
    "tokenizer not fetched": (leave_pointer("tokenizer.json"), "git-lfs pointer"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_checkpoint_is_refused_in_one_line(checkpoint: Path, case: str) -> None:
    spoil, words = SPOILED[case]
    spoil(checkpoint)
    with pytest.raises(ModelError, match=words) as caught:
        read_checkpoint(str(checkpoint), None)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.MODEL


def test_the_original_layout_names_its_twin(checkpoint: Path) -> None:
    set_config(architectures=["InternVLChatModel"])(checkpoint)
    with pytest.raises(ModelError, match="-hf"):
        read_checkpoint(str(checkpoint), None)


@pytest.mark.parametrize("model", [None, "", "tinny", "./nowhere", "/nowhere/at/all"])
def test_a_model_that_is_not_there_says_what_can_be_given(model: str | None) -> None:
    with pytest.raises(ModelError, match="--model tiny") as caught:
        read_checkpoint(model, None)
    assert "OpenGVLab/InternVL3-2B-hf" in caught.value.hint


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.sentinel,)


def plant(checkpoint: Path) -> Path:
    """Code and pickles of every kind a checkpoint may bring; the path is written when any of it runs."""
    sentinel = checkpoint / "ran"
    code = (
        f"from pathlib import Path\nPath({str(sentinel)!r}).touch()\nclass Config: pass\nclass Model: pass\n"
    )
    auto_map = {
        "AutoConfig": "hostile.Config", "AutoModel": "hostile.Model",
        "AutoModelForImageTextToText": "hostile.Model", "AutoTokenizer": ["hostile.Model", "hostile.Model"],
    }  # fmt: skip
    for name in ("hostile.py", "__init__.py", "modeling_internvl_chat.py", "configuration_internvl.py"):
        (checkpoint / name).write_text(code)
    change(checkpoint / "config.json", auto_map=auto_map, trust_remote_code=True)
    change(checkpoint / "tokenizer_config.json", auto_map=auto_map)
    for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl"):
        (checkpoint / name).write_bytes(pickle.dumps(Bomb(sentinel)))
    return sentinel


def test_nothing_in_the_folder_runs(checkpoint: Path) -> None:
    from engine_samples import DictStore, Listener, make_frame, make_request

    from corridor_cli.engine.local.engine import LocalEngine
    from corridor_cli.settings import ModelSettings

    sentinel = plant(checkpoint)
    store = DictStore()
    engine = LocalEngine(ModelSettings(model=str(checkpoint), batch_size=1), store, Listener())
    engine.start()
    engine.submit(make_request(1, (store.add(make_frame(1)),)))
    captions = next(found for _ in range(100) if (found := engine.poll(0)))
    assert captions[0].error is None
    engine.close()
    assert not sentinel.exists()
    pickle.loads((checkpoint / "pytorch_model.bin").read_bytes())
    assert sentinel.exists(), "the bomb itself must work"


def hub_cache(folder: Path, checkpoint: Path, model: str, commit: str) -> Path:
    """A local hub cache that holds the checkpoint as `model`."""
    repository = folder / f"models--{model.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(checkpoint, repository / "snapshots" / commit)
    return folder


def test_a_hub_model_is_found_in_the_local_cache(
    random_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = hub_cache(tmp_path / "hub", random_checkpoint, "someone/model-hf", commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    info = read_checkpoint("someone/model-hf", None)
    assert (info.model_id, info.revision) == ("someone/model-hf", commit)
    assert info.identity == read_checkpoint(str(random_checkpoint), None).identity
    with pytest.raises(ModelError, match="not in the local cache, and the network is off"):
        read_checkpoint("someone/other-hf", None)
    (cache / "models--someone--model-hf" / "snapshots" / commit / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        read_checkpoint("someone/model-hf", None)


def test_a_hub_out_of_reach_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    with pytest.raises(ModelError, match="could not be fetched") as caught:
        read_checkpoint("someone/model-hf", None)
    assert "--model tiny" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_main_may_import_these_without_torch(random_checkpoint: Path) -> None:
    code = f"""
import sys
import corridor_cli.engine.base, corridor_cli.engine.batching, corridor_cli.engine.create
import corridor_cli.engine.echo, corridor_cli.engine.recovery, corridor_cli.hardware
from corridor_cli.engine.checkpoint import read_checkpoint
read_checkpoint({str(random_checkpoint)!r}, None)
heavy = {{"torch", "transformers", "numpy", "huggingface_hub", "av", "pydantic", "typer"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_number_of_layers_that_no_network_has_is_refused_at_once(
    random_checkpoint: Path, tmp_path: Path
) -> None:
    """Each layer's tensors are named before the weights are looked at: 10^9 of them would fill the memory."""
    folder = Path(shutil.copytree(random_checkpoint, tmp_path / "checkpoint"))
    change(folder / "config.json", text_config__num_hidden_layers=10**9)
    with pytest.raises(ModelError, match="num_hidden_layers is 1000000000, not a number from 1 to 1000"):
        read_checkpoint(str(folder), None)
