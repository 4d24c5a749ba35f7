"""Every error `vlmtl` raises on purpose, and the exit code each one ends a run with.

    VlmtlError                    1   internal error, when nothing below fits
    ├── UsageError                2   wrong usage, nothing started
    │   ├── ConfigError           2   wrong configuration: file, line, column
    │   └── SchemaError           2   a JSON Schema that no answer can be held to
    ├── NoInputsError             4   nothing to do, or every input failed
    ├── ModelError                5   model, accelerator or endpoint not usable
    │   └── DeviceLostError       5   the accelerator broke down in mid-run; a new process may go on
    ├── StorageError              6   the output cannot be written; resumable
    ├── OutputLockedError         7   another run owns the output folder
    ├── CheckFailedError          8   a check said no
    ├── StoppedError              9   --fail-fast or a failure limit
    ├── TimelineError             -   one timeline cannot be exported; the others are, and it ends with 3
    └── MediaError                -   one input is at fault; the run goes on and ends with 3
        ├── NotVideoError             not a media file, a playlist, a script
        ├── DamagedError              a video's container without its index or header: nothing can be read
        ├── UnknownCodecError         no decoder for its pictures
        ├── NoVideoStreamError        media, but without pictures (audio only)
        ├── NoFramesError             a video stream that yields no picture
        ├── UnreadableError           missing, no permission, empty, I/O error
        ├── DecodeError               the pictures stop before the end of the file
        ├── LimitError                larger or longer than the limits allow
        ├── InconsistentScanError     what was found contradicts itself
        ├── SourceChangedError        the file changed while it was read
        ├── StalledError              the decoder stopped answering and was killed
        └── WorkerDiedError           the decoder's process died

Foreign exceptions are mapped to these once, at the boundary where they arise. A message says what was
received and what is allowed; `hint` says what to do next.
"""

from __future__ import annotations

from enum import IntEnum
from fractions import Fraction


class ExitCode(IntEnum):
    """Exit codes of the command; unknown ones count as failure."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    PARTIAL = 3
    NO_INPUTS = 4
    MODEL = 5
    STORAGE = 6
    LOCKED = 7
    CHECK_FAILED = 8
    STOPPED = 9
    INTERRUPTED = 130
    TERMINATED = 143


class VlmtlError(Exception):
    """Base of all errors raised on purpose.

    `message` says what was received and what is allowed, `hint` what to do next.
    """

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message.removesuffix('.')}. {self.hint}" if self.hint else self.message


class UsageError(VlmtlError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A setting is wrong; the message begins with file, line and column where they are known."""


class SchemaError(UsageError):
    """A JSON Schema that is none, or asks for what no answer can be held to."""


class NoInputsError(VlmtlError):
    """No input was found, or every one failed."""

    exit_code = ExitCode.NO_INPUTS


class ModelError(VlmtlError):
    """The model, the accelerator or the endpoint cannot be used."""

    exit_code = ExitCode.MODEL


class DeviceLostError(ModelError):
    """The accelerator refuses all further work in this process; a new process may go on."""


class StorageError(VlmtlError):
    """The output cannot be written; what is committed stays, the run can be resumed."""

    exit_code = ExitCode.STORAGE


class OutputLockedError(VlmtlError):
    """Another run owns the output folder."""

    exit_code = ExitCode.LOCKED


class CheckFailedError(VlmtlError):
    """A check the user asked for says no."""

    exit_code = ExitCode.CHECK_FAILED


class StoppedError(VlmtlError):
    """The run ended early because the user asked it to on failures."""

    exit_code = ExitCode.STOPPED


class TimelineError(VlmtlError):
    """One timeline cannot be read, or a format cannot say what it holds. The others are exported."""

    exit_code = ExitCode.PARTIAL


class MediaError(VlmtlError):
    """One input is at fault. The run goes on without it.

    `at` is the time of the first frame that was not taken, which is where those that were end; None where no
    frame was met, or the reader itself knows where they end.
    """

    exit_code = ExitCode.PARTIAL
    at: Fraction | None = None


class CutFileError(MediaError):
    """The cuts given for a video are missing, ambiguous or unreadable, or none of them lies in it."""


class TranscriptError(MediaError):
    """What is said in a video cannot be read from the file that should say it."""


class NotVideoError(MediaError):
    """The file is not a media file that may be opened (text, playlist, script, unknown container)."""


class DamagedError(MediaError):
    """The file begins as a video does, but the header or index without which nothing is found is lost."""


class UnknownCodecError(MediaError):
    """There is no decoder for the pictures, or the file does not say which one they want."""


class NoVideoStreamError(MediaError):
    """The file is media without pictures."""


class NoFramesError(MediaError):
    """The video stream yields no picture."""


class UnreadableError(MediaError):
    """The file is missing, empty, forbidden, or the disk cannot read it."""


class DecodeError(MediaError):
    """The pictures stop before the end of the file."""


class LimitError(MediaError):
    """The file is larger or longer than the limits allow."""


class InconsistentScanError(MediaError):
    """What was found in the file contradicts itself: no document can be made of it. A defect of ours."""


class SourceChangedError(MediaError):
    """The file changed while it was read: what was found belongs to neither the old nor the new one."""


class StalledError(MediaError):
    """The decoder stopped answering and was killed."""


class WorkerDiedError(MediaError):
    """The decoder's process died."""
