"""Let as many documents be on their way at a time as there are workers, and claim a few more where that counts.

A claim waits for the disk. Made by whoever has just had an answer, it lets the API wait for the disk each time. But
what is claimed and not sent yet is in doubt like what is on its way, should the run be killed: where the API takes its
time, or answers at once, nothing is claimed before it can go out.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Final

#: Seconds that a claimed document waits for its turn to go out.
_TURN_S: Final = 1.0
_LOOK_S: Final = 0.1
#: One more is claimed for so many on their way.
_FLYING: Final = 2
#: It counts where an exchange takes between so many seconds, and a claim more than this share of it,
_COUNTS_S: Final = (0.02, _TURN_S)
_SHARE: Final = 1 / 40
#: which is known after so many exchanges a worker,
_MADE: Final = 4
#: the latest one counting for so much of the mean.
_LATEST: Final = 1 / 8


class Slots:
    """Hold as many slots as documents may be on their way; safe for threads."""

    def __init__(self, count: int, may_go: Callable[[], bool], *, ahead: bool) -> None:
        """Be so many, told whether something new may go out; `ahead` says whether anything may be claimed early."""
        self._count = count
        self._may_go = may_go
        #: how many may be claimed besides
        self.spare = max(count // _FLYING, 1) if ahead else 0
        #: one token a slot; a semaphore would be slower to wake who waits
        self._free: SimpleQueue[None] = SimpleQueue()
        self._release(count)
        self._changed = threading.Condition(threading.Lock())
        self._over = False
        #: exchanges noted, and the means of what a claim and an exchange take
        self._noted = 0
        self._claim_s = self._exchange_s = 0.0

    @contextmanager
    def hold(self, claim_s: float) -> Iterator[bool]:
        """Wait a little for a slot and hold it for an exchange, whose claim took a while; yield whether it may go."""
        took = self._acquire(_TURN_S)
        began, goes = time.monotonic(), took and self._may_go()
        try:
            yield goes
        finally:
            if took:
                self._release(1)
                # whoever waits for it goes first, rather than when this thread next has to wait
                time.sleep(0)
            self._note(claim_s, time.monotonic() - began if goes else 0.0)

    def want_more(self, before_waiting: Callable[[], None]) -> bool:
        """Wait until it counts that more is claimed than can be sent at once; false when it is over before that."""
        with self._changed:
            if self._over or self._counts():
                return not self._over
        before_waiting()
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._counts())
            return not self._over

    def await_one(self, is_over: Callable[[], bool]) -> None:
        """Wait until there is a slot for whoever claims now, or all is over."""
        took = False
        while not took and not is_over():
            took = self._acquire(_LOOK_S)
        if took:
            self._release(1)

    def close(self) -> None:
        """Let everybody go on who waits: it is over."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._release(self._count + self.spare)

    def _acquire(self, most_s: float) -> bool:
        try:
            self._free.get(timeout=most_s)
        except Empty:
            return False
        return True

    def _release(self, count: int) -> None:
        for _ in range(count):
            self._free.put(None)

    def _counts(self) -> bool:
        least, most = _COUNTS_S
        known = self._noted >= _MADE * self._count
        return known and least < self._exchange_s < most and self._claim_s > self._exchange_s * _SHARE

    def _note(self, claim_s: float, exchange_s: float) -> None:
        """Take note of how long a claim and the exchange after it took; nothing is known where there was none."""
        with self._changed:
            share = _LATEST if self._noted else 1.0
            self._noted = self._noted + 1 if exchange_s else 0
            self._claim_s += (claim_s - self._claim_s) * share
            self._exchange_s += (exchange_s - self._exchange_s) * share
            if self.spare and self._counts():
                self._changed.notify_all()
