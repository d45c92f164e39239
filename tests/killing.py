"""Run the program and strike its process at one exact moment, without any hook in the program.

A moment is a list of steps, each the n-th call or return of a function: `call Journal.claim 3, call _Watched.send 2`.
The first step is counted in all threads; the steps after it in the thread that took the step before, so that they
belong to the same piece of work. `any * 1000` is the thousandth call or return of any function in any thread. At the
last step the process kills itself by SIGKILL, before anything after it happens; with `stop` as the last word it is
frozen there instead.
"""

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import schedule_nursery as nursery
from schedule_pipes import Servant, serve

_PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Step:
    """Name the n-th call or return of a function of the program."""

    event: str
    function: str
    nth: int


class Watch:
    """See every call and return of Python functions, and strike at the moment."""

    def __init__(self, moment: str) -> None:
        self._signal = signal.SIGSTOP if moment.endswith(" stop") else signal.SIGKILL
        parts = [part.split() for part in moment.removesuffix(" stop").split(",")]
        self._steps = [Step(event, function, int(nth)) for event, function, nth in parts]
        self._names = {step.function for step in self._steps}
        self._lock = threading.Lock()
        self._place, self._count = 0, 0
        #: the thread that took the step before
        self._thread: int | None = None

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> None:
        """Take one event of one thread."""
        name = frame.f_code.co_qualname
        if event not in {"call", "return"} or not self._names & {name, "*"}:
            return
        with self._lock:
            if self._place == len(self._steps):
                return
            step, here = self._steps[self._place], threading.get_ident()
            own = (event, name) == (step.event, step.function) and self._thread in {None, here}
            if not own and step.event != "any":
                return
            self._count += 1
            if self._count < step.nth:
                return
            self._place, self._count, self._thread = self._place + 1, 0, here
            if self._place == len(self._steps):
                # to this very thread, so that not even it goes on
                signal.pthread_kill(here, self._signal)


def start(moment: str, arguments: list[str], cwd: str, out: str) -> int:
    """Start the program, watched in all of its threads; return its process. Without a moment nothing strikes it."""
    if not moment:
        return nursery.start(arguments, cwd, out)
    watch = Watch(moment)
    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        return nursery.start(arguments, cwd, out)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


@dataclass
class Struck:
    """Hold a process of the program that is struck at its moment."""

    killer: "Killer"
    child: int
    out: Path
    code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, with a minus the signal that ended it; None while it lives."""
        if self.code is None:
            self.code = self.killer.ask("poll", child=self.child)
        return self.code

    def wait(self) -> int:
        """Wait for its end."""
        deadline = time.monotonic() + _PATIENCE_S
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline, f"it does not end: {self.said}"
            time.sleep(0.005)
        return code

    def wait_until_frozen(self) -> None:
        """Wait until it was stopped at its moment."""
        deadline = time.monotonic() + _PATIENCE_S
        state = Path(f"/proc/{self.child}/stat")
        while self.poll() is None and state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline, f"it never came to its moment: {self.said}"
            time.sleep(0.005)
        assert self.code is None, f"it ended before its moment: {self.code} {self.said}"

    def strike(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.poll() is None
        os.kill(self.child, number)

    @property
    def said(self) -> str:
        """Return what it printed."""
        return self.out.read_text(encoding="utf-8", errors="replace") if self.out.exists() else ""


class Killer(Servant):
    """Start programs that die, or freeze, at their moment."""

    def __init__(self, home: Path) -> None:
        super().__init__("killing.py", home)
        self._home, self._count = home, 0

    def start(self, moment: str, arguments: list[str], cwd: Path) -> Struck:
        """Start the program in a folder."""
        self._count += 1
        out = self._home / f"out-{self._count}.txt"
        child = self.ask("start", moment=moment, arguments=arguments, cwd=str(cwd), out=str(out))
        return Struck(self, child, out)

    def kill(self, moment: str, arguments: list[str], cwd: Path) -> None:
        """Run the program until it is killed at a moment; see that it had no other end."""
        struck = self.start(moment, arguments, cwd)
        assert struck.wait() == -signal.SIGKILL, f"it never came to {moment!r}: {struck.code} {struck.said}"


if __name__ == "__main__":
    nursery.warm(Path.cwd())
    try:
        serve({"start": start, "poll": nursery.poll})
    finally:
        for left in nursery._children:
            os.kill(left, signal.SIGKILL)
            os.waitpid(left, 0)
