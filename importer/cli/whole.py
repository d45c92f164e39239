"""The report over all steps of a migration: written when they have ended, rebuilt from the journal, shown."""

from collections.abc import Sequence
from pathlib import Path

from importer.cli import screen
from importer.cli.inputs import Options, print_json
from importer.cli.reporting import rebuild_report, report_folder
from importer.cli.stream import printable
from importer.errors import reason_of
from importer.journal import Journal
from importer.project import Project
from importer.report.counts import count
from importer.report.sequence import Part, Whole, whole_results, write_whole
from importer.report.words import NOTICE, told_of


def rebuild_whole(
    journal: Journal, sequence_id: str, project: Project, folder: Path | None
) -> tuple[Whole, Path | None, list[str]]:
    """Write the report of a sequence of runs, and that of each of its steps, from what the journal holds.

    Return where it is, if it could be written, and notes.

    Raises: JournalError.
    """
    parts = [Part(record, tuple(journal.outcomes(record.run_id))) for record in journal.sequence(sequence_id)]
    whole = Whole(tuple(parts))
    folder = folder or report_folder(project, whole.name, whole.first.started_at, sequence_id)
    notes: list[str] = []
    for part in parts:
        notes += rebuild_report(journal, part.record.run_id, project, folder / part.folder)[1]
    written, more = write(folder, whole)
    return whole, written, [*notes, *more]


def write(folder: Path, whole: Whole) -> tuple[Path | None, list[str]]:
    """Write the report over all steps that were begun; return where it is, if it could be written, and notes."""
    try:
        write_whole(folder, whole)
    except OSError as error:
        advice = f"see that you may write into {str(folder)!r} and that there is room, then say visma-import report"
        told = f"The report over all steps could not be written ({reason_of(error)}): {advice} {whole.first.run_id}"
        return None, [told]
    return folder, []


def show_whole(whole: Whole, folder: Path | None, notes: Sequence[str], options: Options) -> None:
    """Print how a sequence ended: for programs on stdout, and for people."""
    if options.json:
        data = whole_results(whole)
        data["steps"] = [{name: of for name, of in step.items() if name != "documents"} for step in data["steps"]]
        print_json(data)
    out = screen.console(error=options.json)
    out.rule(f"{printable(whole.name)}: {len(whole.parts)} of {whole.steps} steps", align="left")
    for part in whole.parts:
        counts = {status: of.documents for status, of in count(part.outcomes).items() if of.documents}
        listed = ", ".join(f"{number:,} {status.value.replace('_', ' ')}" for status, number in counts.items())
        screen.told(out, f"{part.record.step}. {part.record.step_name}: {listed} (run {part.record.run_id})", 0)
    for note in notes:
        screen.told(out, note, 0)
    if folder is not None:
        screen.told(out, f"Report: {screen.short(folder)}", 0)
    code = "" if whole.exit_code is None else f", exit code {whole.exit_code}"
    out.print(f"{whole.name}{code}: {told_of(whole.first, whole.exit_code, whole.counts())}", markup=False)
    if whole.first.simulated:
        out.print(NOTICE)
