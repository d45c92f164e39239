"""The statements of a run's every document, as texts of the journal's database: building them costs more than they do.

SQLAlchemy writes them, once for a database.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from importer.journal import tables
from importer.journal.attempts import NAMES, refused_with_error

#: What a claim writes of an attempt.
_CLAIMED: Final = (
    *("uid", "run_id", "company", "endpoint", "key", "position", "state", "claimed_at", "fingerprint", "identity"),
    *("repeatable", "expect", "server_at", "before"),
)
_SETTLED: Final = ("state", "settled_at", "number", "http_status", "evidence")
_OUTCOME: Final = ("status", "number", "http_status", "message", "sent_at")
#: An insertion that may be left out where something stands in its way.
INSERT: Final[dict[str, Callable[[sa.Table], Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
Parameters = dict[str, Any]


class _Text:
    """Hold one statement as a text, and what it says by itself."""

    def __init__(self, statement: Any, dialect: Any) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._said = {name: value for name, value in compiled.params.items() if value is not None}

    def __call__(self, connection: sa.Connection, given: Parameters) -> sa.CursorResult[Any]:
        return connection.exec_driver_sql(self._text, {**self._said, **given})

    def each(self, connection: sa.Connection, given: Sequence[Parameters]) -> None:
        """Carry it out with each of some parameters, if there are any."""
        if given:
            connection.exec_driver_sql(self._text, [{**self._said, **one} for one in given])


class Statements:
    """Hold the statements; each takes its parameters by name."""

    def __init__(self, engine: sa.Engine) -> None:
        dialect: Any = engine.dialect
        if dialect.name == "sqlite":
            # names in place of question marks, so that both databases take the same parameters
            dialect = sqlite.dialect(paramstyle="named")
        attempt, result = tables.attempt, tables.result
        claim = INSERT[dialect.name](attempt).values(_by_name(_CLAIMED)).on_conflict_do_nothing()
        #: a claim, left out where another one stands in its way
        self.claim = _Text(claim, dialect)
        #: the same; tells its id
        self.claim_one = _Text(claim.returning(attempt.c.attempt_id), dialect)
        #: the claim `attempt_id` is taken back before it counted
        self.take_back = _Text(attempt.delete().where(attempt.c.attempt_id == _given("own")), dialect)
        #: the claim `own` is settled; the owner's word counts although another run called it in doubt
        self.settle = _Text(
            attempt.update()
            .where(attempt.c.attempt_id == _given("own"), attempt.c.state.in_(("sending", "unknown")))
            .values(_by_name(_SETTLED)),
            dialect,
        )
        #: what the report of a run says of a document, for the first time
        self.result = _Text(result.insert().values(_by_name(result.c.keys())), dialect)
        own = (result.c.run_id == _given("own_run"), result.c.position == _given("own_position"))
        #: what the report of a run says of the document at a position
        self.outcome = _Text(result.update().where(*own).values(_by_name(_OUTCOME)), dialect)
        self._refused = cache(lambda count: _Text(refused_with_error(_several(count)), dialect))
        ids = sa.select(attempt.c.uid, attempt.c.attempt_id)
        self._ids = cache(lambda count: _Text(ids.where(attempt.c.uid.in_(_several(count))), dialect))

    def ids(self, connection: sa.Connection, uids: Sequence[str]) -> dict[str, int]:
        """Return by its uid the id of each attempt that is there."""
        return {row.uid: int(row.attempt_id) for row in self._ids(len(uids))(connection, _places(uids))}

    def refused(
        self, connection: sa.Connection, company: str, endpoint: str, fingerprints: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the attempts at some contents that were refused with 500, in the order of their claims."""
        given = {"company": company, "endpoint": endpoint, **_places(fingerprints)}
        rows = self._refused(len(fingerprints))(connection, given)
        return [dict(zip(NAMES, row, strict=True)) for row in rows]


def _given(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, required=False)


def _by_name(names: Sequence[str]) -> dict[str, sa.BindParameter[Any]]:
    return {name: _given(name) for name in names}


def _several(count: int) -> list[sa.BindParameter[Any]]:
    return [_given(f"place_{place}") for place in range(count)]


def _places(values: Sequence[str]) -> Parameters:
    return {f"place_{place}": value for place, value in enumerate(values)}
