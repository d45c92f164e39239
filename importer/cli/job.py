"""Tell the service that runs this job how it went: annotations, and a summary in Markdown.

Whatever keeps them from being written changes nothing in how a command ends.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from importer.cli.stream import runner, say, tell_runner

if TYPE_CHECKING:
    from pathlib import Path

    from importer.cli.annotations import Annotation
    from importer.cli.inputs import Input
    from importer.errors import ImportFailed
    from importer.forecast import Forecast
    from importer.model import Outcome, RunRecord

#: What `--annotations` takes.
SERVICES: Final = ("github", "azure", "none")
_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
#: GitHub takes a megabyte of a step, and nothing at all of a step that writes more.
_MAX_SUMMARY: Final = 1_000_000
_MAX_TITLE: Final = 150
_MAX_LISTED: Final = 50
#: What would end an annotation, or one of its properties.
#: Source: the toolkit of GitHub Actions (command.ts); the agent of Azure Pipelines (CommandStringConvertor.cs).
_GITHUB: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_GITHUB_NAMED: Final = {**_GITHUB, ":": "%3A", ",": "%2C"}
_AZURE: Final = {"%": "%AZP25", "\r": "%0D", "\n": "%0A"}
_AZURE_NAMED: Final = {**_AZURE, ";": "%3B", "]": "%5D"}


def _is_heard(service: str | None) -> bool:
    """Tell whether anybody wants to be told."""
    return (service or runner()) != "none" or bool(os.environ.get(_SUMMARY))


def failed(error: "ImportFailed", service: str | None) -> None:
    """Tell of a command that could not do anything."""
    if not _is_heard(service):
        return
    from importer.cli.annotations import of_failure
    from importer.report import markdown

    found = of_failure(error)
    _annotate(found, service, "the job's log lists all")
    _summarize(
        "\n".join(
            [f"## visma-import ended with exit code {error.exit_code}", ""]
            + [f"- {markdown.text(_placed(one))}" for one in found[:_MAX_LISTED]]
            + [""]
        )
    )


def checked(given: "Input", service: str | None, folder: "Path | None" = None, *, held: bool = False) -> None:
    """Tell of a check, or (`held`) of a run that did not start for what a check finds."""
    if not _is_heard(service):
        return
    from importer.cli.annotations import of_plan
    from importer.cli.reporting import checked as as_record
    from importer.report.contents import contents
    from importer.report.summary_file import summary

    _annotate(of_plan(given.mapping, given.plan), service, "visma-import check with --report DIR writes all of them")
    note = "**The run did not start: nothing was sent.**\n\n" if held else ""
    record, outcomes = as_record(given)
    _summarize(note + summary(contents(record, outcomes)))
    _upload(folder, service)


def planned(given: "Input", forecast: "Forecast", service: str | None) -> None:
    """Tell of a plan."""
    if not _is_heard(service):
        return
    from importer.cli.annotations import of_outcomes, of_plan
    from importer.cli.reporting import planned_contents
    from importer.report.plan_summary import summary

    told = planned_contents(given, forecast)
    decided = of_outcomes(given.mapping, told.record, told.outcomes, planned=True)
    _annotate([*of_plan(given.mapping, given.plan), *decided], service, "plan with -o FILE.xlsx writes all of them")
    _summarize(summary(told, forecast))


def ended(
    given: "Input", record: "RunRecord", outcomes: "Sequence[Outcome]", folder: "Path | None", service: str | None
) -> None:
    """Tell of a run that is over."""
    if not _is_heard(service):
        return
    from importer.cli.annotations import left_green, of_outcomes, of_plan
    from importer.model import Status
    from importer.report.contents import contents
    from importer.report.summary_file import summary

    problems = of_plan(given.mapping, given.plan, harmless=Status.INVALID in left_green(record))
    where = f"the report lists them, {folder}" if folder else "visma-import report writes all of them"
    _annotate([*of_outcomes(given.mapping, record, outcomes), *problems], service, where)
    _summarize(summary(contents(record, outcomes)))
    _upload(folder, service)


def _annotate(found: "Iterable[Annotation]", service: str | None, where: str) -> None:
    """Write annotations as the service wants them; `where` says where more than it shows are listed."""
    from importer.cli.annotations import capped

    service = service or runner()
    if service != "none":
        for one in capped(found, where):
            tell_runner(_for_github(one) if service == "github" else _for_azure(one))


def _for_github(one: "Annotation") -> str:
    named = {"file": _place(one), **_spot(one, "line", "col"), "title": _title(one)}
    listed = ",".join(f"{name}={_escaped(value, _GITHUB_NAMED)}" for name, value in named.items() if value)
    return f"::{'warning' if one.warning else 'error'} {listed}::{_escaped(one.text, _GITHUB)}"


def _for_azure(one: "Annotation") -> str:
    named = {"type": "warning" if one.warning else "error", "sourcepath": _place(one)}
    named |= _spot(one, "linenumber", "columnnumber")
    listed = ";".join(f"{name}={_escaped(value, _AZURE_NAMED)}" for name, value in named.items() if value)
    return f"##vso[task.logissue {listed}]{_escaped(f'{_title(one)}: {one.text}', _AZURE)}"


def _placed(one: "Annotation") -> str:
    line = f":{one.mark.line}" if one.mark else ""
    return f"{_place(one)}{line}: {one.text}" if one.file else one.text


def _spot(one: "Annotation", line: str, column: str) -> dict[str, str]:
    return {line: str(one.mark.line), column: str(one.mark.column)} if one.mark else {}


def _title(one: "Annotation") -> str:
    return one.title if len(one.title) <= _MAX_TITLE else f"{one.title[:_MAX_TITLE]} ..."


def _escaped(text: str, table: Mapping[str, str]) -> str:
    from importer.report.words import legible

    return "".join(table.get(char, char) for char in legible(text))


def _place(one: "Annotation") -> str:
    """Name a file as the service knows it: from the top of the repository, else from the current folder."""
    from pathlib import Path

    if one.file is None:
        return ""
    file = one.file.resolve()
    for root in (os.environ.get("GITHUB_WORKSPACE"), os.environ.get("BUILD_SOURCESDIRECTORY"), Path.cwd()):
        with suppress(ValueError):
            if root:
                return file.relative_to(Path(root).resolve()).as_posix()
    return file.as_posix()


def _summarize(text: str) -> None:
    """Add Markdown to what the service shows beside the job, where it names a file for that."""
    from pathlib import Path

    named = os.environ.get(_SUMMARY)
    if not named:
        return
    added = f"{text}\n".encode()
    try:
        there = Path(named).stat().st_size if Path(named).exists() else 0
        if there + len(added) <= _MAX_SUMMARY:
            with Path(named).open("ab") as out:
                out.write(added)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        say(f"The job's summary {named!r} ({_SUMMARY}) could not be written: {reason}.", error=True)


def _upload(folder: "Path | None", service: str | None) -> None:
    """Have Azure show a report's summary beside the job."""
    if folder is not None and (service or runner()) == "azure" and (folder / "summary.md").is_file():
        tell_runner(f"##vso[task.uploadsummary]{_escaped(str((folder / 'summary.md').resolve()), _AZURE)}")
