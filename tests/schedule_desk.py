"""A finance department at work: a project, the company it imports into, and everything that may happen to both."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from end_to_end import TARGET, aim
from schedule_book import KINDS, Book
from schedule_oracle import Oracle
from schedule_workshop import Workshop

from importer.sandbox import inspect

#: How long the program waits for an answer while faults are shown.
TIMEOUT_S = 0.25
#: Longer than Visma may still be working on what was sent.
LONG_S = 700
_MOST_RUNS = 6
_LONGEST_S = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Say when and how a process is struck down."""

    #: the write whose coming starts the wait; 0: the start of the process does
    at_write: int
    after_ms: int
    #: which of two processes
    which: int = 0
    number: int = signal.SIGKILL


@dataclass
class _Started:
    """Hold a process of the program that was started."""

    child: int
    command: str
    report: Path
    out: Path
    code: int | None = None

    @property
    def said(self) -> str:
        """Return what it printed."""
        return self.out.read_text(encoding="utf-8", errors="replace") if self.out.exists() else ""


class Desk:
    """Do one step after the other, each judged by the oracle."""

    def __init__(self, workshop: Workshop, kind: str, journal: str, settings: dict[str, Any]) -> None:
        self.workshop, self.figures = workshop, workshop.figures
        self.kind, self.settings = KINDS[kind], settings
        folder = workshop.folder()
        self.project, self.state = folder / "project", folder / "company"
        self.project.mkdir()
        self.book = Book(self.project, self.kind)
        self.oracle = Oracle(self.book, self.state, self.figures)
        self._journal_kind, self._journal = journal, workshop.journal(journal, self.project)
        self._base_url = workshop.company.ask(
            "open", folder=str(self.state), settings={"numbering": self.kind.numbering, **settings}
        )
        (self.project / "mapping.yaml").write_text(self.kind.mapping, encoding="utf-8")
        self._aim(TIMEOUT_S)
        self._log, self._count = 0, 0
        self.figures.journals[journal] += 1
        self.figures.kinds[kind] += 1

    def _aim(self, timeout_s: float) -> None:
        """Declare the company as the target; the journal is named on the command line."""
        aim(self.project, self._base_url)
        manual = "  numbering: manual\n" if self.kind.numbering == "manual" else ""
        with (self.project / "targets.yaml").open("a", encoding="utf-8") as file:
            file.write(f"  timeout: {timeout_s}\n{manual}")

    @property
    def can_be_refused_though_made(self) -> bool:
        """Tell whether a document that was refused, but made, can be seen at once before it is sent again."""
        return self.kind.searchable and not self.settings.get("lists_lag_s")

    def run(
        self, commands: Sequence[tuple[str, int]], faults: list[dict[str, Any]], blow: Blow | None = None
    ) -> list[int]:
        """Start commands (`run` or `resolve`, each with a number of workers) at once; return their exit codes."""
        self.workshop.company.ask("faults", faults=faults)
        began, writes = self.workshop.company.ask("now"), inspect.writes(self.state)
        started = [self._start(command, workers) for command, workers in commands]
        self._watch(started, blow, writes)
        alone = len(started) == 1
        self._judge_requests()
        for one in started:
            self._judge_end(one, sent=inspect.writes(self.state) - writes, alone=alone)
        reported = [(one.code or 0, one.report) for one in started if one.command == "run" and one.code in {0, 4, 5, 6}]
        self.oracle.runs((began, self.workshop.company.ask("now")), reported, alone=alone)
        return [one.code or 0 for one in started]

    def _start(self, command: str, workers: int) -> _Started:
        self._count += 1
        report, out = self.project / "reports" / str(self._count), self.project / f"out-{self._count}.txt"
        if command == "run":
            given = ["run", "mapping.yaml", self.book.name, "--workers", str(workers), "--report", str(report)]
        else:
            given = ["resolve"]
        return self._program([*given, "--quiet", "--debug"], command, report, out)

    def _program(self, arguments: list[str], command: str, report: Path, out: Path) -> _Started:
        yes = TARGET if command != "resolve" else TARGET[:2]
        arguments = [*arguments, *yes, "--journal", self._journal]
        child = self.workshop.nursery.ask("start", arguments=arguments, cwd=str(self.project), out=str(out))
        self.figures.runs += 1
        return _Started(child, command, report, out)

    def _watch(self, started: Sequence[_Started], blow: Blow | None, writes: int) -> None:
        """Wait until all have ended, striking one down at its moment."""
        ends_at = time.monotonic() + _LONGEST_S
        struck_at = None if blow is None or blow.at_write else time.monotonic() + blow.after_ms / 1000
        while alive := [one for one in started if one.code is None]:
            for one in alive:
                one.code = self.workshop.nursery.ask("poll", child=one.child)
            now = time.monotonic()
            if blow and struck_at is None and inspect.writes(self.state) >= writes + blow.at_write:
                struck_at = now + blow.after_ms / 1000
            if blow and struck_at is not None and now >= struck_at:
                victim = started[blow.which % len(started)]
                if victim.code is None:
                    os.kill(victim.child, blow.number)
                    self.figures.kills += blow.number == signal.SIGKILL
                blow = None
            if now > ends_at:
                for one in alive:
                    os.kill(one.child, signal.SIGKILL)
                self.oracle.wrong("other", f"it does not end: {[one.said for one in alive]}")
            time.sleep(0.003)

    def _judge_requests(self) -> None:
        requests = self.workshop.company.ask("log", after=self._log)
        self._log += len(requests)
        self.oracle.requests(requests)

    def _judge_end(self, one: _Started, *, sent: int, alone: bool) -> None:
        """Judge an exit code: no bug, no misuse, and 3 only where nothing was sent."""
        struck = (one.code or 0) < 0
        if not struck and one.code not in ({0, 3, 4, 5, 6} if one.command == "run" else {0, 3, 5}):
            self.oracle.wrong("other", f"{one.command} ended with exit code {one.code}: {one.said}")
        if one.code == 3 and alone and sent:
            self.oracle.wrong("lost", f"exit code 3 although something was sent: {one.said}")
        # --debug shows one with a refusal; a blow may fall between the two
        if "Traceback" in one.said and one.code not in {3, 5, 6} and not struck:
            self.oracle.wrong("other", f"{one.command} showed a traceback: {one.said}")

    def pass_time(self, seconds: float) -> None:
        """Let time pass, once nothing is being worked on any more."""
        self.workshop.company.ask("pass_time", seconds=seconds)
        self._judge_requests()

    def decide(self, key: str) -> None:
        """Let a person look into Visma, once it works on nothing any more, and say what is there."""
        self.workshop.company.ask("come_to_rest")
        self._judge_requests()
        there = self.oracle.held().get(key)
        word = ["--accepted", there["number"]] if there else ["--not-there"]
        out = self.project / f"out-{key}.txt"
        one = self._program(["resolve", "--key", key, *word], "decide", out, out)
        self._watch([one], None, 0)
        self._judge_requests()
        if one.code == 0:
            self.oracle.settled_by_person(key)
        # 2: meanwhile it is neither in doubt nor accepted
        elif one.code != 2:
            self.oracle.wrong("other", f"a person's word was refused with exit code {one.code}: {one.said}")

    def finish(self) -> None:
        """Let faults stop and time pass, and run until all is there: then the company holds exactly the workbook."""
        self.pass_time(LONG_S)
        self._aim(30)
        # next month's document: a look-up that finds nothing is believed only where it finds one that is known
        self.book.add([(0, "one")])
        self.book.save()
        for _ in range(_MOST_RUNS):
            (code,) = self.run([("run", 2)], [])
            if code == 0:
                break
            may_be_asked = self.oracle.refused_though_made if self.kind.searchable else self.book.rows
            for key in [*self.oracle.unknown, *self.oracle.changed]:
                if key in may_be_asked:
                    self.decide(key)
            self.pass_time(LONG_S)
        else:
            said = self.oracle.read(self.project / "reports" / str(self._count))["documents"]
            self.oracle.wrong("lost", f"{_MOST_RUNS} runs without a fault do not end with 0: {said}")
        self.oracle.end()
        for _, by in self.workshop.doubts(self._journal_kind, self._journal):
            self.figures.unknown += 1
            self.figures.by_looking += by == "look-up"
            self.figures.by_person += by not in (None, "look-up")
