"""Train the tiny model from nothing on drawn pictures.

    python scripts/train_tiny.py --work /tmp/tiny --output corridor_cli/models/tiny

Stopped, it goes on with --resume. The same seed, step count and machine give the same weights.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tiny.batches import Batch, make_batch
from tiny.checkpoint import build_config, build_model, build_tokenizer, save_checkpoint
from tiny.helpers import see
from tiny.pictures import Sheet, draw_clear_shapes, draw_training_sheet
from tiny.training import Plan, Trainer, answer, keep_freed_memory
from torch import distributed, multiprocessing
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast

SHEET_PICTURES = 3264
MAX_WORKERS = 64
VISITS = 2  # how often a picture is trained on, with another prompt and in another batch each time
HELD_OUT_SEED = 2**30  # training seeds are below


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the resumable state")
    parser.add_argument("--output", type=Path, required=True, help="folder for the finished checkpoint")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each; 1 with cuda")
    parser.add_argument("--resume", action="store_true", help="go on from the state in --work")
    parser.add_argument("--stop-after", type=int, default=None, help="stop at this step, to be resumed")
    parser.add_argument("--log-every", type=int, default=250)
    arguments = parser.parse_args()
    if arguments.workers not in (1, 2, 4, 8, 16):
        parser.error(f"--workers {arguments.workers}: a batch is shared by 1, 2, 4, 8 or 16 processes")
    if arguments.device == "cuda" and arguments.workers > 1:
        parser.error("--device cuda goes with --workers 1")
    return arguments


def draw_batches(
    seed: int, worker: int, batch: int, step: int, tokenizer: PreTrainedTokenizerFast
) -> Iterator[Batch]:
    """One worker's batches from `step` on; which pictures and prompts come depends on the arguments alone."""
    steps_a_sheet = SHEET_PICTURES * VISITS // batch
    while True:
        turn = step // steps_a_sheet
        sheet = draw_training_sheet(seed, turn * MAX_WORKERS + worker)
        rows: list[int] = []
        for visit in range(VISITS):
            order = list(range(len(sheet)))
            random.Random(f"{seed}/{worker}/{turn}/{visit}").shuffle(order)
            rows += order
        for index in range(step % steps_a_sheet, steps_a_sheet):
            rng = random.Random(f"{seed}/{worker}/{step}")
            is_multi = step % 8 == 7
            chosen = rows[index * batch : (index + 1) * batch]
            # A batch of several tiles a picture costs as much as one with a quarter of the pictures.
            yield make_batch(sheet, chosen[: batch // 4] if is_multi else chosen, tokenizer, rng, is_multi)
            step += 1


@torch.no_grad()
def exact_rate(
    model: InternVLForConditionalGeneration, sheet: Sheet, tokenizer: PreTrainedTokenizerFast
) -> float:
    """Share of whole sentences right, by teacher forcing: greedy decoding is right when each token is."""
    model.eval()
    right = 0
    for start in range(0, len(sheet), 128):
        rows = list(range(start, min(start + 128, len(sheet))))
        batch = make_batch(sheet, rows, tokenizer, random.Random(start), is_multi=False)
        moved = Batch(**{name: value.to(model.device) for name, value in vars(batch).items()})
        logits, targets = answer(model, moved, see(model, moved.tiles).visual)
        lengths = (batch.labels[:, 1:] >= 0).sum(dim=1).tolist()
        right += sum(bool(part.all()) for part in torch.split(logits.argmax(dim=1) == targets, lengths))
    return right / len(sheet)


def describe(
    trainer: Trainer,
    losses: list[tuple[float, float]],
    sheets: dict[str, Sheet],
    tokenizer: PreTrainedTokenizerFast,
) -> str:
    """For the log: mean losses since the last line, and the exact rates of the averaged weights."""
    caption, helper = (sum(column) / len(losses) for column in zip(*losses, strict=True))
    parts = [f"step {trainer.step} loss {caption:.4f} helpers {helper:.3f}"]
    if not trainer.is_seeing_only():
        average = build_model(trainer.model.config, 0).to(trainer.device)
        average.load_state_dict(trainer.average)
        parts += [f"{name} {exact_rate(average, sheet, tokenizer):.3f}" for name, sheet in sheets.items()]
    return " ".join(parts)


def train(arguments: argparse.Namespace, worker: int) -> Trainer:
    """Train from the start or the saved state to the last step; only worker 0 reports and saves."""
    tokenizer = build_tokenizer()
    plan = Plan(steps=arguments.steps)
    trainer = Trainer(build_model(build_config(tokenizer), arguments.seed), plan, arguments.device)
    state = arguments.work / "state.pt"
    if arguments.resume:
        trainer.restore(state)
    mixed = draw_training_sheet(HELD_OUT_SEED, 0, chunk=2)
    sheets = {"shapes": draw_clear_shapes(len(mixed), HELD_OUT_SEED), "mixed": mixed}
    last = min(arguments.steps, arguments.stop_after or arguments.steps)
    losses: list[tuple[float, float]] = []
    started = time.monotonic()
    batches = draw_batches(arguments.seed, worker, plan.batch // arguments.workers, trainer.step, tokenizer)
    while trainer.step < last:
        losses.append(trainer.take_step(next(batches)))
        if worker == 0 and (trainer.step % arguments.log_every == 0 or trainer.step == last):
            pace = (time.monotonic() - started) / len(losses) * 1000
            print(f"{describe(trainer, losses, sheets, tokenizer)} {pace:.0f} ms/step", flush=True)
            trainer.save(state)
            losses, started = [], time.monotonic()
    return trainer


def run_worker(worker: int, arguments: argparse.Namespace) -> None:
    """One process of the training; worker 0 writes the averaged weights as a checkpoint folder."""
    keep_freed_memory()
    # One thread each: with two, and anything else running, they mostly wait for each other.
    torch.set_num_threads(1)
    if arguments.workers > 1:
        store = f"file://{(arguments.work / 'rendezvous').resolve()}"
        distributed.init_process_group("gloo", store, rank=worker, world_size=arguments.workers)
    trainer = train(arguments, worker)
    if worker == 0:
        finished = build_model(trainer.model.config, 0)
        finished.load_state_dict(trainer.average)
        save_checkpoint(arguments.output, finished, build_tokenizer())
    if arguments.workers > 1:
        distributed.destroy_process_group()


def main() -> None:
    """Train in one process or several."""
    arguments = parse_arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.workers == 1:
        run_worker(0, arguments)
    else:
        (arguments.work / "rendezvous").unlink(missing_ok=True)
        # Ended by a signal, leave through the exit handlers: they end the workers too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        multiprocessing.spawn(run_worker, args=(arguments,), nprocs=arguments.workers, daemon=True)


if __name__ == "__main__":
    main()
