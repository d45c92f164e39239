"""Measure how near several workers come to what the API's latency allows.

    python tests/benchmarks/workers.py
    TEST_POSTGRESQL_URL=postgresql+psycopg://postgres@127.0.0.1/postgres python tests/benchmarks/workers.py

400 documents of 400 customers, 8 workers, 200 ms from request to answer: at best 400 / 8 x 0.2 s = 10 s. Sending is
the time from the first claim to the last settlement, both of which are in the journal; the whole command also starts,
reads and checks the workbook, looks into the API before and after, and writes the report.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))
from databases import SERVER, journal_on, rows_of
from end_to_end import TARGET, aim, environment, make_project

#: More than this times the best possible is too slow.
MOST = 1.10


@contextmanager
def quick_api(latency_s: float) -> Iterator[str]:
    """Serve the stand-in for the API in a process of its own; yield its address."""
    program = [sys.executable, str(Path(__file__).with_name("quick_api.py")), str(latency_s)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def measure(database: str, documents: int, workers: int, latency_s: float) -> tuple[float, float]:
    """Import so many documents; return the seconds of sending, and of the whole command."""
    rows = [(f"F{number:05}", f"{10000 + number}", date(2025, 1, 27), "Kaffe", 1, 10) for number in range(documents)]
    with tempfile.TemporaryDirectory() as made, quick_api(latency_s) as address:
        folder = Path(made)
        with journal_on(database, folder) as journal:
            project = make_project(folder / "project", rows)
            aim(project, address)
            command = ["run", "mapping.yaml", *TARGET, "--quiet", "--workers", str(workers), "--journal", journal]
            began = time.perf_counter()
            ran = subprocess.run(
                [sys.executable, "-m", "importer", *command],
                cwd=project,
                env=environment(project),
                capture_output=True,
                text=True,
                check=False,
            )
            whole = time.perf_counter() - began
            assert ran.returncode == 0, ran.stdout + ran.stderr
            return _sending(journal, documents), whole


def _sending(journal: str, documents: int) -> float:
    """Return the seconds from the first claim to the last settlement, once each document is accepted there."""
    with rows_of(journal) as connection:
        query = "SELECT count(*), min(claimed_at), max(settled_at) FROM attempt WHERE state = 'accepted'"
        count, first, last = connection.execute(sa.text(query)).one()
    assert count == documents, count
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def main() -> int:
    """Print a line for each database; return 1 if one is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--rounds", type=int, default=3, help="how many times each; the median is told")
    given = parser.parse_args()
    best = given.documents / given.workers * given.latency
    print(f"{given.documents} documents, {given.workers} workers, {given.latency:g} s: at best {best:.2f} s")
    slow = False
    for database in ("sqlite", "postgresql") if SERVER else ("sqlite",):
        rounds = [measure(database, given.documents, given.workers, given.latency) for _ in range(given.rounds)]
        sending, whole = sorted(rounds)[len(rounds) // 2]
        slow = slow or sending > MOST * best
        print(f"{database:<12}sending {sending:.2f} s = {sending / best:.3f} x; the whole command {whole:.2f} s")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
