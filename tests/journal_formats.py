"""Older formats of the journal, made of the present one."""

from collections.abc import Iterator
from typing import Final

_OF_RUNS: Final = ("plan_id", "sequence_id", "sequence_name", "steps", "step", "step_name", "allowed")
#: What undoes a format, the latest first.
_UNDONE: Final = {
    3: (
        "DROP TABLE applied",
        *(f"ALTER TABLE attempt DROP COLUMN {name}" for name in ("position", "before")),
        *(f"ALTER TABLE run DROP COLUMN {name}" for name in _OF_RUNS),
    ),
    2: ("DROP INDEX attempt_uid", *(f"ALTER TABLE attempt DROP COLUMN {name}" for name in ("uid", "job"))),
}


def back_to(older: int) -> Iterator[str]:
    """Yield the statements that make a journal one of an older format."""
    for number, undoing in _UNDONE.items():
        yield from undoing if number > older else ()
    yield f"UPDATE meta SET value = '{older}' WHERE name = 'format'"
