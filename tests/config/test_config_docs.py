"""`config/processing.yaml` documents the settings: it names each one, once, with its default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from corridor_cli.config import load_settings, packaged_file
from corridor_cli.config.keys import find_key, known_keys, suggest
from corridor_cli.config.yaml_tree import Node, parse_tree
from corridor_cli.settings import Settings


def names_in(node: Node, prefix: str = "") -> Iterator[str]:
    if isinstance(node.value, dict) and node.value:
        for name, child in node.value.items():
            yield from names_in(child, f"{prefix}{name}.")
    else:
        yield prefix[:-1]


def test_the_file_names_every_setting_once_in_order() -> None:
    tree, problems = parse_tree(packaged_file().read_bytes())
    assert problems == []
    assert tree is not None
    assert list(names_in(tree)) == list(known_keys())


def test_the_file_holds_the_defaults() -> None:
    assert load_settings(packaged_file(), [], {}).settings == Settings()


def test_every_setting_has_a_comment_or_one_of_its_neighbours_has() -> None:
    lines = packaged_file().read_text().splitlines()
    commented = 0
    for line in lines:
        if line.strip().startswith("#"):
            commented = 4
        elif line.strip() and not line.endswith(":"):
            assert commented > 0, f"no comment near {line!r}"
            commented -= 1


def test_the_file_at_the_top_of_the_project_is_the_packaged_one() -> None:
    top = Path(__file__).parents[2] / "config" / "processing.yaml"
    assert top.read_bytes() == packaged_file().read_bytes()


def test_every_setting_is_found_by_its_name_and_by_a_slip_of_it() -> None:
    for name, key in known_keys().items():
        assert find_key(name) is key
        assert key.allowed
        slipped = name[:-2] + name[-1] + name[-2]
        assert suggest(slipped) == name or slipped in known_keys() or slipped == name
