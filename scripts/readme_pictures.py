"""The pictures of README.md: a page of `vlmtl report`, and a run in a terminal of 80 columns.

    python scripts/readme_pictures.py [VIDEOS] [--pictures docs/pictures]

Without VIDEOS it draws the clips of the demo. Both come from real runs with the bundled model. It needs
Chromium.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from browser import Browser, find_browser
from PIL import Image
from rich.console import Console
from rich.text import Text
from sample_clips import write_samples

ROOT = Path(__file__).parents[1]
COLUMNS = 80
SIZE_PX = (1200, 900)


def main(arguments: Sequence[str]) -> int:
    """Draw both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("videos", nargs="?", type=Path, metavar="VIDEOS")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs/pictures", metavar="FOLDER")
    given = parser.parse_args(arguments)
    executable = find_browser()
    if executable is None:
        print("readme_pictures: no Chromium is installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 2
    given.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vlmtl-pictures-") as folder:
        work = Path(folder)
        videos = work / "videos"
        if given.videos is None:
            write_samples(videos)
        else:
            videos.symlink_to(given.videos.resolve())
        commands = (
            ["vlmtl", "run", "videos/", "out/", "--model", "tiny"],
            ["vlmtl", "export", "out/", "--format", "vtt"],
            ["vlmtl", "report", "out/"],
        )
        console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
        for command in commands:
            console.print(Text(f"$ {' '.join(command)}", style="bold"))
            console.print(Text.from_ansi(in_terminal(command, work)))
        path = given.pictures / "terminal.svg"
        path.write_text(without_fonts(console.export_svg(title="vlmtl")), encoding="utf-8")
        pages = sorted((work / "out").rglob("*.report.html"))
        richest = max(pages, key=lambda page: page.read_text(encoding="utf-8").count("<rect class="))
        take_picture(executable, richest, given.pictures / "report.png")
    for name in ("terminal.svg", "report.png"):
        print(f"{given.pictures / name}: {(given.pictures / name).stat().st_size:,} bytes")
    return 0


def in_terminal(command: Sequence[str], folder: Path) -> str:
    """What a command leaves on a terminal of 80 columns: the last state of each line, colours included."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "40", "TERM": "xterm-256color"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            select.select([ours], [], [])
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    if process.returncode not in (0, 3):
        raise SystemExit(f"readme_pictures: {' '.join(command)} ended with {process.returncode}")
    return last_state(written.decode("utf-8", "replace"))


def last_state(written: str) -> str:
    """The lines that stay when bars have been drawn over: cursor movements are obeyed, colours are kept."""
    lines: list[str] = [""]
    row = 0
    place = 0
    while place < len(written):
        sign = written[place]
        if sign == "\x1b" and place + 1 < len(written) and written[place + 1] == "[":
            end = place + 2
            while end < len(written) and not written[end].isalpha():
                end += 1
            count, kind = written[place + 2 : end], written[end : end + 1]
            if kind == "A":
                row = max(0, row - int(count or 1))
            elif kind == "K":
                lines[row] = ""
            elif kind == "m":
                lines[row] += written[place : end + 1]
            place = end + 1
            continue
        if sign == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif sign == "\r":
            if written[place + 1 : place + 2] != "\n":
                lines[row] = lines[row] if written[place + 1 : place + 2] == "\x1b" else ""
        else:
            lines[row] += sign
        place += 1
    return "\n".join(line.rstrip() for line in lines).rstrip()


def without_fonts(svg: str) -> str:
    """The picture without fonts that a viewer would fetch from a network: it takes one of its own."""
    return re.sub(r"@font-face\s*\{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)


def take_picture(executable: str, page_path: Path, picture: Path) -> None:
    """The page with its second scene chosen."""
    player = "document.querySelector('video')"
    with Browser(executable) as browser:
        page = browser.new_page()
        page.look_as(*SIZE_PX)
        page.open(page_path.as_uri())
        # A player that has played for a moment shows no sign of loading any more.
        page.evaluate(f"{player}.play()")
        page.wait_until(f"{player}.currentTime > 0.2")
        page.evaluate(f"{player}.pause()")
        page.press("j", "Enter")
        page.wait_until(f"!{player}.seeking && {player}.readyState >= 2")
        page.evaluate("new Promise(done => setTimeout(done, 1500))")
        page.screenshot(picture)
    with Image.open(picture) as opened:
        drawn = opened.convert("RGB")
    drawn.save(picture, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
