"""Serve a simulated company in a process of its own: its clock moves by command, and it remembers what struck what."""

import http.client
import re
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from schedule_pipes import serve

from importer.sandbox import Fault, Sandbox, Settings
from importer.sandbox.server import Logged

#: What makes a document one of the schedule, wherever in its body it stands.
_KEY = re.compile(rb"\bK\d{4}\b")
_US = "the schedule itself"
_BACKGROUND_S = 0.05
_strikes = threading.local()


class _Told(Fault):
    """Be a fault that tells which request it struck: the sandbox asks what kind it is in that request's own thread."""

    @property
    def kind(self) -> str:  # type: ignore[override]
        _strikes.last = self
        return self._kind

    @kind.setter
    def kind(self, kind: str) -> None:
        object.__setattr__(self, "_kind", kind)


class _Log(list[Logged]):
    """Note beside each request when it came by the company's clock, and what struck it."""

    def __init__(self, company: "_Company") -> None:
        super().__init__()
        self.company = company

    def append(self, entry: Logged) -> None:
        struck = getattr(_strikes, "last", None)
        _strikes.last = None
        self.company.note(entry, struck)
        super().append(entry)


class _Company:
    """Hold the company that is served now."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.box: Sandbox | None = None
        self.folder = Path()
        self.entries: list[dict[str, Any]] = []

    def note(self, entry: Logged, struck: "_Told | None") -> None:
        """Keep what the oracle wants to know of a request of the program."""
        if entry.headers.get("user-agent") == _US:
            return
        key = _KEY.search(entry.body) if entry.method == "POST" else None
        self.entries.append(
            {
                "started": entry.started,
                "at": entry.started + self.ahead_s,
                "method": entry.method,
                "key": key[0].decode() if key else None,
                "status": entry.status,
                "fault": struck.kind if struck else None,
                "commit": bool(struck and struck.commit),
            }
        )
        _strikes.last = None

    def open(self, folder: str, settings: dict[str, Any]) -> str:
        """Serve a new company; return its address."""
        self.close()
        settings["ignored_filters"] = frozenset(settings.get("ignored_filters", ()))
        self.ahead_s, self.folder, self.entries = 0.0, Path(folder), []
        chosen = Settings(background_delay_s=_BACKGROUND_S, **settings)
        self.box = Sandbox(self.folder, settings=chosen, clock=lambda: time.time() + self.ahead_s)
        self.box.requests_log = _Log(self)
        self.box.start()
        return self.box.base_url

    def close(self) -> None:
        """Serve nothing any more."""
        if self.box is not None:
            self.box.stop()
        self.box = None

    def faults(self, faults: list[dict[str, Any]]) -> None:
        """Show these faults from now on, counted from here."""
        assert self.box is not None
        self.box.faults[:] = [_Told(**fault) for fault in faults]

    def log(self, after: int) -> list[dict[str, Any]]:
        """Return the requests that were answered since so many."""
        return self.entries[after:]

    def now(self) -> float:
        """Return the time that `at` of a request is told in."""
        return time.monotonic() + self.ahead_s

    def come_to_rest(self) -> None:
        """Wait until nothing that any client ever sent is still being worked on, in the background neither.

        To be asked only when no program runs: what is still connected then is what a dead one has left.
        """
        self.faults([])
        # connections are taken up in order, so that after ours none of a dead program waits to be taken up
        self._knock()
        deadline = time.monotonic() + 30
        while any("process_request" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < deadline, "a request is still being worked on"
            time.sleep(0.002)
        self.ahead_s += 2 * _BACKGROUND_S
        self._knock()

    def _knock(self) -> None:
        """Send a request of our own, which also lets the company do what is due."""
        assert self.box is not None
        connection = http.client.HTTPConnection(urlsplit(self.box.base_url).netloc, timeout=30)
        connection.request("GET", "/v1/customer/none", headers={"User-Agent": _US, "Connection": "close"})
        connection.getresponse().read()
        connection.close()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, once nothing is being worked on."""
        self.come_to_rest()
        self.ahead_s += seconds


if __name__ == "__main__":
    company = _Company()
    names = ("open", "close", "faults", "log", "now", "come_to_rest", "pass_time")
    try:
        serve({name: getattr(company, name) for name in names})
    finally:
        company.close()
