"""Show faults on demand: answers that are wrong, late, cut off, or never come."""

import threading
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from importer.sandbox import background
from importer.sandbox.answers import CUT_STATUS, Answer, Call, message
from importer.sandbox.limit import too_many
from importer.sandbox.settings import Fault
from importer.sandbox.tokens import unauthorized

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_COMMITTING = ("500_after", "cut_after")


class FaultBoard:
    """Pick the fault of each request; `faults` may be changed while the sandbox runs."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[Fault, int]] = {}
        self._since: dict[int, tuple[Fault, int]] = {}

    def pick(self, call: Call) -> Fault | None:
        """Return the first fault whose turn it is, every match counted."""
        picked = None
        with self._lock:
            for fault in tuple(self.faults):
                if not self._has_begun(fault, call) or not _matches(fault.match, call):
                    continue
                count = self._seen.get(id(fault), (fault, 0))[1] + 1
                self._seen[id(fault)] = (fault, count)
                if picked is None and _is_due(fault, count):
                    picked = fault
        return picked

    def _has_begun(self, fault: Fault, call: Call) -> bool:
        """Say whether the requests that a fault waits for were seen before this one."""
        if fault.since is None:
            return True
        count = self._since.get(id(fault), (fault, 0))[1]
        if _matches(fault.since, call):
            self._since[id(fault)] = (fault, count + 1)
        return count >= fault.since_nth


def before(fault: Fault | None, call: Call, wait: Callable[[float], object]) -> tuple[Answer | None, Call]:
    """Return the answer that stands in for the work, if there is one, and the request to carry out."""
    if fault is None:
        return None, call
    if fault.kind == "late":
        wait(fault.delay_s)
    if fault.kind == "202":
        headers = {**call.headers, background.HEADER: "none"}
        return None, Call(call.method, call.path, call.query, headers, call.body, call.origin)
    if fault.kind in _REPLACING and not _commits(fault):
        return _REPLACING[fault.kind](fault, call), call
    return None, call


def after(fault: Fault | None, call: Call, answer: Answer, wait: Callable[[float], object]) -> Answer:
    """Return what goes out in place of the answer to work that is done."""
    if fault is None:
        return answer
    if fault.kind == "hang":
        wait(fault.delay_s)
    if fault.kind == "no_location":
        return Answer(answer.status, _without_location(answer.headers), answer.body)
    if fault.kind == "other_location" and "Location" in answer.headers:
        other = answer.headers["Location"].rpartition("/")[0] + "/999999"
        return answer.plus({"Location": other})
    if fault.kind in _REPLACING and _commits(fault):
        return _REPLACING[fault.kind](fault, call)
    return answer


def _matches(wanted: str, call: Call) -> bool:
    """Say whether a request is one of those meant by `METHOD part-of-the-path`."""
    method, _, part = wanted.partition(" ")
    return method.upper() in ("*", call.method) and part.lower() in call.path.lower()


def _is_due(fault: Fault, count: int) -> bool:
    """Say whether it is the turn of a fault at its count-th match."""
    if fault.nth is not None:
        return count == fault.nth
    return fault.every is None or count % fault.every == 0


def _commits(fault: Fault) -> bool:
    """Say whether the request is carried out although its answer is replaced."""
    return fault.commit or fault.kind in _COMMITTING


def _without_location(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without the address."""
    return {name: text for name, text in headers.items() if name != "Location"}


def _business_failure(_fault: Fault, _call: Call) -> Answer:
    """Answer 500 with a message of the business, which the API does at times."""
    text = "Error creating document. Error: TaxCategoryID '0' cannot be found in the system."
    return message(500, f"VismaId: {uuid.uuid4()}. {text}")


def _redirect(_fault: Fault, call: Call) -> Answer:
    """Answer 307 to another name of the same machine, where a follower would be seen."""
    return Answer(307, {"Location": f"http://localhost:{urlsplit(call.origin).port}{call.path}"})


_REPLACING: dict[str, Callable[[Fault, Call], Answer]] = {
    "500_before": lambda _fault, _call: Answer(500),
    "500_after": lambda _fault, _call: Answer(500),
    "500_message": _business_failure,
    "502_html": lambda _fault, _call: Answer(502, {"Content-Type": "text/html"}, _HTML),
    "503": lambda fault, _call: Answer(503, {"Retry-After": str(fault.retry_after_s)}),
    "cut_before": lambda _fault, _call: Answer(CUT_STATUS),
    "cut_after": lambda _fault, _call: Answer(CUT_STATUS),
    "429": lambda fault, _call: too_many(fault.retry_after_s),
    "401": lambda _fault, _call: unauthorized(),
    "400_plain": lambda _fault, _call: Answer(400, {"Content-Type": "text/plain"}, b"Bad Request"),
    "307": _redirect,
}
