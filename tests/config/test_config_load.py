"""What counts among flag, environment, file and default, and what is told when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from corridor_cli.config import LoadedSettings, Override, load_settings
from corridor_cli.errors import ConfigError, ExitCode
from corridor_cli.settings import Settings

BATCH = "gpu_pipeline.internvl3.batch_size"

EXPORTS = "srt, vtt, txt, markdown, ffmetadata, edl, otio, csv, tsv, jsonl, parquet, hf"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, overrides: list[Override] | None = None, **environ: str) -> LoadedSettings:
    Path("my.yaml").write_text(text)
    return load_settings(Path("my.yaml"), overrides or [], environ)


def problems(text: str, overrides: list[Override] | None = None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, overrides, **environ)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.message.split("\n")


def problem(text: str, overrides: list[Override] | None = None, **environ: str) -> str:
    (line,) = problems(text, overrides, **environ)
    return line


def test_nothing_given_is_all_defaults() -> None:
    loaded = load_settings(None, [], {})
    assert loaded.settings == Settings()
    assert loaded.source is None
    assert loaded.note == "default settings"
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}


def test_a_file_in_the_current_folder_counts_and_is_told() -> None:
    Path("config").mkdir()
    Path("config/processing.yaml").write_text("output:\n  indent: 0\n")
    loaded = load_settings(None, [], {})
    assert loaded.settings.output.indent == 0
    assert str(loaded.origins["output.indent"]) == "config/processing.yaml:2"
    assert "found in the current folder" in loaded.note
    assert load("").settings.output.indent == 2, "-c wins over the file in the current folder"


def test_flag_over_environment_over_file_over_default() -> None:
    text = "gpu_pipeline:\n  internvl3:\n    batch_size: 2\n    device: cpu\n"
    flag = [Override(BATCH, "8", "--batch-size")]
    variable = {"VLMTL_GPU_PIPELINE__INTERNVL3__BATCH_SIZE": "4"}
    assert load("").settings.gpu_pipeline.internvl3.batch_size == "auto"
    assert load(text).settings.gpu_pipeline.internvl3.batch_size == 2
    assert load(text, **variable).settings.gpu_pipeline.internvl3.batch_size == 4
    loaded = load(text, flag, **variable)
    assert loaded.settings.gpu_pipeline.internvl3.batch_size == 8
    assert loaded.settings.gpu_pipeline.internvl3.device == "cpu"
    assert str(loaded.origins[BATCH]) == "flag --batch-size"
    assert str(load(text, **variable).origins[BATCH]) == f"environment {next(iter(variable))}"
    assert str(load(text).origins[BATCH]) == "my.yaml:3"


def test_of_two_flags_for_one_setting_the_later_counts() -> None:
    both = [Override(BATCH, "2", "--set"), Override(BATCH, "3", "--batch-size")]
    assert load("", both).settings.gpu_pipeline.internvl3.batch_size == 3


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("caption.prompt", "What: is it? [a] *b", "What: is it? [a] *b"),
        ("caption.prompt", "12", "12"),
        ("gpu_pipeline.internvl3.model", "null", None),
        ("gpu_pipeline.internvl3.model", "", None),
        ("gpu_pipeline.internvl3.device", "cuda:1", "cuda:1"),
        ("input.include", "*.mp4", ("*.mp4",)),
        ("input.include", "[a, 'b*']", ("a", "b*")),
        ("input.include", "", ()),
        ("scenes.threshold", "1e-3", 0.001),
        ("scenes.threshold", "3", 3.0),
        ("scenes.max_scene_seconds", "null", None),
        ("scenes.transitions", "false", False),
        ("scenes.detector", "none", "none"),
        ("frames.thumbnail_px", " 64 ", 64),
    ],
)
def test_text_is_read_as_its_setting_asks(name: str, text: str, value: object) -> None:
    variable = {"vlmtl_" + name.upper().replace(".", "__"): text}
    for loaded in (load("", [Override(name, text, "--set")]), load("", **variable)):
        found: object = loaded.settings
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value
        assert type(found) is type(value)


def test_entries_of_the_echo_engine_have_names_and_origins_of_their_own() -> None:
    text = "gpu_pipeline: {internvl3: {echo: {delay: 0.5, fail: never}}}"
    flag = [Override("gpu_pipeline.internvl3.echo.delay", "2", "--set")]
    loaded = load(text, flag, VLMTL_GPU_PIPELINE__INTERNVL3__ECHO__DIE="true")
    assert loaded.settings.gpu_pipeline.internvl3.echo == {"delay": 2, "fail": "never", "die": True}
    assert str(loaded.origins["gpu_pipeline.internvl3.echo.delay"]) == "flag --set"
    assert str(loaded.origins["gpu_pipeline.internvl3.echo.fail"]) == "my.yaml:1"


def test_empty_sections_and_files_give_nothing() -> None:
    for text in ("", "# nothing\n", "caption:\noutput:\n"):
        assert load(text).settings == Settings()


@pytest.mark.parametrize(
    ("text", "place", "name", "said"),
    [
        (
            "gpu_pipeline:\n  internvl3:\n    batch_size: many\n",
            "3:17",
            "gpu_pipeline.internvl3.batch_size",
            "got 'many' (text), allowed: auto or a whole number from 1 on.",
        ),
        (
            "output: {indent: '2'}",
            "1:18",
            "output.indent",
            "got '2' (text), allowed: a whole number from 0 to 8. Remove the quotes.",
        ),
        (
            "output: {indent: 9}",
            "1:18",
            "output.indent",
            "got 9 (whole number), allowed: a whole number from 0 to 8.",
        ),
        (
            "output: {fsync: no}",
            "1:17",
            "output.fsync",
            "got 'no' (text), allowed: true or false. Write false.",
        ),
        ("output: {fsync: 1}", "1:17", "output.fsync", "got 1 (whole number), allowed: true or false."),
        (
            "frames: {thumbnail_px: 64.0}",
            "1:24",
            "frames.thumbnail_px",
            "got 64.0 (number), allowed: a whole number from 16 to 4096. Write 64.",
        ),
        (
            "frames: {save:}",
            "1:15",
            "frames.save",
            "got nothing (null), allowed: none, thumbnails or full. Remove the line to get the default.",
        ),
        (
            "scenes: {detector: adaptiv}",
            "1:20",
            "scenes.detector",
            "got 'adaptiv' (text), allowed: adaptive, content, psd-adaptive, interval, none or file. "
            "Did you mean adaptive?",
        ),
        (
            "scenes: {threshold: 22:30}",
            "1:21",
            "scenes.threshold",
            "got '22:30' (text), allowed: a number above 0 or null.",
        ),
        (
            "scenes: {threshold: .nan}",
            "1:21",
            "scenes.threshold",
            "got '.nan' (text), allowed: a number above 0 or null.",
        ),
        (
            "scenes: {threshold: 1e999}",
            "1:21",
            "scenes.threshold",
            "got inf (number), allowed: a number above 0 or null.",
        ),
        (
            "input: {limit: none}",
            "1:16",
            "input.limit",
            "got 'none' (text), allowed: a whole number from 1 on or null. Write null.",
        ),
        (
            "input: {include: '*.mp4'}",
            "1:18",
            "input.include",
            "got '*.mp4' (text), allowed: a list of texts. Write ['*.mp4'].",
        ),
        (
            "input: {exclude: [a, 3]}",
            "1:22",
            "input.exclude",
            "got 3 (whole number) in the list, allowed: texts. Put it in quotes.",
        ),
        (
            "output: {exports: [srt, parket]}",
            "1:25",
            "output.exports",
            f"got 'parket' (text) in the list, allowed: {EXPORTS}. Did you mean parquet?",
        ),
        (
            "output: {exports: srt}",
            "1:19",
            "output.exports",
            f"got 'srt' (text), allowed: a list of {EXPORTS.replace(', hf', ' or hf')}. Write ['srt'].",
        ),
        (
            "gpu_pipeline: {internvl3: {device: cudo}}",
            "1:36",
            "gpu_pipeline.internvl3.device",
            "got 'cudo' (text), allowed: auto, cpu, cuda or cuda:N.",
        ),
        (
            "gpu_pipeline: {internvl3: {gpu_memory_fraction: 1.1}}",
            "1:49",
            "gpu_pipeline.internvl3.gpu_memory_fraction",
            "got 1.1 (number), allowed: a number above 0 and up to 1.",
        ),
        (
            "gpu_pipeline: {internvl3: {echo: {a: [1]}}}",
            "1:38",
            "gpu_pipeline.internvl3.echo.a",
            "got a list, allowed: a text, a number, true or false.",
        ),
        ("caption: {prompt: {a: 1}}", "1:19", "caption.prompt", "got a mapping, allowed: a text."),
        ("decode: 3", "1:9", "decode", "got 3 (whole number), allowed: a mapping of settings."),
        ("- a\n- b\n", "1:1", "", "got a list, allowed: a mapping of settings."),
        (
            "caption.prompt: x",
            "1:1",
            "caption.prompt",
            "a name cannot hold a dot. Indent the setting under its section.",
        ),
        ("captions: {}", "1:1", "captions", "unknown setting. Did you mean caption?"),
        (
            "batch_size: 3",
            "1:1",
            "batch_size",
            "unknown setting. Did you mean gpu_pipeline.internvl3.batch_size?",
        ),
        ("output: {indnet: 2}", "1:10", "output.indnet", "unknown setting. Did you mean output.indent?"),
        (
            "output: {zzz: 2}",
            "1:10",
            "output.zzz",
            "unknown setting. Allowed in output: indent, fsync, exports.",
        ),
    ],
)
def test_a_wrong_file_is_told_with_place_value_and_way_out(
    text: str, place: str, name: str, said: str
) -> None:
    assert problem(text) == f"my.yaml:{place}: {name}{': ' if name else ''}{said}"


def test_everything_wrong_everywhere_is_told_at_once_in_order() -> None:
    flag = [Override("captoin.prompt", "x", "--set captoin.prompt"), Override(BATCH, "0", "--batch-size")]
    lines = problems("output: {indent: 9, fsync: no}\nzzz: 1\n", flag, VLMTL_BATCH_SIZE="3")
    assert [line.split(": ")[0] for line in lines] == [
        "my.yaml:1:18",
        "my.yaml:1:28",
        "my.yaml:2:1",
        "environment VLMTL_BATCH_SIZE",
        "flag --set captoin.prompt",
        "flag --batch-size",
    ]


def test_no_more_is_told_than_fits_a_screen() -> None:
    lines = problems("".join(f"unknown{number}: 1\n" for number in range(500)))
    assert len(lines) == 21
    assert lines[-1] == "my.yaml:21:1: and 480 more from here on"


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("VLMTL_CAPTION__PROMT", "VLMTL_CAPTION__PROMPT"),
        ("VLMTL_CAPTION_PROMPT", "VLMTL_CAPTION__PROMPT"),
        ("VLMTL_BATCH_SIZE", "VLMTL_GPU_PIPELINE__INTERNVL3__BATCH_SIZE"),
    ],
)
def test_an_unknown_variable_is_an_error_with_a_suggestion(variable: str, meant: str) -> None:
    line = problem("", **{variable: "x"})
    assert line == f"environment {variable}: unknown setting. Did you mean {meant}?"


def test_variables_that_cannot_be_read_are_told() -> None:
    assert "See `vlmtl config show`" in problem("", VLMTL_ZZZZ="x")
    assert "given twice" in problem("", VLMTL_OUTPUT__INDENT="2", vlmtl_output__indent="2")
    assert "one by one" in problem("", VLMTL_GPU_PIPELINE__INTERNVL3__ECHO="{a: 1}")
    assert "Quote texts that begin with *" in problem("", VLMTL_INPUT__INCLUDE="[*.mp4]")
    assert "unknown setting" in problem("", VLMTL_OUTPUT="x")


def test_switches_of_the_program_and_foreign_variables_are_left_alone() -> None:
    environ = {"VLMTL_DEBUG": "1", "PATH": "x", "XVLMTL_A": "1"}
    assert load_settings(None, [], environ).settings == Settings()


def test_bytes_that_are_not_utf8_may_name_files_but_not_enter_documents() -> None:
    assert load("", [Override("input.include", "\udcff*", "--set")]).settings.input.include == ("\udcff*",)
    assert "is not UTF-8" in problem("", [Override("caption.prompt", "\udcff", "--set")])


def test_a_hostile_value_or_file_name_stays_on_its_line() -> None:
    name = Path("a\n\x1b[31m.yaml")
    name.write_text("output: {indent: \"\\x1b[31m\\nx\"}\n'\\x00': 1")
    with pytest.raises(ConfigError) as caught:
        load_settings(name, [], {})
    assert "\x1b" not in caught.value.message
    for line in caught.value.message.split("\n"):
        assert line.startswith("a\\n\\x1b[31m.yaml:")


@pytest.mark.parametrize("name", ["missing.yaml", ".", "x" * 300])
def test_a_file_that_cannot_be_read_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_settings(Path(name), [], {})
    assert "config init" in caught.value.hint
