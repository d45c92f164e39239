"""Whatever happens, in whatever order: each document is in Visma at most once, and in the end exactly once.

Many more schedules: python tests/schedules.py 5000
"""

import sys
from pathlib import Path

import pytest
from schedule_machine import run_schedules
from schedule_workshop import Figures, Workshop

WRONG = ("duplicate", "lost", "false accepted", "other")
#: Parts that run beside each other, and schedules in each.
PARTS, SCHEDULES = 12, 25
#: Of sixteen kinds of faults.
KINDS_MET = 14

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows can neither fork nor kill like this")


def all_parts(folder: Path, part: int, figures: Figures) -> Figures | None:
    """Write down what a part counted; return the sum of all parts where it is the last."""
    folder.mkdir(exist_ok=True)
    partial = folder / f"{part}.partial"
    partial.write_text(figures.dump(), encoding="utf-8")
    partial.replace(folder / f"{part}.json")
    files = list(folder.glob("*.json"))
    total = Figures()
    for file in files:
        total.add(Figures.load(file.read_text(encoding="utf-8")))
    return total if len(files) == PARTS else None


@pytest.mark.parametrize("part", range(PARTS))
def test_random_schedules_of_faults_kills_and_people_never_double_lose_or_lie(
    tmp_path: Path, shared_folder: Path, part: int
) -> None:
    """After each step nothing is there twice and nothing is told that is not so; in the end all is there once."""
    with Workshop(tmp_path) as workshop:
        run_schedules(workshop, SCHEDULES, begin=part)
        figures = workshop.figures

    print(
        f"measured: part {part} of the schedules: {figures.schedules} ({', '.join(figures.journals)}), "
        f"{figures.requests} requests, {figures.faults.total()} faults, {figures.kills} kills, "
        + ", ".join(f"{kind} {figures.wrong[kind]}" for kind in WRONG)
    )
    assert figures.schedules >= SCHEDULES
    assert not figures.wrong
    assert figures.kills >= SCHEDULES / 10, "hardly anything was killed"
    assert len(figures.faults) >= 5, "hardly anything went wrong"
    assert figures.by_looking > 0
    total = all_parts(shared_folder / "schedules", part, figures)
    if total is not None:
        print(f"measured: all parts of the schedules: {total.schedules}, {len(total.faults)} kinds of faults")
        assert total.schedules >= PARTS * SCHEDULES
        assert len(total.faults) >= KINDS_MET, f"only these went wrong: {sorted(total.faults)}"
        assert total.kills >= total.schedules / 10
