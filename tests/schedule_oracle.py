"""What must hold after each step of a schedule, judged by what the company holds and was asked, never by the program.

The one thing believed of the program is what it says in results.json, which is what is on trial.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schedule_book import Book, content_of, key_of
from schedule_workshop import Figures

from importer.sandbox import inspect

#: How long the company may work on a request after it came, less what the whole seconds of a Date header hide.
SETTLE_S = 598
_TURNED_AWAY = frozenset({"401", "429"})
_DONE_ANYWAY = frozenset({None, "hang", "late", "no_location", "other_location", "202", "500_after", "cut_after"})
_THERE = frozenset({"accepted", "already_accepted"})
_NOT_THERE = frozenset({"not_sent", "rejected", "invalid"})

Request = dict[str, Any]
Results = dict[str, Any]


class WrongError(AssertionError):
    """Tell that something that was promised does not hold."""


def _is_refused(request: Request) -> bool:
    """Tell whether the API said for certain that it did not do what was asked."""
    return request["fault"] in _TURNED_AWAY or request["status"] == 401 or request["fault"] == "500_message"


def _is_done(request: Request) -> bool:
    """Tell whether the company did what was asked, whatever it answered, or will do it."""
    return (request["fault"] in _DONE_ANYWAY or request["commit"]) and not (
        request["fault"] is None and request["status"] != 201
    )


@dataclass
class Oracle:
    """Judge one schedule."""

    book: Book
    state: Path
    figures: Figures
    #: the writes of each document, as the company saw them, that still count
    _writes: dict[str, list[Request]] = field(default_factory=dict)
    #: documents that the latest run called unknown
    unknown: list[str] = field(default_factory=list)
    #: documents that the latest run called changed
    changed: list[str] = field(default_factory=list)
    #: when each document was last known not to be in doubt, by the company's clock
    _sure_at: dict[str, float] = field(default_factory=dict)
    #: documents refused with a message of the business although they were made
    refused_though_made: set[str] = field(default_factory=set)
    #: when the first step began, and when the latest run had told what it knew
    _began: float = 0
    _told_at: float = 0

    def held(self) -> dict[str, dict[str, Any]]:
        """Return what the company holds by key: each at most once, and nothing that was never in the workbook."""
        documents = inspect.documents(self.state, self.book.kind.resource)
        times = Counter(map(key_of, documents))
        twice = [key for key, count in times.items() if count > 1]
        if twice:
            self.wrong("duplicate", f"in the company more than once: {twice}")
        strange = set(times) - set(self.book.rows)
        if strange:
            self.wrong("other", f"in the company, but never in the workbook: {strange}")
        return {key_of(document): document for document in documents}

    def requests(self, requests: Sequence[Request]) -> None:
        """Judge what the company was asked since the last time, in the order it came."""
        for request in sorted(requests, key=lambda one: one["started"]):
            self.figures.requests += 1
            if request["fault"]:
                self.figures.faults[request["fault"]] += 1
            if request["method"] == "POST" and request["key"]:
                self.figures.writes += 1
                self._write(request)

    def _write(self, request: Request) -> None:
        key, writes = request["key"], self._writes.setdefault(request["key"], [])
        for other in writes:
            # one that was answered late may have come earlier than those that are known already
            earlier, later = sorted((other, request), key=lambda one: one["started"])
            if _is_done(earlier):
                self.wrong("duplicate", f"{key} was sent again although it had come through: {earlier}, {later}")
            if not _is_refused(earlier) and later["at"] - earlier["at"] < SETTLE_S:
                self.wrong("other", f"{key} was sent again while it was in doubt: {earlier}, {later}")
        sure_at = self._sure_at.get(key, self._began)
        if key in self.unknown and self._told_at < request["at"] < sure_at + SETTLE_S:
            self.wrong("other", f"{key} was called unknown and sent without being settled: {request}")
        if request["fault"] == "500_message" and request["commit"]:
            self.refused_though_made.add(key)
        writes.append(request)

    def settled_by_person(self, key: str) -> None:
        """Take note that somebody looked and said so: what was in doubt is not any more."""
        self._writes[key] = [request for request in self._writes.get(key, []) if _is_done(request)]
        self.unknown = [other for other in self.unknown if other != key]

    def runs(self, times: tuple[float, float], ended: Sequence[tuple[int, Path]], *, alone: bool) -> None:
        """Judge what runs of one step say that came to their end; `alone` if nothing else ran beside one.

        `times`: when the step began and ended, by the company's clock.
        """
        began, self._told_at = times
        self._began = self._began or began
        held, told = self.held(), [self._results(code, folder, alone=alone) for code, folder in ended]
        for results in told:
            for document in results["documents"]:
                self._document(document, held, alone=alone)
        if not told:
            return
        status: dict[str, set[str]] = {}
        for results in told:
            for document in results["documents"]:
                status.setdefault(document["key"], set()).add(document["status"])
        self.unknown = [key for key, said in status.items() if said == {"unknown"}]
        self.changed = [key for key, said in status.items() if said == {"changed"}]
        self._sure_at |= {key: began for key in status if key not in self.unknown}

    def _results(self, code: int, folder: Path, *, alone: bool) -> Results:
        """Read results.json and prove the equation of its rows against the workbook as it was written."""
        data = self.read(folder)
        documents = data["documents"]
        if {one["key"]: one["rows"] for one in documents} != self.book.rows or len(documents) != len(self.book.rows):
            self.wrong("lost", f"the rows do not add up: {documents}, written were {self.book.rows}")
        if [one["key"] for one in documents] != list(self.book.rows):
            self.wrong("other", f"not in the order of the sheet: {[one['key'] for one in documents]}")
        counted = Counter(one["status"] for one in documents)
        self.figures.statuses.update(counted)
        if counted != {name: count["documents"] for name, count in data["counts"].items() if count["documents"]}:
            self.wrong("other", f"the counts do not add up: {counted}, {data['counts']}")
        # beside it another may have settled what it ended in doubt over or was refused, before its report was written
        settled = code in {4, 5} and not alone and "unknown" not in counted
        fits = (code == 5) == ("unknown" in counted) and (code == 0) == (set(counted) <= _THERE)
        if data["exit_code"] != code or not (fits or settled):
            self.wrong("other", f"exit code {code}, in results.json {data['exit_code']}, for {counted}")
        return data

    def read(self, folder: Path) -> Results:
        """Read a run's results.json."""
        from json import loads

        file = folder / "results.json"
        if not file.exists():
            self.wrong("lost", f"there is no {file}")
        return dict(loads(file.read_text(encoding="utf-8")))

    def _document(self, document: dict[str, Any], held: dict[str, dict[str, Any]], *, alone: bool) -> None:
        key, status, there = document["key"], document["status"], held.get(document["key"])
        if status in _THERE and there is None:
            self.wrong("false accepted", f"not in the company: {document}")
        if status in _THERE and there and document["number"] not in (None, there["number"]):
            self.wrong("false accepted", f"it has the number {there['number']}: {document}")
        made = key in self.refused_though_made
        if status in _NOT_THERE and there is not None and alone and not made:
            self.wrong("lost", f"it is in the company: {document}")
        if status == "changed" and not made:
            self.wrong("other", f"nobody changed anything: {document}")

    def end(self) -> None:
        """Prove that the company holds exactly what the workbook says."""
        held, wanted = self.held(), self.book.wanted()
        lost = [key for key in wanted if key not in held]
        if lost:
            self.wrong("lost", f"not in the company at the end: {lost}")
        for key, document in held.items():
            if content_of(document) != wanted[key]:
                self.wrong("other", f"{key} is another than in the workbook: {content_of(document)}, {wanted[key]}")

    def wrong(self, kind: str, text: str) -> None:
        """Count what is wrong and tell it."""
        if not self.figures.wrong:
            # what follows only tries to show the same again
            self.figures.wrong[kind] += 1
        raise WrongError(f"{kind}: {text}")
