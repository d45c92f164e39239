"""The benchmarks run, each by its one command, and every document of them is there."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent / "benchmarks"
PEERS = ("plain script", "Newman", "drt")


def test_the_benchmark_of_workers_tells_how_near_the_best_possible_it_came() -> None:
    """A small one on each database at hand: it ends by itself, all documents accepted, with a figure for each."""
    small = ["--documents", "24", "--workers", "4", "--latency", "0.05", "--rounds", "1"]
    program = [sys.executable, str(BENCHMARKS / "workers.py"), *small]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
    figures = dict(re.findall(r"^(\w+) +sending [\d.]+ s = ([\d.]+) x", ran.stdout, re.MULTILINE))

    print(f"measured: workers, small: {ran.stdout.replace(chr(10), '; ')}")
    assert ran.returncode in {0, 1}, ran.stderr
    assert "at best 0.30 s" in ran.stdout
    assert "sqlite" in figures
    assert all(float(figure) >= 0.9 for figure in figures.values()), "faster than the API answers"


def test_the_benchmark_of_a_migration_compares_each_invoice_with_its_customer() -> None:
    """A small one: a figure for each command, and in the end every document is there once."""
    program = [sys.executable, str(BENCHMARKS / "migration.py"), "--customers", "7", "--invoices", "30"]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=240)
    figures = re.findall(r"(?m)^([a-z ]+?) +([\d.]+) s +(\d+) MB$", ran.stdout)

    assert ran.returncode == 0, ran.stderr
    assert [name for name, _, _ in figures] == ["check", "plan", "apply", "apply again", "run again"]
    assert all(float(seconds) > 0 and int(megabytes) > 10 for _, seconds, megabytes in figures)
    assert "each invoice on the right customer" in ran.stdout


def test_the_comparison_tells_of_each_part_whether_its_target_was_met() -> None:
    """A small one without the peers, of which it says that they are not there; a missed target ends it with 1."""
    small = ["--quick", "--without-peers", "--rows", "60", "--documents", "6", "--seconds", "0.2"]
    program = [sys.executable, str(BENCHMARKS / "compare.py"), *small]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=240)
    verdicts = dict(re.findall(r"(?m)^ *(.+?)  .+  (met|MISSED)$", ran.stdout))

    print(f"measured: comparison, small: {verdicts}")
    assert ran.returncode == int("MISSED" in verdicts.values()), ran.stdout + ran.stderr
    assert re.findall(r"(?m)^(\S.*?)  +not installed$", ran.stdout) == ["pandas.read_excel", *PEERS]
    assert re.findall(r"(?m)^(\d)\. ", ran.stdout) == ["1", "2", "3", "4"]
    assert list(verdicts) == [
        *("memory of the check", "check, 6 rows", "check, 200 rows", "--help"),
        *("50 ms, 8 workers, 32 documents", "200 ms, 8 workers, 8 documents"),
        *("memory of the run", "report: from the last answer to the end", "the second run: nothing to send"),
    ]
