"""Let a second process do a piece of work meanwhile."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def beside(work: Callable[[], Any], *, wanted: bool = True) -> Iterator[Callable[[], bool]]:
    """Begin a piece of work in a process of its own; yield what waits for its end and tells whether it was done.

    It was not where there can be no such process, or where it failed or had anything to return: the caller does it
    then, and meets whatever went wrong. The process is a copy of this one, which costs next to nothing and is safe
    where there is but one thread, on Linux.
    """
    if not wanted or sys.platform != "linux" or threading.active_count() > 1:
        yield lambda: False
        return
    process = os.fork()
    if process == 0:
        _end(work)
    ended: list[bool] = []

    def done() -> bool:
        ended.append(os.waitpid(process, 0)[1] == 0)
        return ended[0]

    try:
        yield done
    finally:
        if not ended:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _end(work: Callable[[], Any]) -> None:
    """Do the work and end this process, without anything that its original would do at its end."""
    code = 1
    try:
        code = 1 if work() else 0
    finally:
        os._exit(code)
