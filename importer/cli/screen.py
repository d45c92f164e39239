"""Write what people read in the terminal: problems, summaries, progress. Decides nothing."""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from importer.causes import Group, headline
from importer.cli.stream import printable, say
from importer.endpoints import Endpoint
from importer.findings import inserted_lines, row_list
from importer.model import Document, Outcome, RunRecord, Status, Total
from importer.report.counts import count as count_by_status
from importer.report.words import MEANINGS, WAITING
from importer.values import shown

_MAX_SHOWN: Final = 200
#: As many reasons are shown for which documents wait, and as many documents named of each.
_MAX_REASONS: Final = 20
_MAX_NAMED: Final = 5
#: Texts are never wrapped narrower than this.
_NARROW: Final = 30
_COLOURS: Final = {
    Status.ACCEPTED: "green",
    Status.ALREADY_ACCEPTED: "cyan",
    Status.UNKNOWN: "bold red",
    Status.REJECTED: "red",
    Status.INVALID: "red",
    Status.CHANGED: "yellow",
    Status.NOT_SENT: "yellow",
}


class _Console(Console):
    """Print texts without characters that could move the cursor or colour the terminal by themselves."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, each text made harmless first and, where it has no markup, wrapped as `told` does."""
        options.setdefault("soft_wrap", True)
        made = [printable(item) if isinstance(item, str) else item for item in objects]
        if options.get("markup") is False:
            made = [_wrapped(self, item) if isinstance(item, str) else item for item in made]
        super().print(*made, **options)


def console(*, error: bool = False) -> Console:
    """Return a console for people: colours and bars only on a terminal, whatever FORCE_COLOR says.

    What a job prints is searched by programs. With NO_COLOR a terminal gets no bold letters either.
    """
    terminal = (sys.stderr if error else sys.stdout).isatty()
    plain = not terminal or bool(os.environ.get("NO_COLOR"))
    return _Console(
        stderr=error,
        highlight=False,
        # `:x:` in a cell is no picture
        emoji=False,
        force_terminal=terminal,
        color_system=None if plain else "auto",
    )


def _is_lively(screen: Console) -> bool:
    """Tell whether a bar can be drawn again and again; in a job's log each of its pictures would be a line."""
    in_a_job = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return screen.is_terminal and not screen.is_dumb_terminal and not in_a_job


def told(out: Console, text: str, indent: int, hang: int = 0) -> None:
    """Print a text indented; on a terminal wrapped between words, elsewhere on one line, so that it can be searched.

    `hang` is how much further the lines after the first are indented.
    """
    for line in text.splitlines():
        out.print(_wrapped(out, " " * indent + line, hang), markup=False)


def _wrapped(out: Console, text: str, hang: int = 0) -> str:
    """Return a text with its lines broken between words where a terminal ends, each at its own indent."""
    if not out.is_terminal:
        return text
    lines: list[str] = []
    for line in text.splitlines():
        start = line[: len(line) - len(line.lstrip())]
        width, further = max(out.width - 1, len(start) + _NARROW), start + " " * hang
        lines += wrap(line, width, break_long_words=False, break_on_hyphens=False, subsequent_indent=further) or [""]
    return "\n".join(lines)


def counted(number: int, word: str) -> str:
    """Write a count with its word: `1 problem`, `2 problems`."""
    return f"{number} {word}" if number == 1 else f"{number:,} {word}s"


def decimals_of(numbers: Iterable[Decimal | None]) -> int:
    """Return how many decimals amounts are written with, so that they line up: none, or at least two."""
    exponents = [number.normalize().as_tuple().exponent for number in numbers if number]
    most = max((-exponent for exponent in exponents if isinstance(exponent, int)), default=0)
    return max(most, 2) if most > 0 else 0


def totals(out: Console, found: Sequence[Total]) -> None:
    """Print control totals."""
    for total in found:
        text = "cannot be added up" if total.sum is None else shown(total.sum)
        if total.expect is not None:
            text += f" (expected {shown(total.expect)}: {'agrees' if total.agrees else 'DIFFERS'})"
        out.print(f"Total {escape(total.name)}: {text}")


