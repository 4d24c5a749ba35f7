"""Finds the folder of a checkpoint: the bundled one, a local folder, or a snapshot of a hub repository.

Only data files are ever asked for (`DATA_PATTERNS`): no code, no pickles. The network is used only when the
local cache cannot answer and `HF_HUB_OFFLINE` does not forbid it.
"""

from __future__ import annotations

import errno
import os
import re
from importlib import resources
from pathlib import Path

from corridor_cli.errors import ModelError, StorageError
from corridor_cli.printable import printable

BUNDLED_MODEL = "tiny"
HOW_TO_GET_A_MODEL = (
    "Give `--model OpenGVLab/InternVL3-2B-hf` (fetched once, about 4 GB), a folder that holds an InternVL "
    "`-hf` checkpoint, or `--model tiny` for the small bundled one."
)
SMALL_PATTERNS = ["*.json", "*.jinja", "merges.txt", "vocab.txt", "tokenizer.model"]
DATA_PATTERNS = [*SMALL_PATTERNS, "*.safetensors"]

_DISK_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def bundled_folder() -> Path:
    """The folder of the bundled checkpoint."""
    return Path(str(resources.files("corridor_cli"))) / "models" / BUNDLED_MODEL


def is_hub_id(model: str) -> bool:
    """Whether `model` names a hub repository: `owner/name`, and no such folder is here."""
    return _HUB_ID.fullmatch(model) is not None and not Path(model).exists()


def find_local_folder(model: str) -> Path:
    """The folder named by `model`, for `tiny` or a path. Raises `ModelError`."""
    if model == BUNDLED_MODEL:
        folder = bundled_folder()
        if not folder.is_dir():
            raise ModelError("The bundled model is missing from this installation.", hint="Reinstall vlmtl.")
        return folder
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    what = "is a file, not a folder" if folder.exists() else "is neither a folder nor `owner/name` on the hub"
    raise ModelError(f"Model {model!r} {what}.", hint=HOW_TO_GET_A_MODEL)


def is_offline() -> bool:
    """Whether the environment forbids the network, as the Hugging Face libraries read it."""
    values = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.upper() in {"1", "ON", "YES", "TRUE"} for value in values)


def find_cached_snapshot(model: str, revision: str | None) -> Path | None:
    """The snapshot of a hub repository in the local cache, or None; weights may still be missing from it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            model, revision=revision, allow_patterns=DATA_PATTERNS, local_files_only=True
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return Path(found)


def download_snapshot(model: str, revision: str | None, patterns: list[str]) -> Path:
    """Fetch the files that match `patterns` into the local cache and return the snapshot's folder.

    Raises `ModelError` when the hub cannot be reached, the repository is not there, or is not open to us, and
    `StorageError` when the cache cannot be written.
    """
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    transport_error: type[Exception] = hub.HfHubHTTPError.__mro__[1]  # the HTTP library's, by hub version
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except hub.GatedRepoError as error:
        message, hint = f"Model {model!r} asks for an agreement on the hub.", "Accept it there, then log in."
        raise ModelError(message, hint=hint) from error
    except hub.RevisionNotFoundError as error:
        raise ModelError(f"Model {model!r} has no revision {revision!r} on the hub.") from error
    except hub.RepositoryNotFoundError as error:
        raise ModelError(f"Model {model!r} was not found on the hub.", hint=HOW_TO_GET_A_MODEL) from error
    except (OSError, hub.HFValidationError, transport_error) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise StorageError(
                f"Model {model!r} cannot be written to {printable(error.filename or 'the cache')}: "
                f"{error.strerror}.",
                hint="Make room, or set HF_HOME to another folder; files that are whole are kept.",
            ) from error
        raise ModelError(
            f"Model {model!r} is not on this machine and could not be fetched ({type(error).__name__}).",
            hint=f"Check the name and the network. {HOW_TO_GET_A_MODEL}",
        ) from error
