"""Keep which documents a large workbook gave, so that a run of the same files need not plan them once more.

Bodies are left out: what is taken up again serves to find that nothing is new, and nothing can be sent by it.
"""

import json
import sys
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from importer import __version__, resources
from importer.atomic_file import replacing
from importer.errors import StartError
from importer.mapping import Mapping
from importer.model import Document, FieldValue, Outcome, Problem, Status, Total
from importer.plan import Plan
from importer.template import template_files
from importer.workbook import Sheet, kept_layout

#: Fewer documents are planned in no time.
FEWEST: Final = 5_000
#: What has a part in how cells are read and bodies made.
_LIBRARIES: Final = ("babel", "defusedxml", "jinja2", "jsonschema", "openpyxl", "pyyaml", "xlrd")
_FINAL: Final = frozenset({Status.ACCEPTED, Status.ALREADY_ACCEPTED, Status.FILTERED})


def made_of(
    mapping: Mapping, workbook: Path, digest: str, params: Dictionary[str, FieldValue | None], today: date
) -> str:
    """Return a SHA-256 over everything that the plan of a whole workbook is made of; `digest` is that of the workbook.

    Raises: OSError when a file of the mapping cannot be read.
    """
    files = [*template_files(mapping), resources.request_schema(mapping.endpoint.name)]
    told = [
        __version__,
        sys.version,
        *map(version, _LIBRARIES),
        "\n".join(mapping.source.lines),
        *(f"{file.name} {sha256(file.read_bytes()).hexdigest()}" for file in files),
        # the sheet of a text file is named after it, and warnings name both files
        mapping.source.path.name,
        workbook.name,
        digest,
        repr(sorted(params.items())),
        today.isoformat(),
    ]
    return sha256(json.dumps(told).encode()).hexdigest()


def place(copy: Path) -> Path:
    """Name the file that is kept beside the copy of a workbook."""
    return copy.with_suffix(".plan")


def is_worth_it(plan: Plan, outcomes: Sequence[Outcome]) -> bool:
    """Tell whether the next run of the same files would find nothing to do, and would take its time to see that."""
    mapping = plan.mapping
    # of changes it is the API that tells what there is to do, and of references what became of other documents
    return (
        not plan.taken_up
        and len(plan.documents) >= FEWEST
        and mapping.endpoint.kind == "create"
        and not any(mapping.referred)
        and not plan.problems
        and not plan.unselected
        and all(outcome.status in _FINAL for outcome in outcomes)
    )


def keep(copy: Path, made: str, plan: Plan) -> None:
    """Keep a plan beside the copy of its workbook, in place of an earlier one; without room for it none is kept."""
    data = json.dumps(_data(plan), separators=(",", ":")).encode()
    file = place(copy)
    with suppress(StartError), replacing(file, private=True) as partial:
        partial.write_bytes(_head(made, data) + data)


def take_up(copy: Path, made: str, mapping: Mapping, workbook: Path) -> Plan | None:
    """Return the plan that was made of exactly this, without bodies; None where none is kept, or not whole."""
    try:
        kept = place(copy).read_bytes()
    except OSError:
        return None
    data = kept[kept.find(b"\n") + 1 :]
    if not kept.startswith(_head(made, data)):
        return None
    return _plan(json.loads(data), mapping, workbook, copy)


def _head(made: str, data: bytes) -> bytes:
    return f"{made} {sha256(data).hexdigest()}\n".encode()


def _data(plan: Plan) -> dict[str, Any]:
    sheet = plan.sheet
    return {
        "sheet": [sheet.name, sheet.header_row, sheet.headers, sheet.layout is not None],
        "rows_read": plan.rows_read,
        "totals": [
            [total.name, total.column, *(None if one is None else str(one) for one in (total.sum, total.expect))]
            for total in plan.totals
        ],
        "warnings": [asdict(warning) for warning in plan.warnings],
        "documents": [
            (one.key, one.rows, one.status, one.fingerprint, one.identity, one.customer, one.number, one.message)
            for one in plan.documents
        ],
    }


def _plan(data: Any, mapping: Mapping, workbook: Path, copy: Path) -> Plan:
    name, header_row, headers, has_layout = data["sheet"]
    return Plan(
        mapping=mapping,
        sheet=Sheet(
            file=workbook,
            name=name,
            header_row=header_row,
            headers=tuple(headers),
            rows=(),
            layout=kept_layout(copy) if has_layout else None,
        ),
        rows_read=data["rows_read"],
        documents=tuple(
            Document(
                key=key,
                rows=tuple(rows),
                status=None if status is None else Status(status),
                endpoint=mapping.endpoint.name if fingerprint else "",
                fingerprint=fingerprint,
                identity=identity,
                customer=customer,
                number=number,
                message=message,
            )
            for key, rows, status, fingerprint, identity, customer, number, message in data["documents"]
        ),
        warnings=tuple(Problem(**warning) for warning in data["warnings"]),
        totals=tuple(
            Total(name=total, column=column, sum=_decimal(added), expect=_decimal(expected))
            for total, column, added, expected in data["totals"]
        ),
        taken_up=True,
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