def inserted(out: Console, endpoint: Endpoint, documents: Sequence[Document]) -> None:
    """Print how many lines an update would insert, where it could."""
    if endpoint.lines_by_number:
        count = sum(inserted_lines(document) for document in documents if document.status is None)
        out.print(f"Lines that would be inserted: {count}.")


def duration(seconds: float) -> str:
    """Write a duration as people say it: `3 s`, `4 min`, `2 h 5 min`."""
    whole = max(round(seconds), 1)
    if whole < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{whole} s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def summary(out: Console, record: RunRecord, outcomes: Sequence[Outcome]) -> None:
    """Print the counts of a run, its totals and how it ended."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("status")
    table.add_column("documents", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("", overflow="fold")
    counts = count_by_status(outcomes)
    for status, found in counts.items():
        if found.documents:
            colour = _COLOURS.get(status, "default")
            table.add_row(f"[{colour}]{status}[/]", f"{found.documents:,}", f"{found.rows:,}", MEANINGS[status])
    out.print(table, soft_wrap=False)
    reported = sum(found.rows for found in counts.values())
    out.print(f"Rows read: {record.rows_read:,}, rows reported: {reported:,}")
    totals(out, record.totals)
    if record.stopped:
        out.print(f"[bold]Stopped early:[/] {escape(printable(record.stopped))}")


def troubles(out: Console, outcomes: Sequence[Outcome], rejections: Sequence[Group], noun: str) -> None:
    """Print what a person has to look at: rejections by cause with their first document, the others one by one."""
    for group in rejections:
        out.print(f"[{_COLOURS[Status.REJECTED]}]{escape(printable(headline(group, noun)))}[/]")
        _trouble(out, group.outcomes[0])
    _held(out, outcomes)
    worth = {Status.UNKNOWN, Status.CHANGED}
    found = [outcome for outcome in outcomes if outcome.status in worth]
    for outcome in found[:_MAX_SHOWN]:
        _trouble(out, outcome)
    if len(found) > _MAX_SHOWN:
        out.print(f"  ... and {len(found) - _MAX_SHOWN} more; the report lists them all.")


def _held(out: Console, outcomes: Sequence[Outcome]) -> None:
    """Print what was not sent for a reason of its own, such as a document that it refers to, by that reason."""
    reasons: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status is Status.NOT_SENT and outcome.message != WAITING:
            reasons.setdefault(outcome.message, []).append(outcome)
    for message, group in list(reasons.items())[:_MAX_REASONS]:
        names = ", ".join(printable(str(outcome.key)) for outcome in group[:_MAX_NAMED])
        more = f" and {len(group) - _MAX_NAMED:,} more" if len(group) > _MAX_NAMED else ""
        rows = row_list([row for outcome in group for row in outcome.rows])
        out.print(f"[{_COLOURS[Status.NOT_SENT]}]{Status.NOT_SENT}[/] {escape(names)}{more} ({rows})")
        told(out, message, 4)
    if len(reasons) > _MAX_REASONS:
        out.print(f"  ... for {len(reasons) - _MAX_REASONS:,} more reasons; the report lists them all.")


def _trouble(out: Console, outcome: Outcome) -> None:
    name = escape(printable(str(outcome.key)))
    out.print(f"[{_COLOURS[outcome.status]}]{outcome.status}[/] {name} ({row_list(outcome.rows)})")
    told(out, outcome.message, 4)


@dataclass
class RunProgress:
    """Show a bar on a terminal, a line now and then elsewhere, nothing when quiet."""

    total: int = 0
    quiet: bool = False
    done: int = 0
    _bar: Progress | None = None
    _task: Any = None
    _counts: dict[Status, int] = field(default_factory=dict)
    _said: int = 0
    _wait_said: bool = False

    def __enter__(self) -> "RunProgress":
        screen = console(error=True)
        if _is_lively(screen) and not self.quiet:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=screen, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("sending", total=self.total)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, total: int) -> None:
        """Begin anew, with so many documents to send."""
        self.total, self.done, self._said = total, 0, 0
        self._counts.clear()

    def settled(self, outcome: Outcome) -> None:
        """Note that a document has its outcome."""
        self.done += 1
        self._counts[outcome.status] = self._counts.get(outcome.status, 0) + 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
        elif not self.quiet and (self.done == self.total or self.done - self._said >= max(self.total // 10, 1)):
            self._said = self.done
            counts = ", ".join(f"{count} {status}" for status, count in self._counts.items())
            self._line(f"{self.done} of {self.total} documents: {counts}")

    def waiting(self, seconds: float, *, by_limit: bool = True) -> None:
        """Count down while the run waits, for the API's request limit or to ask again; 0 ends the wait."""
        left = duration(seconds)
        if self._bar is not None:
            told = f"request limit: {left} left" if by_limit else f"asking again in {left}"
            self._bar.update(self._task, description=f"{told} (Ctrl-C is safe)" if seconds >= 1 else "sending")
        elif not self.quiet and seconds >= 1 and not self._wait_said:
            told = (
                f"The API's request limit is reached: waiting {left}."
                if by_limit
                else f"The API has not answered yet what is asked for: asking again in {left}."
            )
            self._line(f"{told} Ctrl-C stops safely.")
        self._wait_said = seconds >= 1

    @staticmethod
    def _line(text: str) -> None:
        say(text, error=True)


