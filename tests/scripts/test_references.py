"""The references say what the code says, leave nothing out, and cannot grow old unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from references import FOLDER, NOT_CURRENT, cli_page, commands, config_page, entries, escaped, main

from corridor_cli.cli.main import app
from corridor_cli.config.keys import known_keys

ROOT = Path(__file__).parents[2]


def test_the_committed_pages_are_current() -> None:
    assert main(["--check"]) == 0, "run python scripts/references.py"


def test_a_page_that_is_not_current_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--folder", str(tmp_path)]) == NOT_CURRENT
    assert list(tmp_path.iterdir()) == []
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    capsys.readouterr()
    with (tmp_path / "cli.md").open("a") as page:
        page.write("more\n")
    assert main(["--check", "--folder", str(tmp_path)]) == NOT_CURRENT
    told = capsys.readouterr().err
    assert "cli.md is out of date: run python scripts/references.py" in told
    assert "config.md" not in told


def test_every_setting_has_a_row_with_its_default_and_a_meaning() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \| `(.*)` \| (.+) \|$", config_page(), re.MULTILINE)
    assert [name for name, *_ in rows] == list(known_keys())
    by_name = {name: cells for name, *cells in rows}
    assert by_name["scenes.detector"][1] == "adaptive"
    assert "psd-adaptive" in by_name["scenes.detector"][0]
    assert by_name["caption.max_new_tokens"][0] == "a whole number from 1 to 4096"
    assert by_name["decode.threads"][2] == "(with the one above)"
    assert by_name["frames.thumbnail_px"][2] == "The longer side of a thumbnail."


def test_a_comment_belongs_to_what_stands_below_it() -> None:
    found = {
        each.name: each.comment
        for each in entries("# of input\ninput:\n  # two\n  # lines\n  limit: null\n  full_hash: true\n")
    }
    assert found == {"input": "of input", "input.limit": "two lines", "input.full_hash": ""}


def test_every_command_and_option_is_there() -> None:
    page = cli_page()
    sections = dict(re.findall(r"^## `vlmtl ([\w -]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    found = {" ".join(path[1:]): each for path, each in commands(typer.main.get_command(app), ("vlmtl",))}
    assert set(sections) == set(found)
    assert {"run", "status", "diff", "bench", "bench compare", "models pull", "config init"} <= set(found)
    for name, command in found.items():
        for option in command.params:
            for spelling in option.opts if option.param_type_name == "option" and not option.hidden else ():
                assert re.search(rf"^\| `[^`]*{spelling}\b.*` \| \w", sections[name], re.MULTILINE), spelling


def test_tables_keep_their_columns() -> None:
    for page in (cli_page(), config_page()):
        for line in page.splitlines():
            if line.startswith("|"):
                assert len(re.findall(r"(?<!\\)\|", line)) in (3, 5), line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b * c", r"a \| b \* c"),
        ("`a|b_c` d_e", r"`a\|b_c` d\_e"),
        ("two\n  lines [x] <y>", r"two lines \[x\] \<y>"),
    ],
)
def test_text_is_shown_as_it_is(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_the_readme_leads_to_them() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in ("config.md", "cli.md"):
        assert f"](docs/reference/{name})" in readme
        assert (FOLDER / name).is_file()
