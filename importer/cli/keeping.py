"""Declare the commands about the journal itself: what was run, carry it elsewhere, is it sound."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from importer.cli.options import FILE, JOURNAL, with_options
from importer.cli.stream import printable, say
from importer.errors import JournalError, StartError, reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from importer.journal import Journal
    from importer.journal.words import Word
    from importer.model import Outcome, RunRecord, Status

#: Those of model.Status, which takes longer to import than all that --help needs; a test holds the two together.
_STATUSES: Final = (
    *("accepted", "already_accepted", "changed", "invalid", "filtered", "rejected", "not_sent", "unknown"),
)


@contextmanager
def _opened(where: str | None, *, create: bool = False) -> "Iterator[Journal]":
    from pathlib import Path

    from importer.journal import open_journal
    from importer.project import project_here

    project = project_here(Path.cwd())
    if create and where is None:
        project.make_private()
    found = open_journal(where or project.journal, create=create)
    try:
        yield found
    finally:
        found.close()


def _is_wanted(record: "RunRecord", counts: "dict[Status, int]", given: dict[str, Any]) -> bool:
    """Tell whether a run is of the mapping, the target, the days and the status that were given, if any."""
    since = given["since"]
    return (
        given["mapping"] in {None, record.mapping_name, record.mapping_file}
        and given["target"] in {None, record.target}
        and (since is None or record.started_at >= since.date().isoformat())
        and (given["status"] is None or given["status"] in counts)
    )


@click.command()
@with_options(
    click.option("--mapping", metavar="NAME", help="Only runs of this mapping, by its name or its file's."),
    click.option("--target", metavar="NAME", help="Only runs to this target."),
    click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Only runs since that day (UTC)."),
    click.option(
        "--status",
        type=click.Choice(_STATUSES),
        metavar="STATUS",
        help=f"Only runs with such a document: {', '.join(_STATUSES)}.",
    ),
    click.option("--key", metavar="KEY", help="Only runs that had this document, with what became of it."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the latest N."),
    JOURNAL,
)
def history(where: str | None, key: str | None, *, as_json: bool, quiet: bool, **given: Any) -> int:  # noqa: ARG001 - nothing to be quiet of
    """List the runs of this project, the latest first."""
    from importer.cli import screen
    from importer.cli.inputs import print_json
    from importer.doubts import BY_LOOKING
    from importer.journal.words import words_on

    with _opened(where) as found:
        of_key = {} if key is None else found.outcomes_of(key)
        words = [] if key is None else [word for word in words_on(found, key) if word.by != BY_LOOKING]
        runs = [
            (record, counts)
            for record, counts in found.runs()
            if _is_wanted(record, counts, given) and (key is None or record.run_id in of_key)
        ][: given["limit"]]
    if as_json:
        print_json([_row(record, counts, of_key.get(record.run_id), words) for record, counts in runs])
    else:
        out = screen.console()
        for record, counts in runs:
            screen.history(out, [(record, counts)])
            if key is not None:
                _tell_outcome(out, of_key[record.run_id], _of_run(words, record))
        if not runs:
            out.print("No run is like that.")
    return 0


def _row(
    record: "RunRecord", counts: "dict[Status, int]", outcome: "Outcome | None", words: "Sequence[Word]"
) -> dict[str, Any]:
    from importer.cli import screen

    row = screen.history_row(record, counts)
    if outcome is None:
        return row
    told = {"key": outcome.key, "status": outcome.status.value, "number": outcome.number, "message": outcome.message}
    decided = [{"said": _said(word), "by": word.by, "at": word.at} for word in _of_run(words, record)]
    return {**row, "document": {**told, "decisions": decided}}


def _of_run(words: "Sequence[Word]", record: "RunRecord") -> "list[Word]":
    return [word for word in words if word.run_id == record.run_id]


def _said(word: "Word") -> str:
    return "accepted" if word.state == "accepted" else "not there"


def _tell_outcome(out: Any, outcome: "Outcome", words: "Sequence[Word]") -> None:
    number = f" as {outcome.number}" if outcome.number else ""
    out.print(f"          {outcome.key}: {outcome.status}{number}. {outcome.message}".rstrip(), markup=False)
    for word in words:
        at = word.at[:16].replace("T", " ")
        out.print(f"          Noted as {_said(word)} on {at} UTC, by {word.by}.", markup=False)


@click.group()
def journal() -> None:
    """Look whether the journal is sound; carry it elsewhere."""


@journal.command()
@with_options(JOURNAL)
def check(where: str | None, *, as_json: bool, quiet: bool) -> int:
    """Look whether the journal is sound."""
    from importer.cli.inputs import print_json
    from importer.journal.copying import examine

    with _opened(where) as found:
        wrong, counts = examine(found)
    code = StartError.exit_code if wrong else 0
    if as_json:
        print_json({"format_version": 1, "exit_code": code, "wrong": wrong, "counts": counts})
    else:
        for text in wrong:
            say(printable(text), error=True)
        if wrong:
            say("The journal is not sound. Restore it from a copy, or name another one with --journal.", error=True)
        elif not quiet:
            told = _counted(counts)
            say(f"The journal is sound: {told}.")
    return code


def _counted(counts: dict[str, int]) -> str:
    from importer.cli import screen

    words = {"applied": "applied plan"}
    return ", ".join(screen.counted(count, words.get(table, table)) for table, count in counts.items())


@journal.command("export")
@with_options(click.argument("file", type=FILE), JOURNAL)
def export_(file: "Path", where: str | None, *, as_json: bool, quiet: bool) -> int:
    """Write the whole journal as JSON lines.

    For a machine without a disk of its own.
    """
    from importer.atomic_file import replacing
    from importer.cli import screen
    from importer.cli.inputs import print_json
    from importer.cli.outputs import refuse_losing
    from importer.journal.copying import dump

    refuse_losing(file)
    with _opened(where) as found:
        lines = dump(found)
    with replacing(file, private=True) as partial, partial.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)
        out.flush()
        os.fsync(out.fileno())
    rows = len(lines) - 2
    if as_json:
        print_json({"format_version": 1, "exit_code": 0, "file": str(file), "rows": rows})
    elif not quiet:
        say(f"{screen.counted(rows, 'row')} of the journal: {file}")
    return 0


@journal.command("import")
@with_options(click.argument("file", type=FILE), JOURNAL)
def import_(file: "Path", where: str | None, *, as_json: bool, quiet: bool) -> int:
    """Take an exported journal into this one.

    What is here already stays, and nothing is there twice.
    """
    from importer.cli.inputs import print_json
    from importer.journal.copying import merge

    try:
        with file.open(encoding="utf-8") as opened:
            # not `splitlines`: a value may hold what it takes for the end of a line
            lines = list(opened)
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it is no text"
        raise JournalError(f"{str(file)!r} cannot be read: {reason}. Name what 'journal export' wrote.") from None
    with _opened(where, create=True) as found:
        merged = merge(found, lines, file.name)
    if as_json:
        print_json({"format_version": 1, "exit_code": 0, "added": merged.added, "updated": merged.updated})
    elif not quiet:
        added = _counted(merged.added)
        say(f"New: {added}. Brought up to date: {merged.updated}.")
    return 0
