"""Declare the commands and their options; each imports what it needs when it runs."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from importer import __version__
from importer.cli.drafting import init, workbook
from importer.cli.job import SERVICES
from importer.cli.keeping import history, journal
from importer.cli.options import FILE, JOURNAL, Command, target_option, with_options
from importer.cli.reading import doctor, fetch
from importer.cli.stream import say
from importer.cli.testing import test
from importer.errors import StartError, UsageError
from importer.stop import SAME_REJECTIONS, UNREACHABLE

if TYPE_CHECKING:
    from pathlib import Path

_PORT: Final = 8377
#: As many connections as the client keeps.
MAX_WORKERS: Final = 32
_INPUT = (
    click.argument("mapping", type=FILE),
    click.argument("workbook", required=False, type=FILE),
    click.option("--param", multiple=True, metavar="NAME=VALUE", help="A parameter of the mapping (repeatable)."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N documents."),
    click.option("--only", multiple=True, metavar="KEY", help="Only the document with this key (repeatable)."),
    click.option("--step", metavar="NAME", help="Only this step of a migration."),
)
_REPORT = click.option("--report", "report_folder", type=FILE, metavar="DIR", help="The folder of the report.")
_ANNOTATIONS = click.option(
    "--annotations",
    type=click.Choice(SERVICES),
    help="For which service mistakes are marked in the mapping; default: the one that runs this job.",
)
_TARGET = target_option("Where to send to")
_SETTLE_AFTER = click.option(
    "--settle-after",
    type=click.IntRange(min=0),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long Visma may still be working on what was sent, before absence counts.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=2,
    show_default=True,
    metavar="N",
    help="How many documents to send at a time; those of one customer go one after the other.",
)


def _most(name: str, default: int, what: str) -> Callable[[Command], Command]:
    """Return the option that says after how many of something a run ends early."""
    told = f"Stop after so many {what}."
    return click.option(name, type=click.IntRange(min=1), default=default, show_default=True, metavar="N", help=told)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="visma-import")
def cli() -> None:
    """Import Excel workbooks into Visma Net ERP: each document exactly once, each row accounted for.

    Every option is an environment variable too: --settle-after is VISMA_IMPORT_SETTLE_AFTER (1 for an option that takes
    no value; one value a line where it may be repeated). What the command line says comes first.
    """


@cli.command()
@with_options(*_INPUT, _REPORT, _ANNOTATIONS)
def check(report_folder: "Path | None", annotations: str | None, *, as_json: bool, quiet: bool, **given: Any) -> int:
    """Read everything, render every body, show all problems at once. Sends nothing, opens no socket."""
    from importer.cli.checking import check_task
    from importer.cli.task import read_task, with_references

    task = with_references(read_task(**given))
    return check_task(task, report_folder, annotations, as_json=as_json, quiet=quiet)


@cli.command()
@with_options(
    *_INPUT,
    _TARGET,
    _WORKERS,
    _SETTLE_AFTER,
    JOURNAL,
    click.option(
        "-o",
        "--output",
        type=FILE,
        multiple=True,
        metavar="FILE",
        help="Save the plan for run --plan; for people where FILE ends in .xlsx or .md (repeatable).",
    ),
    _ANNOTATIONS,
)
def plan(
    target: str | None,
    where: str | None,
    output: "tuple[Path, ...]",
    workers: int,
    settle_after: int,
    annotations: str | None,
    *,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> int:
    """Show what a run would do with each document. Reads only.

    With totals and how long it would take.
    """
    from importer.cli import planning, sending
    from importer.cli.task import read_task
    from importer.saved_plan import arguments
    from importer.stop_rules import StopRules

    task = read_task(**given)
    chosen = task.choose(target)
    task.project.make_private()
    manner = sending.Manner(workers=workers, settle_after_s=settle_after, rules=StopRules(), annotations=annotations)
    journal = where or task.project.journal
    made_of = arguments(**given)
    return planning.show_plan(task, chosen, journal, manner, output, made_of, as_json=as_json, quiet=quiet)


@cli.command()
@with_options(
    click.argument("mapping", required=False, type=FILE),
    *_INPUT[1:],
    click.option("--plan", type=FILE, metavar="FILE", help="Send exactly what this saved plan holds, once."),
    _TARGET,
    click.option("--skip-invalid", is_flag=True, help="Send the good documents although others are invalid."),
    click.option(
        "--allow",
        multiple=True,
        metavar="STATUS=N",
        help="End with 0 although up to N documents are rejected, or invalid (repeatable); every report says so.",
    ),
    click.option(
        "--rehearse", multiple=True, metavar="KIND[@N]", help="Let the embedded sandbox go wrong; see sandbox --fault."
    ),
    click.option("--yes", is_flag=True, help="Ask nothing; needed where there is no terminal to ask at."),
    _WORKERS,
    _SETTLE_AFTER,
    _most("--max-same-rejections", SAME_REJECTIONS, "equal rejections in a row"),
    _most("--max-unreachable", UNREACHABLE, "tries while the host cannot be reached"),
    _REPORT,
    JOURNAL,
    _ANNOTATIONS,
)
def run(
    target: str | None,
    report_folder: "Path | None",
    where: str | None,
    *,
    skip_invalid: bool,
    as_json: bool,
    quiet: bool,
    **rest: Any,
) -> int:
    """Send each document once, then write the report."""
    from importer.allowance import read_allowed
    from importer.cli import checking, inputs, sending, sequencing
    from importer.cli.applying import read_saved
    from importer.cli.recalling import Earlier
    from importer.cli.task import needed, read_task
    from importer.journal import examine, open_journal
    from importer.project import project_of
    from importer.stop_rules import StopRules

    allowed, options = read_allowed(rest["allow"]), inputs.Options(json=as_json, quiet=quiet)
    given = {name: rest.pop(name) for name in ("mapping", "workbook", "param", "limit", "only", "step")}
    plan, earlier, examined = None, None, None
    if given["mapping"]:
        project = project_of(given["mapping"].parent)
        # it is looked through while the workbook is read
        examined = examine(where or project.journal)
        earlier = Earlier(project, target, where or project.journal, examined)
    if rest["plan"]:
        plan, task = read_saved(rest["plan"], given)
    else:
        task = read_task(**needed(given), earlier=earlier)
    chosen = task.choose(target or (plan.target if plan else None))
    if task.held_back(skip_invalid=skip_invalid, allowed=allowed):
        return checking.refuse_to_start(task, options, allowed, rest["annotations"])
    task.keep_workbooks()
    rules = StopRules(same_rejections=rest["max_same_rejections"], unreachable=rest["max_unreachable"])
    manner = sending.Manner(
        workers=rest["workers"],
        settle_after_s=rest["settle_after"],
        rules=rules,
        rehearse=rest["rehearse"],
        yes=rest["yes"],
        skip_invalid=skip_invalid,
        allowed=allowed,
        annotations=rest["annotations"],
    )
    journal = open_journal(where or task.project.journal, examined=examined)
    try:
        return sequencing.send(sending.Errand(task, chosen, journal, report_folder, options, manner, plan))
    finally:
        journal.close()


@cli.command()
@click.argument("run_id", required=False, metavar="[RUN]")
@with_options(_REPORT, JOURNAL)
def report(run_id: str | None, report_folder: "Path | None", where: str | None, *, as_json: bool, quiet: bool) -> int:
    """Write a run's report again from the journal.

    Of a step that of its whole migration; without RUN, of the latest run.
    """
    from pathlib import Path

    from importer.cli import inputs, reporting, whole
    from importer.journal import open_journal
    from importer.project import project_here

    project = project_here(Path.cwd())
    journal = open_journal(where or project.journal, create=False)
    try:
        runs = journal.runs()
        if not runs:
            raise StartError("The journal holds no run yet.")
        of_it = journal.sequence(run_id or "") or [journal.run(run_id) if run_id else runs[0][0]]
        record, options = of_it[0], inputs.Options(json=as_json, quiet=quiet)
        if record.sequence_id is not None:
            told = whole.rebuild_whole(journal, record.sequence_id, project, report_folder)
            whole.show_whole(*told, options)
            return StartError.exit_code if told[1] is None else 0
        folder, notes = reporting.rebuild_report(journal, record.run_id, project, report_folder)
        outcomes = journal.outcomes(record.run_id)
    finally:
        journal.close()
    reporting.conclude(record, outcomes, folder, notes, options)
    return StartError.exit_code if folder is None else 0


@cli.command()
@with_options(
    click.option("--key", metavar="KEY", help="Settle this document by your own word."),
    click.option("--endpoint", metavar="NAME", help="Its endpoint, where the key stands for several documents."),
    click.option("--run", "run_id", metavar="RUN", help="Settle all documents of this run by your own word."),
    click.option(
        "--accepted", is_flag=False, flag_value="", metavar="[NUMBER]", help="It is in Visma, under this number."
    ),
    click.option("--not-there", is_flag=True, help="It is not in Visma: the next run sends it."),
    _SETTLE_AFTER,
    click.option("--yes", is_flag=True, help="Ask nothing."),
    _TARGET,
    JOURNAL,
)
def resolve(
    key: str | None,
    run_id: str | None,
    accepted: str | None,
    target: str | None,
    where: str | None,
    *,
    not_there: bool,
    as_json: bool,
    quiet: bool,
    **rest: Any,
) -> int:
    """Settle unknown documents by looking them up, or by your word.

    By your word: --key KEY or --run RUN, with --accepted [NUMBER] or --not-there.
    """
    from pathlib import Path

    from importer.cli import settling
    from importer.journal import open_journal
    from importer.project import project_here
    from importer.target import choose

    by_hand = key is not None or run_id is not None
    if (
        by_hand != (accepted is not None or not_there)
        or (accepted is not None and not_there)
        or (key and run_id)
        or (run_id and accepted)
    ):
        raise UsageError(
            "Say --key KEY or --run RUN together with --accepted [NUMBER] or --not-there; or none of them."
        )
    project = project_here(Path.cwd())
    chosen = choose(project.folder, target)
    journal = open_journal(where or project.journal, create=False)
    word = settling.Word(not not_there, accepted or None, yes=rest["yes"], as_json=as_json)
    try:
        if key is not None:
            return settling.decide_key(project, chosen, journal, key, rest["endpoint"], word)
        if run_id is not None:
            return settling.decide_run(project, chosen, journal, run_id, word)
        return settling.resolve_all(project, chosen, journal, rest["settle_after"], as_json=as_json, quiet=quiet)
    finally:
        journal.close()


cli.add_command(init)
cli.add_command(workbook)
cli.add_command(test)
cli.add_command(fetch)
cli.add_command(history)
cli.add_command(journal)
cli.add_command(doctor)


@cli.command()
@click.argument("name", required=False)
@with_options()
def endpoints(name: str | None, *, as_json: bool, quiet: bool) -> int:  # noqa: ARG001 - nothing to be quiet of
    """List the endpoints, or one with its fields and template."""
    from importer import catalogue
    from importer.cli import screen
    from importer.cli.inputs import print_json
    from importer.endpoints import table
    from importer.yamlfile import did_you_mean

    known = table()
    if name is not None and name not in known:
        raise UsageError(f"There is no endpoint {name!r}. {did_you_mean(name, list(known))}")
    if as_json:
        rows = [catalogue.listed(row) for row in known.values()]
        print_json(rows if name is None else catalogue.data(known[name]))
    elif name is None:
        out = screen.console()
        width = max(map(len, known)) + 2
        for row in known.values():
            screen.told(out, f"{row.name:{width}}{row.description}", 0, hang=width)
    else:
        say(catalogue.text(known[name]))
    return 0


@cli.group(invoke_without_command=True)
@with_options(
    click.option(
        "--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="The port to serve on."
    ),
    click.option(
        "--numbering", type=click.Choice(["lenient", "automatic", "manual"]), help="How it numbers documents."
    ),
    click.option("--limit-per-hour", type=click.IntRange(min=1), help="How many requests it allows an hour."),
    click.option("--require-token", is_flag=True, help="Want an access token, which it gives out itself."),
    click.option("--strict", is_flag=True, help="Refuse body fields it does not know, instead of ignoring them."),
    click.option(
        "--fault",
        multiple=True,
        metavar="KIND[@N][=MATCH]",
        help="Go wrong on purpose: at the Nth request that holds MATCH, such as cut_after@3='POST customerinvoice'.",
    ),
    # it serves until it is stopped, and tells no result
    everywhere=(),
)
@click.pass_context
def sandbox(context: click.Context, /, port: int, **wanted: Any) -> int:
    """Serve the simulated API of this project until Ctrl-C."""
    from pathlib import Path

    if context.invoked_subcommand is not None:
        return 0
    from importer.cli.rehearsal import settings
    from importer.project import project_here
    from importer.sandbox import Sandbox

    project = project_here(Path.cwd())
    project.make_private()
    box = Sandbox(project.sandbox, port=port, settings=settings(**wanted)).start()
    say(f"The sandbox serves at {box.base_url}/v1 (company {box.company_id}). Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):
        box.serve_forever()
    return 0


@sandbox.command()
def reset() -> int:
    """Empty the sandbox of this project and give its company a new id."""
    from pathlib import Path

    from importer.project import project_here
    from importer.sandbox import reset as empty

    project = project_here(Path.cwd())
    project.make_private()
    empty(project.sandbox)
    say("The sandbox is empty, and its company has a new id.")
    return 0
