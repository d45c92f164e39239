"""Let a run be green although documents failed, up to a number that was declared beforehand; never silently."""

import json
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from typing import Final

from importer.errors import UsageError
from importer.model import RunRecord, Status

#: What may be allowed. What is in doubt, was not sent or differs in Visma is never left behind a green job.
ALLOWABLE: Final = (Status.REJECTED, Status.INVALID)
_MOST: Final = 1_000_000

Allowed = Dictionary[Status, int]


def read_allowed(texts: Sequence[str]) -> dict[Status, int]:
    """Read what `--allow` was given: `rejected=3`, how many documents of a status may be left.

    Raises: UsageError.
    """
    words = " or ".join(status.value for status in ALLOWABLE)
    found: dict[Status, int] = {}
    for text in texts:
        name, equals, number = (part.strip() for part in text.partition("="))
        if not equals or name not in set(ALLOWABLE):
            raise UsageError(f"--allow takes STATUS=N, STATUS being {words}, not {text!r}.")
        if not (number.isascii() and number.isdigit()) or int(number) > _MOST:
            raise UsageError(f"--allow {name}: N is a whole number from 0 to {_MOST:,}, not {number!r}.")
        if Status(name) in found:
            raise UsageError(f"--allow {name} is given twice. Give it once.")
        found[Status(name)] = int(number)
    return found


def dump(allowed: Allowed) -> str | None:
    """Write down what is allowed, as a run's record keeps it; None for nothing."""
    return json.dumps({status.value: number for status, number in allowed.items()}) if allowed else None


def allowed_in(record: RunRecord) -> dict[Status, int]:
    """Return what a run was allowed to leave."""
    return {Status(name): int(number) for name, number in json.loads(record.allowed or "{}").items()}


def fails(counts: Dictionary[Status, int], allowed: Allowed) -> bool:
    """Tell whether more documents failed than is allowed."""
    failed = (Status.INVALID, Status.REJECTED, Status.CHANGED)
    return any(counts.get(status, 0) > allowed.get(status, 0) for status in failed)


def in_words(allowed: Allowed, counts: Dictionary[Status, int]) -> str:
    """Say what was left of what may be: `2 rejected, allowed: 3`; empty where there is none of it."""
    return "; ".join(
        f"{counts[status]:,} {status.value}, allowed: {number:,}"
        for status, number in allowed.items()
        if counts.get(status)
    )
