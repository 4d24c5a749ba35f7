"""YAML as a tree with positions: YAML 1.2 scalars, and everything a settings file does not need refused."""

from __future__ import annotations

import pytest

from corridor_cli.config.yaml_tree import MAX_FILE_BYTES, Node, parse_scalar, parse_tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("22:30", "22:30"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", 1000),
        ("-7", -7),
        (".5", 0.5),
        ("5.", 5.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("none", "none"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    result = parse_scalar(text)
    assert result == value
    assert type(result) is type(value)


def test_keys_and_values_know_their_places() -> None:
    tree, problems = parse_tree(b"\xef\xbb\xbf# note\ncaption:\n  prompt: 'a b'\ninput:\n  include: [x, y]\n")
    assert problems == []
    assert tree is not None
    assert isinstance(tree.value, dict)
    caption, given = tree.value["caption"], tree.value["input"]
    assert isinstance(caption.value, dict)
    assert isinstance(given.value, dict)
    assert tree.key_positions["caption"] == (2, 1)
    assert caption.key_positions["prompt"] == (3, 3)
    prompt = caption.value["prompt"]
    assert (prompt.value, prompt.position, prompt.is_quoted) == ("a b", (3, 11), True)
    include = given.value["include"].value
    assert isinstance(include, list)
    assert [item.position for item in include] == [(5, 13), (5, 16)]


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"a: 1\nb: 2\na: 3\n", (3, 1), "given twice, first on line 1"),
        (b"a: *x\n", (1, 4), "aliases"),
        (b"a: *.mp4\n", (1, 5), "Quote texts that begin with *"),
        (b"a: &x [1]\n", (1, 4), "anchors"),
        (b"a: !!python/object:os.system x\n", (1, 4), "tags"),
        (b"a: !x 1\n", (1, 4), "tags"),
        (b"a:\n\t- x\n", (2, 1), "Indent with spaces"),
        (b"a: @x\n", (1, 4), "Quote texts"),
        (b"a: b: c\n", (1, 5), "quote texts that hold a colon"),
        (b"a: 1\n---\nb: 2\n", (2, 1), "second document"),
        (b"a: 'x\n", (2, 1), "end of stream"),
        (b"? [a]\n: 3\n", (1, 3), "a key must be plain text"),
        (b"a: \x07\n", (1, 4), "control character"),
        (b"ok: 1\nb: \xff\n", (2, 4), "not UTF-8"),
        ("a: 1\n".encode("utf-16"), (1, 1), "not UTF-8"),
        (bytes(range(256)), (2, 118), "not UTF-8"),
        (b"[" * 5000, (1, 17), "nested deeper"),
        (b"{a: " * 5000, (1, 62), "nested deeper"),
        (b"- " * 5000, (1, 33), "nested deeper"),
        (b"# x\n" * MAX_FILE_BYTES, (1, 1), "larger than 256 KiB"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(data: bytes, place: tuple[int, int], words: str) -> None:
    _, problems = parse_tree(data)
    assert len(problems) == 1
    assert problems[0].position == place
    assert words in problems[0].message


def test_all_duplicates_are_told_and_the_first_value_stays() -> None:
    tree, problems = parse_tree(b"a: 1\na: 2\nb: 3\nb: 4\n")
    assert [problem.position for problem in problems] == [(2, 1), (4, 1)]
    assert isinstance(tree, Node)
    assert isinstance(tree.value, dict)
    assert tree.value["a"].value == 1


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# only a comment\n", b"---\n", b"\xef\xbb\xbf"])
def test_nothing_in_a_file_is_nothing_wrong(data: bytes) -> None:
    tree, problems = parse_tree(data)
    assert problems == []
    assert tree is None or tree.value is None
