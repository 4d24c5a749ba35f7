"""How long `vlmtl search` takes to answer, on an index of made-up scenes.

    python scripts/bench_search.py [--scenes 1000000] [--timelines 10000] [--rounds 5] [--json FILE]

Makes a folder of small timelines, puts so many scenes into its index through the code that reads timelines
(`add_timeline`), and asks a mix of questions: words in nearly every scene, in some, in a handful, in none;
several of them; phrases, beginnings of words, OR, without a word, in some videos only. Words are drawn by
Zipf's law from 50,000, 8 to 24 a caption. Every question is asked in each round, in a new order; the time is
that of the question itself, by the clock and of the processor (what it would take on a machine without other
work), on one connection that is opened anew for each round. Before each round it is
measured how long finding out takes that no timeline has changed. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.made_timelines import write_timelines
from bench.telling import machine_facts, spread, table

from corridor_cli.runners.search import answer
from corridor_cli.timeline.exports.document import Video, read_video
from corridor_cli.timeline.layout import OutputLayout
from corridor_cli.timeline.search.index import add_timeline, create_tables, stamps_in, sum_up
from corridor_cli.timeline.search.query import read_query
from corridor_cli.timeline.search.refresh import open_to_read, open_to_write
from corridor_cli.timeline.search.stamps import stamps_below

GOAL_SECONDS = 0.1
NUM_WORDS = 50_000
SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
WORDS_AT_ONCE = 100_000


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=1_000_000)
    parser.add_argument("--timelines", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where to make it, and leave it")
    parser.add_argument("--json", type=Path, default=None, help="also write the last line to this file")
    return parser.parse_args()


def vocabulary() -> list[str]:
    """Made-up words, the frequent ones short: baba, babe, …"""
    lengths = itertools.chain.from_iterable(itertools.product(SYLLABLES, repeat=n) for n in (2, 3))
    return ["".join(each) for each in itertools.islice(lengths, NUM_WORDS)]


def captions(words: list[str], random_words: random.Random) -> Iterator[str]:
    """Captions without end, by Zipf's law."""
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    while True:
        drawn = random_words.choices(words, cum_weights=weights, k=WORDS_AT_ONCE)
        place = 0
        while place + 24 <= len(drawn):
            length = random_words.randint(8, 24)
            yield " ".join(drawn[place : place + length])
            place += length


