"""What all schedules of one worker share: two processes, a database on a server, and the figures."""

import json
import os
import secrets
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import cycle, product
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from schedule_book import KINDS
from schedule_pipes import Servant

POSTGRESQL = "TEST_POSTGRESQL_URL"
_DOUBTS = "SELECT state, decided_by FROM attempt"


@dataclass
class Figures:
    """Count what was done to the program, and what it did."""

    schedules: int = 0
    runs: int = 0
    requests: int = 0
    writes: int = 0
    kills: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    journals: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    #: duplicate, lost, false accepted, other
    wrong: Counter[str] = field(default_factory=Counter)
    #: attempts that were in doubt, and how many of them a look-up and a person settled
    unknown: int = 0
    by_looking: int = 0
    by_person: int = 0

    def add(self, other: "Figures") -> None:
        """Add what another worker counted."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def dump(self) -> str:
        """Write them as JSON."""
        return json.dumps(vars(self))

    @classmethod
    def load(cls, text: str) -> "Figures":
        """Read them back."""
        raw = json.loads(text)
        return cls(**{name: Counter(value) if isinstance(value, dict) else value for name, value in raw.items()})


class Workshop:
    """Hold the processes and the database of one worker."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.nursery = Servant("schedule_nursery.py", home)
        self.company = Servant("schedule_company.py", home)
        self.figures = Figures()
        #: what the first wrong schedule showed
        self.failure = ""
        self._opened = 0
        self._server = os.environ.get(POSTGRESQL)
        self._database = f"schedules_{secrets.token_hex(6)}"
        if self._server:
            self._on_server("postgres", f'CREATE DATABASE "{self._database}"')
        #: what is imported and where the journal is, one after the other
        self.turns = cycle(product(KINDS, ["SQLite", "PostgreSQL"] if self._server else ["SQLite"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(AssertionError):
            self.company.ask("close")
        self.nursery.__exit__(*exception)
        self.company.__exit__(*exception)
        if self._server:
            self._on_server("postgres", f'DROP DATABASE "{self._database}" WITH (FORCE)')

    def folder(self) -> Path:
        """Make a folder for the next schedule."""
        self._opened += 1
        folder = self.home / str(self._opened)
        folder.mkdir()
        return folder

    def journal(self, kind: str, project: Path) -> str:
        """Return where a new and empty journal is to be."""
        if kind == "SQLite":
            return str(project / ".visma-import" / "journal.db")
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        self._on_server(
            self._database,
            f"{others} AND pid <> pg_backend_pid()",
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
        )
        return self._url(self._database).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    def doubts(self, kind: str, journal: str) -> list[tuple[str, str | None]]:
        """Read from the journal which attempts were in doubt, each with its state and who settled it; no rule here."""
        if kind == "SQLite":
            with closing(sqlite3.connect(journal)) as db:
                rows = db.execute(_DOUBTS).fetchall()
        else:
            rows = self._on_server(self._database, _DOUBTS)
        return [(state, by) for state, by in rows if by is not None or state in ("sending", "unknown")]

    def _url(self, database: str) -> sa.URL:
        assert self._server is not None
        return sa.make_url(self._server).set(database=database)

    def _on_server(self, database: str, *statements: str) -> list[Any]:
        """Carry statements out on the server; return the rows of the last one."""
        import psycopg

        url = self._url(database).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                done = connection.execute(statement)
            return done.fetchall() if done.description else []
