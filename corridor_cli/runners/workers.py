"""How many media workers a run has, and what each does with a second core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from corridor_cli.hardware import available_memory_bytes, num_usable_cpus
from corridor_cli.hosts.messages import WorkerSetup
from corridor_cli.media.limits import MAX_THREADS
from corridor_cli.runners.picture_limits import PictureLimits
from corridor_cli.settings import Settings

_MAX_WORKERS = 64
# A worker that scans 1080p took 196 to 299 MiB (docs/benchmarks); half of what is free may go to them.
_WORKER_BYTES = 400 * 2**20
_MEMORY_SHARE = 0.5
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """`num_workers` processes on `num_cores`; with `reads_ahead` each decodes on one and looks on another.

    `num_threads` are what a scan decodes by while all workers are busy.
    """

    num_workers: int
    reads_ahead: bool
    num_cores: int
    num_threads: int
    reason: str


def plan_workers(settings: Settings, num_videos: int, *, has_model: bool = True) -> WorkerPlan:
    """As many workers as there are cores for, and no more than there are videos.

    A model that computes on the processor keeps a core for itself; one on an accelerator leaves all of them,
    and so does having none. A file a core uses the cores best, and costs no hand-over from core to core.
    Where workers are fewer than cores because videos are few, each is given a thread to decode ahead, and its
    share of the cores to decode by.
    """
    num_cpus = num_usable_cpus()
    num_wanted, why = _wanted(settings, num_cpus, has_model)
    num_workers = max(1, min(num_wanted, num_videos))
    if num_workers < num_wanted:
        why = "one for each video"
    is_ours = settings.decode.workers == "auto"
    reads_ahead = num_videos < num_cpus and is_ours
    num_cores = max(num_workers, num_cpus - _num_kept(settings, has_model)) if is_ours else num_workers
    noun = "media worker" if num_workers == 1 else "media workers"
    reason = f"{num_workers} {noun}: {why}"
    if reads_ahead:
        reason += f"; decoding ahead on a second thread, for videos ({num_videos}) are fewer than processors"
        reason += f" ({num_cpus})"
    asked = settings.decode.threads
    num_threads = min(MAX_THREADS, num_cores // num_workers if asked == "auto" else asked)
    if num_threads > 1:
        reason += (
            f"{', and' if reads_ahead else '; decoding'} by {num_threads} threads where the codec allows it"
        )
    return WorkerPlan(num_workers, reads_ahead, num_cores, num_threads, reason)


def worker_setup(settings: Settings, limits: PictureLimits, workers: WorkerPlan | None = None) -> WorkerSetup:
    """What the workers of a run are told, or without a plan of them a single one; pictures for the model keep
    within `limits`."""
    setup = WorkerSetup(
        settings.decode,
        settings.scenes,
        settings.frames,
        limits.slot_bytes,
        limits.max_pixels,
        (),
        enough_pixels=limits.enough_pixels,
    )
    if workers is None:
        return setup
    return replace(setup, reads_ahead=workers.reads_ahead, num_cores=workers.num_cores)


def is_model_on_processor(settings: Settings) -> bool:
    """Whether the model computes where videos are decoded, as far as can be told before it is loaded."""
    model = settings.gpu_pipeline.internvl3
    is_elsewhere = model.engine == "echo" or model.device.startswith("cuda")
    return not is_elsewhere and not (model.device == "auto" and _NVIDIA_DRIVER.exists())


def _num_kept(settings: Settings, has_model: bool) -> int:
    """Processors left to the model."""
    return int(has_model and is_model_on_processor(settings))


def _wanted(settings: Settings, num_cpus: int, has_model: bool) -> tuple[int, str]:
    asked = settings.decode.workers
    if asked != "auto":
        return asked, "as asked by decode.workers"
    if not has_model:
        wanted, why = num_cpus, f"all {num_cpus} processors"
    elif not _num_kept(settings, has_model):
        wanted, why = num_cpus, f"all {num_cpus} processors, which the model does not need"
    else:
        wanted, why = max(1, num_cpus - 1), f"of {num_cpus} processors one is left to the model"
    num_fitting = max(1, int(_MEMORY_SHARE * available_memory_bytes()) // _WORKER_BYTES)
    if num_fitting < wanted:
        return num_fitting, f"memory has room for {num_fitting}"
    return min(wanted, _MAX_WORKERS), why
