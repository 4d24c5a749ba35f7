"""`vlmtl completion`: what a shell offers is what there is."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import typer

from corridor_cli.cli.completion import command_words
from corridor_cli.cli.main import app, call
from corridor_cli.errors import ExitCode

BASH = shutil.which("bash")


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert call(["completion", shell]) == ExitCode.OK
    return capsys.readouterr().out


def offered(source: str, *words: str) -> list[str]:
    """What bash would offer for the last of the words, behind `vlmtl`."""
    assert BASH is not None
    code = source + '\nCOMP_WORDS=(vlmtl "$@"); COMP_CWORD=$#; _vlmtl; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        [BASH, "--norc", "-c", code, "bash", *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sc"], {"scenes", "schema"}),
        (["models", ""], {"list", "pull", "verify"}),
        (["config", "s"], {"show"}),
        (["models", "pull", "--"], {"--revision", "--help"}),
        (["bench", "c"], {"compare"}),
        (["bench", "compare", "--fail"], {"--fail-if"}),
        (["validate", "-"], {"--json", "--help", "-h"}),
        # A folder called like a command is an input; what is no option is left to the shell.
        (["scenes", "config", "--she"], {"--sheet"}),
        (["run", "videos"], set()),
        (["run", "--set", "x=$(touch /nowhere)", "--prof"], {"--profile"}),
    ],
    # Sets have no order of their own, and processes that share the tests must call them the same.
    ids=lambda value: " ".join(sorted(value) if isinstance(value, set) else value),
)
def test_bash_offers_commands_and_options(
    words: list[str], expected: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(offered(script("bash", capsys), *words)) == expected


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
def test_every_option_of_every_command_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    source = script("bash", capsys)
    for words in command_words(typer.main.get_command(app), ()):
        spellings = {spelling for each, _, _ in words.options for spelling in each}
        assert set(offered(source, *words.path, "-")) == spellings
    assert {"--repeats", "--help"} <= set(offered(source, "bench", "--"))


def test_zsh_takes_bashs_and_fish_has_a_line_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    bash, zsh, fish = (script(shell, capsys) for shell in ("bash", "zsh", "fish"))
    assert zsh.endswith(bash)
    assert "bashcompinit" in zsh
    lines = fish.splitlines()[1:]
    assert all(line.startswith("complete -c vlmtl -n ") for line in lines)
    assert "complete -c vlmtl -n __fish_use_subcommand -a doctor -d " in fish
    assert (
        "'__fish_seen_subcommand_from models; and __fish_seen_subcommand_from pull' -l revision -r -d "
        in fish
    )
    assert all(line.replace("\\'", "").count("'") % 2 == 0 for line in lines)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["completion", "tcsh"]) == ExitCode.USAGE
    assert "SHELL is tcsh, allowed: bash, zsh, fish" in capsys.readouterr().err
