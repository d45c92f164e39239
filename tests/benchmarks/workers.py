"""Measure how near several workers come to what the API's latency allows.

    python tests/benchmarks/workers.py
    TEST_POSTGRESQL_URL=postgresql+psycopg://postgres@127.0.0.1/postgres python tests/benchmarks/workers.py

400 documents of 400 customers, 8 workers, 200 ms from request to answer: at best 400 / 8 x 0.2 s = 10 s. Sending is
the time from the first claim to the last settlement, both of which are in the journal; the whole command also starts,
reads and checks the workbook, looks into the API before and after, and writes the report.
"""

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from databases import SERVER, journal_on
from end_to_end import TARGET, aim, make_project
from measuring import measure_program, quick_api, settled

#: More than this times the best possible is too slow.
MOST = 1.10


def measure(database: str, documents: int, workers: int, latency_s: float) -> tuple[float, float]:
    """Import so many documents; return the seconds of sending, and of the whole command."""
    rows = [(f"F{number:05}", f"{10000 + number}", date(2025, 1, 27), "Kaffe", 1, 10) for number in range(documents)]
    with tempfile.TemporaryDirectory() as made, quick_api(latency_s) as address:
        folder = Path(made)
        with journal_on(database, folder) as journal:
            project = make_project(folder / "project", rows)
            aim(project, address)
            command = ["run", "mapping.yaml", *TARGET, "--quiet", "--workers", str(workers), "--journal", journal]
            whole = measure_program(project, *command).seconds
            return settled(journal, documents)[0], whole


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
