"""Print problems and warnings: the causes with their counts and first cells, then each, as many as can be read."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape

from importer.cli import screen
from importer.cli.stream import printable
from importer.grouping import Cause, letters, named, ranges
from importer.model import Problem
from importer.plan import Plan

#: As many entries as somebody reads on a screen; the report and --json hold all.
_MAX_SHOWN: Final = 50
_MAX_WARNINGS: Final = 10
_MAX_CAUSES: Final = 30
_MAX_PLACES: Final = 6
#: With fewer entries than this their causes are plain from the entries themselves.
_WORTH_AN_OVERVIEW: Final = 4
_TITLE_WIDTH: Final = 46
_WHOLE_LIST: Final = "visma-import check with --report DIR writes the sheet with all of them marked; --json lists them."


def findings(out: Console, plan: Plan, *, quiet: bool) -> None:
    """Print the warnings and the problems of a plan."""
    if not quiet:
        warnings(out, plan)
    problems(out, plan)


def warnings(out: Console, plan: Plan) -> None:
    """Print the warnings of a plan: what nobody has to correct."""
    if plan.warnings:
        who = "it holds" if len(plan.warnings) == 1 else "they hold"
        out.print(f"[bold cyan]{screen.counted(len(plan.warnings), 'warning')}[/] ({who} nothing back):")
        _each(out, plan.warnings, plan.sheet.headers, _MAX_WARNINGS)
        out.print()


def problems(out: Console, plan: Plan) -> None:
    """Print the problems of a plan: their causes, then each."""
    if not plan.problems:
        return
    found = plan.causes
    # those of a column that are told as one count as the one that they are told as
    count = screen.counted(len(plan.problems), "problem")
    if len(plan.problems) >= _WORTH_AN_OVERVIEW:
        kinds = "of one kind" if len(found) == 1 else f"of {len(found)} kinds; how many cells or rows each concerns"
        out.print(f"[bold red]{count}[/] {kinds}:")
        _overview(out, found)
        out.print("\n[bold]Each of them:[/]")
    else:
        out.print(f"[bold red]{count}:[/]")
    _each(out, plan.problems, plan.sheet.headers, _MAX_SHOWN)
    out.print()


def _overview(out: Console, found: Sequence[Cause]) -> None:
    for cause in found[:_MAX_CAUSES]:
        title = named(cause.code, cause.column)
        if len(title) > _TITLE_WIDTH:
            title = title[: _TITLE_WIDTH - 3] + "..."
        text = f"{cause.count:8,}  {title:{_TITLE_WIDTH}}  {cause.first_places(3)}"
        out.print(escape(printable(text.rstrip())))
    if len(found) > _MAX_CAUSES:
        rest = sum(cause.count for cause in found[_MAX_CAUSES:])
        out.print(f"{rest:8,}  of {len(found) - _MAX_CAUSES} more kinds")


def _each(out: Console, found: Sequence[Problem], headers: Sequence[str | None], most: int) -> None:
    """Print problems with place, column, value and what to do; those that read the same together."""
    alike: dict[tuple[str | None, str], list[Problem]] = {}
    for problem in found:
        alike.setdefault((problem.column, problem.message), []).append(problem)
    columns = letters(headers)
    for (column, message), group in list(alike.items())[:most]:
        head = _head(column, message, group, columns)
        if head:
            out.print(f"  [yellow]{escape(printable(head))}[/]")
        screen.told(out, message, 4)
    if len(alike) > most:
        shown = sum(len(group) for group in list(alike.values())[:most])
        screen.told(out, f"... and {len(found) - shown:,} more. {_WHOLE_LIST}", 2)


def _head(column: str | None, message: str, group: Sequence[Problem], columns: dict[str, str]) -> str:
    """Write where problems are, as Excel would: `Invoices!C7, C9:C12`."""
    places = ranges((problem.row for problem in group), columns.get(column or ""))
    more = f" and {len(places) - _MAX_PLACES:,} more places" if len(places) > _MAX_PLACES else ""
    mark = "!" if column in columns else " "
    where = f"{group[0].sheet or ''}{mark if places else ''}{', '.join(places[:_MAX_PLACES])}{more}".strip()
    values = list(dict.fromkeys(problem.value for problem in group if problem.value is not None))
    told = "" if not values or repr(values[0]) in message else ", ".join(repr(v[:80]) for v in values[:_MAX_PLACES])
    return "  ".join(filter(None, [where, column or "", told]))
