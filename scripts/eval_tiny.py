"""Evaluate a tiny checkpoint on held-out drawn pictures and, given a folder of clips, on real frames.

    python scripts/eval_tiny.py corridor_cli/models/tiny --videos CLIPS

Prints tables; the last line is one JSON object with every figure.
"""

import argparse
import json
import random
from pathlib import Path

import torch
from tiny.batches import chat_text, split_tiles
from tiny.colours import COLOURS, PROTOTYPES
from tiny.evaluation import Captioner, read_frames, score_frames, score_sheet, solid_pictures
from tiny.labels import GRAMMAR
from tiny.pictures import draw_clear_shapes, draw_training_sheet
from tiny.prompts import DEFAULT_PROMPT, draw_prompt

HELD_OUT_SEED = 2**30  # training seeds are below
FRAMES_A_CLIP = 10


def evaluate_drawn(captioner: Captioner, count: int) -> dict[str, dict[str, float]]:
    """Held-out shapes on plain grounds, and pictures of every kind that training draws."""
    mixed = draw_training_sheet(HELD_OUT_SEED, 1)
    sheets = {
        "shapes": draw_clear_shapes(count, HELD_OUT_SEED + 1),
        "mixed": mixed.take(torch.arange(min(count, len(mixed)))),
    }
    scores = {name: score_sheet(captioner.caption(sheet.pictures), sheet) for name, sheet in sheets.items()}
    for name, values in scores.items():
        print(f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in values.items()))
    return scores


def evaluate_robustness(captioner: Captioner, count: int) -> dict[str, float]:
    """The same answer to other prompts and one at a time; the last tile's answer when there are several."""
    sheet = draw_clear_shapes(count, HELD_OUT_SEED + 2)
    rng = random.Random(7)
    alone = captioner.caption(sheet.pictures, batch=1)
    batched = captioner.caption(sheet.pictures)
    prompted = captioner.caption(sheet.pictures, [draw_prompt(rng) for _ in range(count)])
    others = sheet.pictures.flip(0)
    pairs = torch.stack([others, sheet.pictures], dim=1).flatten(0, 1)
    two = captioner.complete([chat_text([1, 1], "What happens?")] * count, pairs)
    tiles = [torch.stack([*split_tiles(picture, 2, 1), picture]) for picture in sheet.pictures]
    tiled = captioner.complete([chat_text([3], DEFAULT_PROMPT)] * count, torch.cat(tiles))
    scores = {
        "batch_equals_single": _agreement(alone, batched),
        "same_under_other_prompts": _agreement(batched, prompted),
        "two_frames_tell_the_last": _agreement(batched, two),
        "two_tiles_and_thumbnail_tell_the_whole": _agreement(batched, tiled),
    }
    print("  ".join(f"{key} {value:.4g}" for key, value in scores.items()))
    return scores


def _agreement(ones: list[str], others: list[str]) -> float:
    return sum(one == other for one, other in zip(ones, others, strict=True)) / len(ones)


def evaluate_solid(captioner: Captioner) -> dict[str, bool]:
    """Whether a picture of each prototype colour alone is given that name."""
    captions = captioner.caption(solid_pictures(torch.tensor(PROTOTYPES, dtype=torch.uint8)))
    right = {}
    for name, caption in zip(COLOURS, captions, strict=True):
        match = GRAMMAR.fullmatch(caption)
        right[name] = bool(match and match["first"] == name)
    print("solid colours: " + "  ".join(f"{name} {'ok' if ok else 'WRONG'}" for name, ok in right.items()))
    return right


def evaluate_videos(captioner: Captioner, folder: Path, is_verbose: bool) -> dict[str, float]:
    """Light and clear main colours on frames of every clip directly in `folder` that can be decoded."""
    total: dict[str, float] = {}
    for path in sorted(folder.iterdir()):
        frames = read_frames(path, FRAMES_A_CLIP) if path.is_file() else []
        if not frames:
            continue
        pictures = torch.stack(frames)
        captions = captioner.caption(pictures)
        counts = score_frames(captions, pictures)
        print(f"{path.name:45s} " + "  ".join(f"{key} {value}" for key, value in counts.items()))
        if is_verbose:
            print(f"    {captions[len(captions) // 2]}")
        total = {key: total.get(key, 0) + value for key, value in counts.items()}
    if not total:
        raise SystemExit(f"no clip in {folder} could be decoded; give a folder of video files")
    rates = {f"{key}_rate": total[key] / total["frames"] for key in ("light", "contrast", "detail", "shapes")}
    rates["first_rate"] = total["first"] / max(1, total["clear"])
    print("all clips: " + "  ".join(f"{key} {value:.4g}" for key, value in {**total, **rates}.items()))
    return {**total, **rates}


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--videos", type=Path, default=None, help="a folder of clips")
    parser.add_argument("--count", type=int, default=2000, help="pictures of each drawn set")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="print a caption of each clip")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    captioner = Captioner.load(arguments.checkpoint)
    results: dict[str, object] = {"solid": evaluate_solid(captioner)}
    results |= evaluate_drawn(captioner, arguments.count)
    results["robustness"] = evaluate_robustness(captioner, min(200, arguments.count))
    if arguments.videos:
        results["videos"] = evaluate_videos(captioner, arguments.videos, arguments.verbose)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
