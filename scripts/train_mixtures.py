"""Choose the weights by which a window is taken for a dissolve between moving pictures.

    python scripts/train_mixtures.py --videos FOLDER --cache FOLDER

Draws files of the set of `eval_scenes.py` with even seeds, measures their windows as a scan does, fits a
logistic regression and writes `corridor_cli/scenes/mixture_weights.py`. Seeds 84 to 166 are left out, to see
how well the weights do on files they were not chosen on. A window with its middle inside a dissolve or fade
that shares half of what both span is one; a window that touches none is none; others say nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from scenes_set.files import Recipe, draw, read_labels, recipes

from corridor_cli.media.open_reader import open_reader
from corridor_cli.scenes.mixture_terms import FEATURES, MAX_DEVIATION, TERMS, Numbers, terms_of
from corridor_cli.scenes.mixture_windows import MixtureWindow, windows_of
from corridor_cli.settings import DecodeSettings

WEIGHTS_FILE = Path(__file__).parents[1] / "corridor_cli" / "scenes" / "mixture_weights.py"
NUM_SEEDS = 508
LEFT_OUT = range(84, 168)
MIN_SHARED = 0.5
# A window that begins or ends so many frames beside a transition touches it.
TOUCHING_FRAMES = 3
RIDGE = 3.0
ROUNDS = 30


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, help="folder of the labelled real clips, if it is there")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the drawn files")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=WEIGHTS_FILE)
    return parser.parse_args(arguments)


def measure(recipe: Recipe, folder: Path, videos: Path | None) -> tuple[Numbers, Numbers]:
    """The features of all windows of a file that are or are not dissolves: (n, 17), and 1 or 0: (n)."""
    path = draw(recipe, folder, videos)
    labels = [each for each in read_labels(path)["labels"] if each["kind"] != "cut"]
    features, answers = [], []
    with closing(open_reader(path, DecodeSettings(reader="pyav"), for_picks=False)) as reader:
        for window in windows_of(reader.read_frames()):
            answer = answer_of(window, labels)
            if answer is not None:
                features.append(window.features)
                answers.append(answer)
    return np.array(features).reshape(-1, len(FEATURES)), np.array(answers, np.float64)


def answer_of(window: MixtureWindow, labels: Sequence[dict[str, Any]]) -> float | None:
    """Whether a window is a transition, 1 or 0; None where it is neither one nor far from all."""
    start, end = window.start.frame_index, window.end.frame_index
    is_touching = False
    for label in labels:
        first, last = label["first"] - 1, label["last"] + 1
        shared = min(end, last) - max(start, first)
        if shared <= -TOUCHING_FRAMES:
            continue
        is_touching = True
        is_inside = label["first"] <= (start + end) / 2 <= label["last"]
        if is_inside and shared > MIN_SHARED * (max(end, last) - min(start, first)):
            return 1.0
    return None if is_touching else 0.0


def fit(features: Numbers, answers: Numbers) -> tuple[Numbers, Numbers, Numbers, float]:
    """Mean, deviation and weight of each term, and the bias: Newton's method, with a penalty on weights."""
    terms = terms_of(features)
    means, deviations = terms.mean(axis=0), terms.std(axis=0)
    apart = np.clip((terms - means) / deviations, -MAX_DEVIATION, MAX_DEVIATION)
    rows = np.c_[apart, np.ones(len(apart))]
    penalty = np.diag([*[RIDGE] * len(TERMS), 0.0])
    weights = np.zeros(rows.shape[1])
    for _ in range(ROUNDS):
        chances = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (answers - chances) - penalty @ weights
        curvature = (rows * (chances * (1 - chances))[:, None]).T @ rows + penalty
        weights += np.linalg.solve(curvature, gradient)
    return means, deviations, weights[:-1], float(weights[-1])


def as_module(means: Numbers, deviations: Numbers, weights: Numbers, bias: float) -> str:
    """The Python text of `mixture_weights.py`."""
    lines = [
        f'    "{name}": ({mean:.5g}, {deviation:.5g}, {weight:.4f}),'
        for name, mean, deviation, weight in zip(TERMS, means, deviations, weights, strict=True)
    ]
    return "\n".join(
        [
            '"""The weights of `mixture_chance.py`; `scripts/train_mixtures.py` writes them."""',
            "",
            "# Mean, standard deviation and weight of each term.",
            "WEIGHTS = {",
            *lines,
            "}",
            f"BIAS = {bias:.4f}",
            "",
        ]
    )


def main(given: Sequence[str] | None = None) -> int:
    """Draw, measure, fit, write."""
    arguments = read_arguments(given)
    folder = arguments.cache / "train-mixtures"
    chosen = [each for each in recipes(NUM_SEEDS) if each.half == "tuning" and each.seed not in LEFT_OUT]
    with ProcessPoolExecutor(arguments.workers) as pool:
        futures = [pool.submit(measure, each, folder, arguments.videos) for each in chosen]
        measured = [future.result() for future in futures]
    features, answers = (np.concatenate(parts) for parts in zip(*measured, strict=True))
    arguments.output.write_text(as_module(*fit(features, answers)))
    print(f"{len(answers)} windows of {len(chosen)} files, {int(answers.sum())} of them in transitions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
