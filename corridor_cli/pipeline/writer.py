"""The one thread that writes: pictures, log lines and documents, in the order they were handed over.

Captioning never waits for a disk that is merely slow. The order is the safety: a caption is in the log before
the timeline that quotes it, a picture is on disk before the timeline that names it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

Task = Callable[[], None]

# A disk that cannot keep up must slow the run down in the end, not fill the memory with pictures.
_MAX_TASKS = 2000


class Writer:
    """Runs tasks one after another. The first error stops all later tasks and is raised by `check`.

    `seconds` is how long its tasks took until now, the disk's syncing included.
    """

    def __init__(self) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue(_MAX_TASKS)
        self._error: BaseException | None = None
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Hand a task over; waits only when the disk is far behind."""
        self._tasks.put(task)

    def check(self) -> None:
        """Raise what went wrong so far, if anything did."""
        if self._error is not None:
            raise self._error

    def drain(self) -> None:
        """Wait until all that was handed over is written."""
        self._tasks.join()

    def close(self) -> None:
        """Finish what was handed over and end the thread; raises nothing, see `check`."""
        self._tasks.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            began = time.perf_counter()
            try:
                if self._error is None:
                    task()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
                self._error = error
            finally:
                self.seconds += time.perf_counter() - began
                self._tasks.task_done()
        self._tasks.task_done()
