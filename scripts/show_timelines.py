"""Print the timelines below a folder as tables: scenes, times, captions, and where the files are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def scene_table(document: dict) -> Table:
    """One row a scene."""
    table = Table("scene", "start", "end", "caption", box=box.SIMPLE, title_justify="left", expand=True)
    table.title = Text(f"{document['source']['name']} ({document['status']})", style="bold")
    for scene in document["scenes"]:
        caption = scene["caption"]
        text = caption["text"] or f"({caption['status']})"
        table.add_row(
            str(scene["index"] + 1), scene["start_timecode"], scene["end_timecode"], Text(text), style=None
        )
    return table


def main(folder: Path) -> None:
    console = Console(highlight=False)
    paths = sorted(folder.rglob("*.timeline.json"))
    for path in paths:
        console.print(scene_table(json.loads(path.read_text(encoding="utf-8"))))
    for path in sorted(folder.rglob("*.failed.json")):
        errors = json.loads(path.read_text(encoding="utf-8"))["errors"]
        console.print(Text(f"failed: {path.name}: {errors[0]['message']}"))
    console.print(Text(f"{len(paths)} timelines below {folder}:"))
    for path in paths:
        console.print(Text(f"  {path}"), soft_wrap=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