@dataclass
class ReadProgress(RunProgress):
    """Show how many rows were read: a bar on a terminal, a line now and then elsewhere."""

    title: str = "rows"

    def page(self, read: int, total: int | None) -> None:
        """Note that another page was read."""
        self.done, self.total = read, total or read
        if self._bar is not None:
            self._bar.update(self._task, description="reading", completed=read, total=self.total)
        elif not self.quiet and read < self.total and (not self._said or read - self._said >= self.total // 10):
            self._said = read
            self._line(f"{read} of {self.total} {self.title}")


def short(folder: Path) -> str:
    """Return a folder as people would name it from where they are."""
    with suppress(ValueError):
        return str(folder.resolve().relative_to(Path.cwd()))
    return str(folder)


def history(out: Console, runs: Sequence[tuple[RunRecord, dict[Status, int]]]) -> None:
    """Print the runs, a few lines each, so that they fit into 80 columns."""
    for record, counts in runs:
        code = "did not end" if record.exit_code is None else f"exit {record.exit_code}"
        started = record.started_at[:16].replace("T", " ")
        found = ", ".join(f"{count} {status}" for status, count in counts.items())
        out.print(f"[bold]{record.run_id}[/]  {started} UTC  {code}  {escape(record.mapping_name)} to {record.target}")
        out.print(f"          {escape(printable(record.workbook_name))}: {found}")
        if record.sequence_id is not None:
            told(out, f"step {record.step} of {record.steps} of {record.sequence_name} ({record.sequence_id})", 10)
        if record.plan_id is not None:
            told(out, f"sent the plan {record.plan_id}", 10)


def history_row(record: RunRecord, counts: dict[Status, int]) -> dict[str, Any]:
    """Return one run as `history --json` prints it."""
    return {
        "format_version": 1,
        "run_id": record.run_id,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "exit_code": record.exit_code,
        "mapping": record.mapping_name,
        "endpoint": record.endpoint,
        "workbook": {"name": record.workbook_name, "sha256": record.workbook_sha256},
        "target": record.target,
        "counts": {status.value: count for status, count in counts.items()},
        "plan_id": record.plan_id,
        "sequence": _sequence_row(record),
    }


def _sequence_row(record: RunRecord) -> dict[str, Any] | None:
    if record.sequence_id is None:
        return None
    of = {"sequence_id": record.sequence_id, "migration": record.sequence_name, "steps": record.steps}
    return {**of, "step": record.step, "name": record.step_name}
