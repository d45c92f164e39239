"""Let Ctrl-C, SIGTERM and a closed terminal end a run after what is in flight, and never say a false word of it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from importer.stop import Stop

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
#: What a terminal sends that is closed, where there is such a signal; shells send it a second time.
_CLOSED: Final = getattr(signal, "SIGHUP", None)


class _Watch:
    """Say what a signal does now: before a run it interrupts, during one it asks to stop, after it nothing."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self.in_flight: Callable[[], bool] = lambda: False
        self.ended = False

    def on_signal(self, number: int, _frame: Any) -> None:
        """Take one signal."""
        if self.ended:
            return
        if self.stop is None:
            raise KeyboardInterrupt
        if not self.stop.is_set():
            self.stop.set()
            # straight to the descriptor: the stream may be in the middle of writing something
            with suppress(OSError):
                os.write(2, b"\nStopping after the documents in flight ...\n")
        elif number != _CLOSED and self.in_flight():
            # asked twice: give the documents in flight up; they are in doubt then
            raise KeyboardInterrupt


_watch = _Watch()


def _taken() -> list[int]:
    """List the signals to take: all but that of a closed terminal where somebody has let it be ignored (nohup)."""
    closed = [] if _CLOSED is None or signal.getsignal(_CLOSED) is signal.SIG_IGN else [_CLOSED]
    return [*_SIGNALS, *closed]


def install() -> None:
    """Take the signals of this process for its whole life."""
    for number in _taken():
        signal.signal(number, _watch.on_signal)


@contextmanager
def watching(stop: Stop, in_flight: Callable[[], bool]) -> Iterator[None]:
    """Let signals set `stop`; a second one gives up what is in flight."""
    before = {number: signal.getsignal(number) for number in _taken()}
    own = all(handler == _watch.on_signal for handler in before.values())
    _watch.stop, _watch.in_flight, _watch.ended = stop, in_flight, False
    if not own:
        install()
    try:
        yield
    finally:
        _watch.ended = own
        _watch.stop = None
        if not own:
            for number, handler in before.items():
                signal.signal(number, handler)
