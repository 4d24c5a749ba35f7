"""What `vlmtl try` found, for people and for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from corridor_cli.cli.page import Page, one_line
from corridor_cli.cli.tables import is_terminal, open_console, plain_table, stdout_width
from corridor_cli.printable import encodable, printable
from corridor_cli.telemetry import counted
from corridor_cli.timeline.timecode import seconds, timecode

if TYPE_CHECKING:
    from corridor_cli.runners.tryout import Tryout
    from corridor_cli.runners.tryout_captions import TriedScene, VariantResult
    from corridor_cli.timeline.answers import Answer

_MIN_COLUMN = 34


def tryout_lines(found: Tryout) -> str:
    """The scenes with their captions: in columns where a terminal is wide enough, else below each other."""
    is_wide = is_terminal() and stdout_width() >= _MIN_COLUMN * len(found.results) > _MIN_COLUMN
    parts = [_columns(found) if is_wide else _below_each_other(found), "", *_figures(found)]
    return "\n".join(parts)


def tryout_as_json(found: Tryout) -> str:
    """The same, and what the variants were."""
    return json.dumps(
        {
            "seed": found.seed,
            "num_videos": found.num_videos,
            "variants": [_variant(result) for result in found.results],
            "scenes": [_scene(scene, number, found.results) for number, scene in enumerate(found.scenes)],
        },
        indent=2,
        ensure_ascii=False,
    )


def place(scene: TriedScene) -> str:
    """Where a scene is, for people."""
    start, end = timecode(scene.scene.start), timecode(scene.scene.end)
    return f"{printable(scene.relative)}  scene {scene.scene.index + 1}  {start}–{end}"


def told(answer: Answer, retry_of: str | None) -> str:
    """A caption, and what is wrong with it; or why there is none."""
    remarks: list[str] = [] if answer.status == "success" else [answer.status]
    if answer.error is not None:
        remarks = [f"{answer.error.type}: {one_line(answer.error.message)}"]
    if retry_of is not None:
        remarks.append(f"the first answer was {retry_of}")
    text = one_line(answer.text) if answer.text else ""
    return " ".join(filter(None, [text, f"[{', '.join(remarks)}]" if remarks else ""]))


def figures_line(found: Tryout) -> str:
    """What was tried on what, in a sentence."""
    num_videos = len({scene.path for scene in found.scenes})
    models = {(result.engine.model_id, result.engine.device) for result in found.results}
    where = " and ".join(f"{printable(model)} on {device}" for model, device in sorted(models))
    return (
        f"{counted(len(found.scenes), 'scene')} of {counted(num_videos, 'video')} (of {found.num_videos}, "
        f"seed {found.seed}); {where}; loading is not counted."
    )


def _below_each_other(found: Tryout) -> str:
    page = Page()
    for number, scene in enumerate(found.scenes):
        if number:
            page.line()
        page.line(f"{number + 1}. {place(scene)}", style="cyan")
        for letter, result in zip(ascii_uppercase, found.results, strict=False):
            label = f"{letter}  " if len(found.results) > 1 else ""
            page.line(f"{label}{told(result.answers[number], result.retries[number])}", indent=3)
    return page.text


def _columns(found: Tryout) -> str:
    from rich.table import Table
    from rich.text import Text

    text = io.StringIO()
    console = open_console(text)
    for number, scene in enumerate(found.scenes):
        console.print(Text(f"{number + 1}. {place(scene)}", style="cyan"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, expand=True)
        for _ in found.results:
            table.add_column(ratio=1)
        table.add_row(
            *(
                Text(f"{letter}  {told(result.answers[number], result.retries[number])}")
                for letter, result in zip(ascii_uppercase, found.results, strict=False)
            )
        )
        console.print(table)
        console.print()
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))


def _figures(found: Tryout) -> list[str]:
    """A row a variant: what it took, and how its answers were."""
    table = plain_table()
    for name, justify in (("", "left"), ("variant", "left"), ("s/scene", "right"), ("requests", "right"),
                          ("tokens", "right"), ("not good", "right")):  # fmt: skip
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for letter, result in zip(ascii_uppercase, found.results, strict=False):
        table.add_row(
            letter,
            result.variant.label,
            f"{result.seconds_per_scene:.3g}",
            str(result.num_requests),
            f"{result.output_tokens:,}",
            str(sum(answer.status != "success" for answer in result.answers)),
        )
    text = io.StringIO()
    open_console(text).print(table)
    return [*(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n")), figures_line(found)]


def _variant(result: VariantResult) -> dict[str, Any]:
    asked = result.variant.settings.caption
    return {
        "label": result.variant.label,
        "model": encodable(result.engine.model_id),
        "device": result.engine.device,
        "mode": asked.mode,
        "prompt": asked.prompt,
        "seconds_per_scene": round(result.seconds_per_scene, 6),
        "requests": result.num_requests,
        "output_tokens": result.output_tokens,
    }


def _scene(scene: TriedScene, number: int, results: Sequence[VariantResult]) -> dict[str, Any]:
    answers = [(result.answers[number], result.retries[number]) for result in results]
    return {
        "path": encodable(scene.path),
        "scene": scene.scene.index,
        "start": seconds(scene.scene.start),
        "end": seconds(scene.scene.end),
        "captions": [
            {
                "status": answer.status,
                "text": answer.text,
                "retry_of": retry_of,
                "attributes": answer.attributes.model_dump() if answer.attributes else None,
                "error": answer.error.model_dump() if answer.error else None,
            }
            for answer, retry_of in answers
        ],
    }
