"""`vlmtl completion`: a script that lets a shell complete commands and options.

The script holds all of them, made from the commands themselves: pressing Tab starts no process. Whatever is
neither a command nor begins with `-` is left to the shell, which completes paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from corridor_cli.cli.results import show
from corridor_cli.errors import UsageError
from corridor_cli.printable import printable

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
# Completion of vlmtl for bash. To use it: eval "$(vlmtl completion bash)"
_vlmtl() {{
    local known="" candidate words="" current="${{COMP_WORDS[COMP_CWORD]}}" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        candidate="${{known:+$known }}${{COMP_WORDS[i]}}"
        case "$candidate" in
            {paths}) known="$candidate" ;;
        esac
    done
    case "$known:$current" in
{cases}
    esac
    COMPREPLY=()
    if [[ -n "$words" ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
}}
complete -o default -F _vlmtl vlmtl
"""
_ZSH = """\
# Completion of vlmtl for zsh, by way of bash's. To use it: eval "$(vlmtl completion zsh)"
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""
_FISH = """\
# Completion of vlmtl for fish. To use it: vlmtl completion fish | source
"""


@dataclass(frozen=True, slots=True)
class CommandWords:
    """What may follow a command: the names of commands below it, and of its options, each with its help."""

    path: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    options: tuple[tuple[tuple[str, ...], str, bool], ...]
    """Spellings, help, and whether a value follows."""


def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="The shell the script is for.")],
) -> None:
    """Print a script that lets a shell complete commands and options.

    bash, in ~/.bashrc: eval "$(vlmtl completion bash)". zsh, in ~/.zshrc: eval "$(vlmtl completion zsh)".
    fish: vlmtl completion fish > ~/.config/fish/completions/vlmtl.fish
    """
    if shell not in SHELLS:
        raise UsageError(
            f"SHELL is {printable(shell)}, allowed: {', '.join(SHELLS)}",
            hint='For example: eval "$(vlmtl completion bash)"',
        )
    found = list(command_words(context.find_root().command, ()))
    if shell == "fish":
        show(_FISH + "\n".join(_fish_lines(found)))
    else:
        show((_ZSH if shell == "zsh" else "") + _bash_script(found))


def command_words(command: Any, path: tuple[str, ...]) -> Iterator[CommandWords]:
    """The words of a command and of all below it."""
    below: dict[str, Any] = getattr(command, "commands", {})
    # A group that hands on to a default command (`bench`) has its options.
    default = getattr(command, "default_command", None)
    options = [
        ((*option.opts, *option.secondary_opts), option.help or "", not option.is_flag)
        for option in (below[default] if default else command).params
        if option.param_type_name == "option" and not option.hidden
    ]
    options.append((("-h", "--help"), "Show this message and exit.", False))
    shown = {name: each for name, each in below.items() if name != default and not each.hidden}
    commands = tuple((name, each.get_short_help_str(60)) for name, each in shown.items())
    yield CommandWords(path, commands, tuple(options))
    for name, each in shown.items():
        yield from command_words(each, (*path, name))


def _bash_script(found: list[CommandWords]) -> str:
    cases: list[str] = []
    for each in found:
        name = " ".join(each.path)
        options = " ".join(spelling for spellings, _, _ in each.options for spelling in spellings)
        cases.append(f"        '{name}':-*) words='{options}' ;;")
        if each.commands:
            cases.append(f"        '{name}':*) words='{' '.join(name for name, _ in each.commands)}' ;;")
    paths = " | ".join(f"'{' '.join(each.path)}'" for each in found if each.path)
    return _BASH.format(paths=paths, cases="\n".join(cases)).rstrip("\n")


def _fish_lines(found: list[CommandWords]) -> Iterator[str]:
    for each in found:
        condition = _fish_condition(each)
        for name, help_ in each.commands:
            yield f"complete -c vlmtl -n {condition} -a {name} -d {_fish_quoted(help_)}"
        for spellings, help_, has_value in each.options:
            flags = " ".join(
                f"-l {spelling[2:]}" if spelling.startswith("--") else f"-s {spelling[1:]}"
                for spelling in spellings
            )
            value = " -r" if has_value else ""
            yield f"complete -c vlmtl -n {condition} {flags}{value} -d {_fish_quoted(help_)}"


def _fish_condition(words: CommandWords) -> str:
    if not words.path:
        return "__fish_use_subcommand"
    seen = [f"__fish_seen_subcommand_from {name}" for name in words.path]
    if words.commands:
        names = " ".join(name for name, _ in words.commands)
        seen.append(f"not __fish_seen_subcommand_from {names}")
    return _fish_quoted("; and ".join(seen))


def _fish_quoted(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
