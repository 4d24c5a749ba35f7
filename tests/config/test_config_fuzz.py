"""Whatever a file, a variable or a flag holds: valid settings or a `ConfigError` with a place."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from corridor_cli.config import Override, load_settings, packaged_file
from corridor_cli.config.keys import known_keys
from corridor_cli.errors import ConfigError
from corridor_cli.settings import Settings

PLACE = re.compile(r"^(/[^:\n]*:[1-9][0-9]*:[1-9][0-9]*|environment VLMTL_.*|flag --set x): \S")
PARTS = sorted({part for name in known_keys() for part in name.split(".")})
VALUES = st.sampled_from(
    [
        *(
            "auto",
            "1",
            "0",
            "-1",
            "1e-3",
            "22:30",
            "yes",
            "true",
            "null",
            "~",
            "''",
            "'8'",
            "[a, b]",
            "{a: 1}",
        ),
        *("*x", "&x 1", "!!int 3", ".inf", "9" * 400, "|\n  text\n  more", "cuda:9", "@", "`", "\t", "%"),
        *("- x", "? y", "\x00", "\ud800"),
    ]
)
LINES = st.builds(
    lambda indent, name, colon, value: f"{'  ' * indent}{name}{colon}{value}",
    st.integers(0, 3),
    st.sampled_from([*PARTS, "<<", "caption.prompt", "---", "..."]),
    st.sampled_from([": ", ":", " ", ": \n", ": &a ", ": # "]),
    VALUES | st.just("") | st.text(max_size=6),
)
DEFAULTS = packaged_file().read_text().splitlines()


def outcome(data: bytes, overrides: list[Override], environ: dict[str, str]) -> Settings | None:
    """The settings, or None for an error of the right form; anything else raises."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "fuzzed.yaml")
        file.write_bytes(data)
        try:
            return load_settings(file, overrides, environ).settings
        except ConfigError as error:
            for line in error.message.split("\n"):
                assert PLACE.match(line), line
            return None


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINES, max_size=8))
def test_files_made_of_settings_and_traps(lines: list[str]) -> None:
    result = outcome("\n".join(lines).encode("utf-8", "surrogatepass"), [], {})
    assert result is None or isinstance(result, Settings)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(DEFAULTS) - 1), st.integers(0, 60), LINES | st.text(max_size=4))
def test_the_default_file_with_one_line_broken(number: int, at: int, text: str) -> None:
    lines = list(DEFAULTS[:40] + DEFAULTS[number : number + 1])
    lines[-1] = lines[-1][:at] + text + lines[-1][at:]
    result = outcome("\n".join(lines).encode("utf-8", "surrogatepass"), [], {})
    assert result is None or isinstance(result, Settings)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_bytes(data: bytes) -> None:
    result = outcome(data, [], {})
    assert result is None or result == Settings(), "a few random bytes name no setting"


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(list(known_keys())) | st.text(max_size=20),
    value=VALUES | st.text(max_size=20),
    variable=st.sampled_from(list(known_keys())) | st.text(max_size=20),
)
def test_flags_and_environment(name: str, value: str, variable: str) -> None:
    environ = {"VLMTL_" + variable.replace(".", "__"): value}
    result = outcome(b"", [Override(name, value, "--set x")], environ)
    assert result is None or isinstance(result, Settings)
