"""Part 4: a run of the whole workbook, its report, and the run after it, which has nothing to send."""

from datetime import UTC, datetime
from zipfile import ZipFile

from measuring import median, quick_api, ratio, settled
from options import Options
from projects import WORKBOOK, check, journal_of, make_project, run
from workbook import invoices_of, make_workbook

_WORKERS = 8
_MOST_MEGABYTES = 400
_PART_OF_RUN = 1 / 4
_MOST_CHECKS = 1.3


def compare_whole(options: Options) -> None:
    """Measure a run of everything, then runs that find everything sent, each beside a check."""
    table = options.table
    documents = len(invoices_of(options.rows))
    table.head(f"4. A run of {documents:,} documents ({options.rows:,} rows), {_WORKERS} workers, zero latency")
    workbook = make_workbook(options.folder / "whole.xlsx", options.rows)
    with quick_api(0) as address:
        project = make_project(options.folder / "whole", workbook, address)
        took = run(project, _WORKERS, ["--report", "report"])
        ended = datetime.now(UTC)
        sending, last = settled(journal_of(project), documents)
        after = (ended - last).total_seconds()
        page = (project / "report" / "results.html").stat().st_size / 1_000_000
        table.line("the whole command", f"{took.seconds:.1f} s, of which {sending:.1f} s sending")
        memory = took.megabytes
        table.line(
            "  memory of the run", f"{memory:.0f} MB", f"at most {_MOST_MEGABYTES} MB", met=memory <= _MOST_MEGABYTES
        )
        share = after / took.seconds
        told = f"{after:.1f} s = {share:.0%} of the command; results.html {page:.1f} MB"
        table.line("  report: from the last answer to the end", told, "under a quarter", met=share < _PART_OF_RUN)
        checks, runs, anew = [], [], []
        for number in range(options.rounds):
            checks.append(check(project))
            runs.append(run(project, _WORKERS, ["--report", "again"]))
            with ZipFile(project / WORKBOOK, "a") as archive:
                archive.comment = f"saved anew: {number}".encode()
            anew.append(run(project, _WORKERS, ["--report", "again"]))
        times = ratio([one.seconds for one in runs], [one.seconds for one in checks])
        told = f"{median(one.seconds for one in runs):.1f} s = {times:.2f} x check, {runs[0].megabytes:.0f} MB"
        target = f"at most {_MOST_CHECKS} x check"
        table.line("the second run: nothing to send", told, target, met=times <= _MOST_CHECKS)
        # what an earlier run planned is taken up where the files are the same; these were read and planned once more
        times = ratio([one.seconds for one in anew], [one.seconds for one in checks])
        told = f"{median(one.seconds for one in anew):.1f} s = {times:.2f} x check, {anew[0].megabytes:.0f} MB"
        table.line("  the same rows in a workbook saved anew", told)
        # nothing was sent again
        settled(journal_of(project), documents)
