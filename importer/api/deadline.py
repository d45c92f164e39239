"""Cut the connection of an exchange that takes too long, however busy it looks: one thread watches over all of them."""

import socket
import threading
import time
from contextlib import suppress
from typing import Any


class Deadline:
    """Be the end of one exchange; entered when it begins."""

    __slots__ = ("_watch", "ends_at", "passed", "socket")

    def __init__(self, watch: "Watch", seconds: float) -> None:
        self._watch = watch
        self.ends_at = time.monotonic() + seconds
        #: the exchange's, once it has one
        self.socket: Any = None
        self.passed = False

    def cut(self) -> None:
        """End the exchange."""
        self.passed = True
        with suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Deadline":
        self._watch.add(self)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._watch.remove(self)


class Watch:
    """Cut exchanges whose time is over; safe for threads. A timer for each would cost a thread for each."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        #: when the thread looks again
        self._looks_at = 0.0
        self._closed = False

    def add(self, deadline: Deadline) -> None:
        """Watch over an exchange."""
        with self._changed:
            self._running.add(deadline)
            if self._thread is None:
                self._looks_at = deadline.ends_at
                self._thread = threading.Thread(target=self._look, daemon=True, name="deadlines")
                self._thread.start()
            elif deadline.ends_at < self._looks_at:
                self._changed.notify()

    def remove(self, deadline: Deadline) -> None:
        """Watch over it no more; it is not cut after this."""
        with self._changed:
            self._running.discard(deadline)

    def close(self) -> None:
        """Let the thread end."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _look(self) -> None:
        with self._changed:
            # what is over by then may leave it nothing to watch: the next exchange begins another thread
            while self._running and not self._closed:
                now = time.monotonic()
                for deadline in [one for one in self._running if one.ends_at <= now]:
                    self._running.discard(deadline)
                    deadline.cut()
                if self._running:
                    self._looks_at = min(one.ends_at for one in self._running)
                    self._changed.wait(max(self._looks_at - time.monotonic(), 0.0))
            self._thread, self._closed = None, False