def fill(output: Path, num_scenes: int, words: list[str]) -> float:
    """Make the index of the folder, as if its timelines had so many scenes; seconds it took."""
    layout = OutputLayout(output)
    stamps = stamps_below(output)
    texts = captions(words, random.Random(1))
    layout.state.mkdir(exist_ok=True)
    started = time.perf_counter()
    with closing(open_to_write(layout.search)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        create_tables(connection)
        connection.execute("BEGIN")
        left = num_scenes
        for number, (relative, stamp) in enumerate(sorted(stamps.items())):
            share = left // (len(stamps) - number)
            add_timeline(connection, relative, stamp, made_video(output, relative, share, texts))
            left -= share
        sum_up(connection)
        connection.execute("COMMIT")
    return time.perf_counter() - started


def made_video(output: Path, relative: bytes, num_scenes: int, texts: Iterator[str]) -> Video:
    """The timeline that is there, with so many scenes."""
    stem = os.fsdecode(relative)
    video = read_video((output / f"{stem}.timeline.json").read_bytes(), stem)
    template = video.scenes[0]
    scenes = []
    for number in range(num_scenes):
        scene = dict(template, index=number, start=4.0 * number, end=4.0 * number + 4)
        scene["caption"] = dict(template["caption"], text=next(texts))
        scene["frames"] = [dict(frame, caption=scene["caption"]) for frame in template["frames"]]
        scenes.append(scene)
    fields = deepcopy(dict(video.fields, scenes=[])) | {"scenes": scenes}
    return Video(stem, fields)  # type: ignore[arg-type]


def questions(words: list[str], random_words: random.Random) -> list[tuple[str, str, tuple[str, ...]]]:
    """(kind, question, patterns of videos), twenty of a kind."""

    def frequent() -> str:
        return words[random_words.randrange(20)]

    def middling() -> str:
        return words[random_words.randrange(200, 3000)]

    def rare() -> str:
        return words[random_words.randrange(30_000, NUM_WORDS)]

    made: list[tuple[str, str, tuple[str, ...]]] = []
    for number in range(20):
        made += [
            ("a frequent word", frequent(), ()),
            ("a middling word", middling(), ()),
            ("a rare word", rare(), ()),
            ("no scene's word", f"{rare()}x", ()),
            ("two frequent words", f"{frequent()} {frequent()}", ()),
            ("frequent and middling", f"{frequent()} {middling()}", ()),
            ("frequent and rare", f"{frequent()} {rare()}", ()),
            ("three middling words", f"{middling()} {middling()} {middling()}", ()),
            ("a frequent phrase", f'"{frequent()} {frequent()}"', ()),
            ("a middling phrase", f'"{middling()} {frequent()}"', ()),
            ("a beginning", f"{middling()[:3]}*", ()),
            ("rare OR frequent", f"{rare()} OR {frequent()}", ()),
            ("middling without frequent", f"{middling()} -{frequent()}", ()),
            ("in one folder", middling(), (f"day{number:03d}/*",)),
        ]
    return made


def measure(output: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    words = vocabulary()
    layout = OutputLayout(output)
    asked = questions(words, random.Random(2))
    times: dict[str, list[float]] = {kind: [] for kind, _, _ in asked}
    cpu_times: dict[str, list[float]] = {kind: [] for kind, _, _ in asked}
    fresh, cpu_fresh = [], []
    for number in range(arguments.rounds):
        with closing(open_to_read(layout.search)) as connection:
            started, cpu = time.perf_counter(), time.process_time()
            is_fresh = stamps_below(output) == stamps_in(connection)
            fresh.append(time.perf_counter() - started)
            cpu_fresh.append(time.process_time() - cpu)
            assert is_fresh, "no timeline has changed"
            for kind, text, videos in random.Random(number).sample(asked, len(asked)):
                started, cpu = time.perf_counter(), time.process_time()
                answer(connection, read_query(text), output, limit=10, videos=videos, started=started)
                times[kind].append(time.perf_counter() - started)
                cpu_times[kind].append(time.process_time() - cpu)
    times["all"] = [each for kind in times.values() for each in kind]
    cpu_times["all"] = [each for kind in cpu_times.values() for each in kind]
    return {
        "questions": len(times["all"]),
        "seconds": {kind: spread_with_p95(each) for kind, each in times.items()},
        "cpu_seconds": {kind: spread_with_p95(each) for kind, each in cpu_times.items()},
        "fresh_seconds": spread(fresh),
        "fresh_cpu_seconds": spread(cpu_fresh),
    }


def spread_with_p95(values: list[float]) -> dict[str, float]:
    return spread(values) | {"p95": statistics.quantiles(values, n=100, method="inclusive")[94]}


def main() -> None:
    arguments = read_arguments()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        output = arguments.folder or Path(temporary, "out")
        if not OutputLayout(output).search.exists():
            write_timelines(output, arguments.timelines)
            print(f"index made in {fill(output, arguments.scenes, vocabulary()):.0f} s", flush=True)
        size = OutputLayout(output).search.stat().st_size
        result = {"scenes": arguments.scenes, "timelines": arguments.timelines, "index_bytes": size}
        result |= measure(output, arguments)
    rows = [["question", "median", "p95", "most", "of the processor: median", "p95"]]
    for kind, each in result["seconds"].items():
        cpu = result["cpu_seconds"][kind]
        cells = (each["median"], each["p95"], each["max"], cpu["median"], cpu["p95"])
        rows.append([kind, *(f"{cell * 1000:.1f} ms" for cell in cells)])
    print(table(rows))
    fresh, cpu = result["fresh_seconds"]["median"], result["fresh_cpu_seconds"]["median"]
    print(f"asked: p95 below {GOAL_SECONDS * 1000:.0f} ms; index of {size / 2**20:,.0f} MiB")
    print(f"nothing has changed, found out in {fresh * 1000:.0f} ms ({cpu * 1000:.0f} ms of the processor)")
    result["machine"] = machine_facts("cpu") | {"load_average": round(load, 2)}
    line = json.dumps(result)
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
