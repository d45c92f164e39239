"""Let a second process do a piece of work meanwhile."""

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
    from multiprocessing import get_context

    process = get_context("fork").Process(target=_done, args=(work,), daemon=True)
    process.start()

    def done() -> bool:
        process.join()
        return process.exitcode == 0

    try:
        yield done
    finally:
        if process.exitcode is None:
            process.kill()
            process.join()


def _done(work: Callable[[], Any]) -> None:
    """Do the work; say by how the process ends whether that was all."""
    try:
        told = work()
    except BaseException:  # noqa: BLE001 - the caller meets it when it does the work
        told = True
    if told:
        raise SystemExit(1)
