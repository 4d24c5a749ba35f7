"""The child that exports timelines beside main: files in, what became of them out, in the same order."""

from __future__ import annotations

import gc
from collections.abc import Sequence

from corridor_cli.errors import StorageError
from corridor_cli.hosts.channel import Channel, Inbox
from corridor_cli.hosts.process import enter_child
from corridor_cli.timeline.exports.find import TimelineFile
from corridor_cli.timeline.exports.one_file import ExportJob, FileResult, export_file


def main(channel_fd: int, arena_fd: int, parent_pid: int) -> None:
    """Serve main until it hangs up."""
    enter_child(parent_pid)
    channel = Channel(channel_fd)
    inbox = Inbox(channel)
    job: ExportJob = inbox.get()
    # What is loaded by now stays: the garbage collector need not look at it again.
    gc.freeze()
    while True:
        channel.send(_export(job, inbox.get()))


def _export(job: ExportJob, files: Sequence[TimelineFile]) -> list[FileResult] | StorageError:
    try:
        return [export_file(job, file) for file in files]
    except StorageError as error:
        return error
