"""The journal's tables, and how a row of them is a noun of the program."""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from importer.model import Outcome, Problem, RunRecord, Status, Total

#: 2: attempts got `uid` and `job`. 3: they got `position` and `before`; runs got the plan they carry out, the sequence
#: they are a step of and what they were allowed to leave; `applied` came.
FORMAT: Final = 3
#: States of an attempt that forbid another one for the same document.
LIVE: Final = ("sending", "accepted", "unknown")
#: What an attempt is that may be made again and may yet be carried out, in the words of the index that finds it.
OPEN_CHANGE: Final = "state IN ('sending', 'unknown') AND repeatable = 1"

metadata = sa.MetaData()
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
run = sa.Table(
    "run",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("finished_at", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("mapping_name", sa.Text, nullable=False),
    sa.Column("mapping_file", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("workbook_name", sa.Text, nullable=False),
    sa.Column("workbook_sha256", sa.Text, nullable=False),
    sa.Column("sheet", sa.Text, nullable=False),
    sa.Column("header_row", sa.Integer, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("company", sa.Text, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("rows_read", sa.Integer, nullable=False),
    sa.Column("totals", sa.Text, nullable=False),
    sa.Column("stopped", sa.Text, nullable=False),
    #: the saved plan that it carries out
    sa.Column("plan_id", sa.Text),
    #: the sequence of runs that it is a step of, its name and how many steps it has; which step, from 1, and its name
    sa.Column("sequence_id", sa.Text),
    sa.Column("sequence_name", sa.Text),
    sa.Column("steps", sa.Integer),
    sa.Column("step", sa.Integer),
    sa.Column("step_name", sa.Text),
    #: how many documents of a status it was allowed to leave and be green, JSON
    sa.Column("allowed", sa.Text),
)
attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("attempt_id", sa.Integer, primary_key=True),
    #: the same in every copy of a journal
    sa.Column("uid", sa.Text, nullable=False, server_default=""),
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.run_id"), nullable=False),
    sa.Column("company", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    #: what the guard guards: the key, for actions and inserted lines with the content
    sa.Column("identity", sa.Text, nullable=False),
    #: updates that may be sent again are not guarded
    sa.Column("repeatable", sa.Integer, nullable=False),
    sa.Column(
        "state",
        sa.Text,
        sa.CheckConstraint("state IN ('sending', 'accepted', 'rejected', 'not_sent', 'unknown', 'withdrawn')"),
        nullable=False,
    ),
    sa.Column("claimed_at", sa.Text, nullable=False),
    sa.Column("settled_at", sa.Text),
    sa.Column("number", sa.Text),
    sa.Column("http_status", sa.Integer),
    #: what it must look like in the API to be found again, JSON
    sa.Column("expect", sa.Text, nullable=False),
    #: who settled it afterwards: a look-up, or a person by name
    sa.Column("decided_by", sa.Text),
    #: the server's time at the claim
    sa.Column("server_at", sa.Text),
    #: what the API said, whole, for support
    sa.Column("evidence", sa.Text),
    #: the background request that the API made of it
    sa.Column("job", sa.Text),
    #: its place in the run's plan
    sa.Column("position", sa.Integer),
    #: what an update replaced, JSON
    sa.Column("before", sa.Text),
)
_guarded = sa.and_(attempt.c.state.in_(LIVE), attempt.c.repeatable == 0)
sa.Index(
    "one_live_attempt",
    attempt.c.company,
    attempt.c.endpoint,
    attempt.c.identity,
    unique=True,
    sqlite_where=_guarded,
    postgresql_where=_guarded,
)
_uid = sa.Index("attempt_uid", attempt.c.uid, unique=True)
#: Changes that may yet be carried out; an attempt that is not to be repeated costs it nothing.
_open_change = sa.Index(
    "open_change",
    attempt.c.company,
    attempt.c.endpoint,
    attempt.c.key,
    sqlite_where=sa.text(OPEN_CHANGE),
    postgresql_where=sa.text(OPEN_CHANGE),
)
sa.Index("attempt_body", attempt.c.company, attempt.c.endpoint, attempt.c.fingerprint)
result = sa.Table(
    "result",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.run_id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("rows", sa.Text, nullable=False),
    sa.Column("number", sa.Text),
    sa.Column("http_status", sa.Integer),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("problems", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text),
    #: of the content that was planned
    sa.Column("fingerprint", sa.Text),
)
#: Which run carries a saved plan out, or did.
applied = sa.Table(
    "applied",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
)
#: What came with a format: columns by table; a new table is made with the others.
_CAME: Final[dict[int, dict[str, tuple[str, ...]]]] = {
    2: {"attempt": ("uid TEXT NOT NULL DEFAULT ''", "job TEXT")},
    3: {
        "attempt": ("position INTEGER", "before TEXT"),
        "run": (
            *("plan_id TEXT", "sequence_id TEXT", "sequence_name TEXT", "steps INTEGER", "step INTEGER"),
            *("step_name TEXT", "allowed TEXT"),
        ),
    },
}


def migrate(connection: sa.Connection, found: int) -> None:
    """Bring the tables of an older format up to this one."""
    for brought, columns in _CAME.items():
        for name, column in ((name, column) for name, new in columns.items() for column in new if found < brought):
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {column}")
    if found < 2:  # noqa: PLR2004 - the format that brought it
        connection.exec_driver_sql("UPDATE attempt SET uid = run_id || '-' || attempt_id")
        _uid.create(connection)
    # came without a format of its own, for nothing that is written differs
    _open_change.create(connection, checkfirst=True)
    if found < FORMAT:
        applied.create(connection, checkfirst=True)
        connection.execute(meta.update().where(meta.c.name == "format").values(value=str(FORMAT)))


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Return what changes in a result when its document is settled."""
    return {
        "status": outcome.status.value,
        "number": outcome.number,
        "http_status": outcome.http_status,
        "message": outcome.message,
        "sent_at": outcome.sent_at,
    }


def result_row(run_id: str, outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a row of `result`."""
    return {
        "run_id": run_id,
        "position": outcome.position,
        "key": outcome.key,
        # as `json.dumps` writes it
        "rows": f"[{', '.join(map(str, outcome.rows))}]",
        "fingerprint": outcome.fingerprint or None,
        "problems": json.dumps([asdict(problem) for problem in outcome.problems], ensure_ascii=False)
        if outcome.problems
        else "[]",
        **outcome_row(outcome),
    }


def read_outcome(row: Any) -> Outcome:
    """Return a row of `result` as an outcome."""
    return Outcome(
        position=row["position"],
        key=row["key"],
        status=Status(row["status"]),
        rows=tuple(json.loads(row["rows"])),
        number=row["number"],
        http_status=row["http_status"],
        message=row["message"],
        problems=tuple(Problem(**problem) for problem in json.loads(row["problems"])),
        sent_at=row["sent_at"],
        fingerprint=row["fingerprint"] or "",
    )


def run_row(record: RunRecord) -> dict[str, Any]:
    """Return a record as a row of `run`."""
    row = {name: value for name, value in asdict(record).items() if name != "totals"}
    return {**row, "totals": json.dumps([_total_row(total) for total in record.totals])}


def _total_row(total: Total) -> dict[str, str | None]:
    return {
        "name": total.name,
        "column": total.column,
        "sum": None if total.sum is None else f"{total.sum:f}",
        "expect": None if total.expect is None else f"{total.expect:f}",
    }


def read_run(row: Any) -> RunRecord:
    """Return a row of `run` as a record."""
    totals = tuple(
        Total(
            name=raw["name"],
            column=raw["column"],
            sum=None if raw["sum"] is None else Decimal(raw["sum"]),
            expect=None if raw["expect"] is None else Decimal(raw["expect"]),
        )
        for raw in json.loads(row["totals"])
    )
    return RunRecord(**{**row, "totals": totals})
