"""Run schedules of faults, kills, late commits and people, and tell what came of them.

    python tests/schedules.py 5000
    TEST_POSTGRESQL_URL=postgresql+psycopg://postgres@127.0.0.1/postgres python tests/schedules.py 5000 --jobs 4

Each schedule is a workbook, a company and a journal of its own; `schedule_machine` draws what happens to them,
`schedule_oracle` says what must hold after each step. With TEST_POSTGRESQL_URL about half of the journals are on that
server, each in a fresh schema of a database that is made for it and dropped at the end.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from schedule_machine import run_schedules
from schedule_oracle import WrongError
from schedule_workshop import Figures, Workshop

#: Schedules that one process runs, since the company and the nursery keep a little of each.
_BATCH = 50
_KINDS = ("duplicate", "lost", "false accepted", "other")


def _batch(count: int, begin: int) -> tuple[Figures, str]:
    """Run some schedules in a process of their own; return the figures, and what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, __file__, str(count), "--seed", str(begin), "--figures", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        figures = Figures.load(file.read_text(encoding="utf-8")) if file.exists() else Figures()
        failure = done.stdout + done.stderr if done.returncode else ""
        if failure and not figures.wrong:
            figures.wrong["other"] += 1
        return figures, failure


def work(count: int, begin: int, figures: Path) -> int:
    """Run some schedules here; write the figures into a file."""
    with tempfile.TemporaryDirectory() as folder, Workshop(Path(folder)) as workshop:
        try:
            run_schedules(workshop, count, begin)
        except WrongError as error:
            print(error)
            return 1
        finally:
            figures.write_text(workshop.figures.dump(), encoding="utf-8")
    return 0


def run_all(count: int, jobs: int, begin: int) -> int:
    """Run all schedules in parallel; print the figures, and return 1 if anything is wrong."""
    began, total, failures, chance = time.monotonic(), Figures(), [], random.Random(begin)
    sizes = [_BATCH] * (count // _BATCH) + ([count % _BATCH] if count % _BATCH else [])
    with ThreadPoolExecutor(jobs) as pool:
        batches = {pool.submit(_batch, size, seed): seed for size in sizes for seed in [chance.getrandbits(48)]}
        for batch in as_completed(batches):
            figures, failure = batch.result()
            total.add(figures)
            if failure:
                failures.append(f"seed {batches[batch]}: {failure}")
                print(failures[-1], file=sys.stderr, flush=True)
            print(f"{total.schedules} of {count} schedules, {time.monotonic() - began:.0f} s", file=sys.stderr)
    _tell(total, time.monotonic() - began)
    return 1 if failures or total.wrong or total.schedules < count else 0


def _tell(total: Figures, seconds: float) -> None:
    faults = ", ".join(f"{kind} {times}" for kind, times in sorted(total.faults.items()))
    for name, told in (
        ("schedules", f"{total.schedules}  ({_counted(total.journals)}; {_counted(total.kinds)})"),
        ("processes of the program", str(total.runs)),
        ("requests", f"{total.requests}, {total.writes} of them writes"),
        ("faults", f"{sum(total.faults.values())}  ({faults})"),
        ("kills", str(total.kills)),
        ("statuses told", _counted(total.statuses)),
        *((f"{kind}s" if kind == "duplicate" else kind, str(total.wrong[kind])) for kind in _KINDS),
        ("attempts in doubt", str(total.unknown)),
        ("settled by themselves", str(total.by_looking)),
        ("settled by a person", str(total.by_person)),
        ("left in doubt", str(total.unknown - total.by_looking - total.by_person)),
        ("time", f"{seconds:.0f} s"),
    ):
        print(f"{name:<26}{told}")


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schedules", type=int, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same schedules")
    parser.add_argument("--figures", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.figures:
        return work(given.schedules, given.seed, given.figures)
    return run_all(given.schedules, given.jobs, given.seed)


if __name__ == "__main__":
    sys.exit(main())
