"""A disk that fails under the journal: the power cut, the disk full or an error of the device at any one operation.

The program's own journal runs on it, statements and settings and all: SQLAlchemy takes this file's driver for SQLite's,
and the driver is APSW's, whose files can be written in Python. A power cut takes what was not synced: each such write
survives with a chance of one half, and then it is torn into sectors in half of the cases; a name that was made or
deleted in a folder is only certain after the folder was synced.

    python tests/power.py 2000      cuts the power about 2000 times, and prints what was lost
"""

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import apsw
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

SECTOR: Final = 512
#: One operation that changes the disk: its name and what it needs.
Change = tuple[Any, ...]
_NUMBERS: Final = count(1)


@dataclass
class Platter:
    """Hold what is certainly on a disk, and what a power cut may take or leave."""

    content: dict[int, bytearray] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    #: writes and cuts of each file since it was synced
    waiting: dict[int, list[Change]] = field(default_factory=dict)
    #: names made or deleted since the folder was synced; a deleted one stands for no file
    named: list[tuple[str, int | None]] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Do one operation; only a sync makes anything certain."""
        match change:
            case "found", name, file, data:
                self.names[name], self.content[file] = file, bytearray(data)
            case "name", name, file:
                self.named.append((name, file))
            case ("write" | "truncate", file, *_):
                self.waiting.setdefault(file, []).append(change)
            case "sync", file:
                for waiting in self.waiting.pop(file, ()):
                    self._apply(file, *waiting[2:])
            case ("sync folder",):
                for name, file in self.named:
                    self._rename(name, file)
                self.named.clear()

    def _rename(self, name: str, file: int | None) -> None:
        self.names.pop(name, None)
        if file is not None:
            self.names[name] = file

    def _apply(self, file: int, start: int, data: bytes | None = None) -> None:
        """Write data at an offset, or without data cut the file there."""
        content = self.content.setdefault(file, bytearray())
        content.extend(bytes(max(0, start - len(content))))
        content[start : None if data is None else start + len(data)] = data or b""

    def after_power_cut(self, chance: Random) -> dict[str, bytes]:
        """Return the files that are found afterwards; this disk stays as it is."""
        left = Platter({file: bytearray(data) for file, data in self.content.items()}, dict(self.names))
        for file, changes in self.waiting.items():
            for change in changes:
                if chance.random() < 0.5:
                    left._survive(file, change, chance)
        for name in dict(self.named):
            own = [file for other, file in self.named if other == name]
            for file in own[: chance.randint(0, len(own))]:
                left._rename(name, file)
        return {name: bytes(left.content.get(file, b"")) for name, file in left.names.items()}

    def _survive(self, file: int, change: Change, chance: Random) -> None:
        if change[0] == "truncate" or chance.random() < 0.5:
            self._apply(file, *change[2:])
            return
        start, data = change[2:]
        for offset in range(0, len(data), SECTOR):
            if chance.random() < 0.5:
                self._apply(file, start + offset, data[offset : offset + SECTOR])


@dataclass
class Disk:
    """Count what SQLite asks of a disk, write down what changes it, and fail where it is told to."""

    #: the operation, from 0, at which it fails; None for never
    fails_at: int | None = None
    #: what it then says
    error: type[apsw.Error] = apsw.IOError
    #: whether it fails from there on, or only that once
    lasting: bool = False
    #: whether it does what it is asked, and fails then
    late: bool = False
    asked: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    #: how much had changed when each commit was acknowledged, and what was committed
    acknowledged: list[tuple[int, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)

    def find(self, files: Mapping[str, bytes]) -> None:
        """Start with files that are certainly there."""
        for name, data in files.items():
            self.files[name] = next(_NUMBERS)
            self.changed(("found", name, self.files[name], data))

    def acknowledge(self, what: Any) -> None:
        """Note that the program was told that something is committed."""
        with self.lock:
            self.acknowledged.append((len(self.changes), what))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Count an operation, and fail if it is its turn; a full disk only fails where something new is written."""
        with self.lock:
            number = len(self.asked)
            self.asked.append(what)
            turn = self.fails_at is not None and (number >= self.fails_at if self.lasting else number == self.fails_at)
        error = apsw.CantOpenError(f"{what} fails") if what == "create" else self.error(f"{what} fails")
        fails = turn and (self.error is not apsw.FullError or what in {"write", "create"})
        if fails and not self.late:
            raise error
        yield
        if fails:
            raise error

    def cuts(self) -> Iterator[Platter]:
        """Return the disk as it is at each change, which may or may not have come to pass."""
        platter = Platter()
        for change in self.changes:
            # what is under way at the cut may be done, but a sync then has made nothing certain
            waits = change[0] not in {"sync", "sync folder"}
            platter.take(change) if waits else None
            yield platter
            platter.take(change) if not waits else None

    def changed(self, *changes: Change) -> None:
        """Write down what changed."""
        with self.lock:
            self.changes.extend(changes)


class _Files(apsw.VFS):
    """Open and delete the files of one disk."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self.name = disk, f"failing-{next(_NUMBERS)}"
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - APSW's name
        return _File(self.disk, name, flags) if name else apsw.VFSFile("", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - APSW's name
        name = Path(filename).name
        with self.disk.doing("delete"):
            super().xDelete(filename, syncdir)
            if self.disk.files.pop(name, None) is not None:
                self.disk.changed(("name", name, None), *([("sync folder",)] if syncdir else []))

    def excepthook(self, *_error: object) -> bool:
        return True


class _File(apsw.VFSFile):
    """Read and write one file of a disk."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        before = path.read_bytes() if path.exists() else None
        self.disk = disk
        with disk.doing("open" if before is not None else "create"):
            super().__init__("", name, flags)
        if path.name not in disk.files:
            disk.files[path.name] = next(_NUMBERS)
            file = disk.files[path.name]
            disk.changed(("found", path.name, file, before) if before else ("name", path.name, file))
        self.file = disk.files[path.name]
        #: the folder is synced together with a new rollback journal, as SQLite does
        self.syncs_folder = before is None and path.name.endswith(("-journal", "-wal"))

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - APSW's name
        with self.disk.doing("read"):
            return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - APSW's name
        with self.disk.doing("write"):
            super().xWrite(data, offset)
            self.disk.changed(("write", self.file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - APSW's name
        with self.disk.doing("truncate"):
            super().xTruncate(newsize)
            self.disk.changed(("truncate", self.file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - APSW's name
        with self.disk.doing("sync"):
            super().xSync(flags)
            self.disk.changed(("sync", self.file), *([("sync folder",)] if self.syncs_folder else []))
            self.syncs_folder = False

    def xFileSize(self) -> int:  # noqa: N802 - APSW's name
        with self.disk.doing("size"):
            return super().xFileSize()

    def xLock(self, level: int) -> None:  # noqa: N802 - APSW's name
        with self.disk.doing("lock"):
            super().xLock(level)

    def excepthook(self, *_error: object) -> bool:
        return True


#: What SQLite says of an error of its own, and as what Python's driver raises it.
_SAID: Final = {
    apsw.FullError: (sqlite3.OperationalError, "database or disk is full"),
    apsw.IOError: (sqlite3.OperationalError, "disk I/O error"),
    apsw.CantOpenError: (sqlite3.OperationalError, "unable to open database file"),
    apsw.BusyError: (sqlite3.OperationalError, "database is locked"),
    apsw.ReadOnlyError: (sqlite3.OperationalError, "attempt to write a readonly database"),
    apsw.CorruptError: (sqlite3.DatabaseError, "database disk image is malformed"),
    apsw.NotADBError: (sqlite3.DatabaseError, "file is not a database"),
    apsw.ConstraintError: (sqlite3.IntegrityError, ""),
}


@contextmanager
def _as_python_says() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        kind, text = _SAID.get(type(error), (sqlite3.OperationalError, ""))
        raise kind(text or str(error).partition(": ")[2] or str(error)) from error


class _Cursor:
    """Stand for a cursor of Python's driver."""

    arraysize = 1

    def __init__(self, connection: "_Connection") -> None:
        self._own, self._cursor = connection.own, connection.own.cursor()
        self._cursor.exec_trace = self._describe
        self._rows: list[Any] = []
        self.description: tuple[Any, ...] | None = None
        self.rowcount, self.lastrowid = -1, 0

    def _describe(self, cursor: apsw.Cursor, _statement: str, _values: Any) -> bool:
        columns = cursor.get_description()
        self.description = tuple((name, *[None] * 6) for name, _type in columns) or None
        return True

    def execute(self, statement: str, values: Any = ()) -> "_Cursor":
        return self.executemany(statement, [values])

    def executemany(self, statement: str, several: Sequence[Any]) -> "_Cursor":
        before = self._own.total_changes()
        with _as_python_says():
            for values in several:
                self._rows = list(self._cursor.execute(statement, values))
        self.rowcount = -1 if self.description else self._own.total_changes() - before
        self.lastrowid = self._own.last_insert_rowid()
        return self

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = arraysize) -> list[Any]:
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def fetchall(self) -> list[Any]:
        return self.fetchmany(len(self._rows))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def close(self) -> None:
        self._cursor.close(force=True)


class _Connection:
    """Stand for a connection of Python's driver, as far as SQLAlchemy and the journal use one."""

    isolation_level: str | None = ""

    def __init__(self, own: apsw.Connection) -> None:
        self.own = own

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    def execute(self, statement: str, values: Any = ()) -> _Cursor:
        return self.cursor().execute(statement, values)

    def create_function(self, name: str, arity: int, function: Callable[..., Any], *, deterministic: bool) -> None:
        self.own.create_scalar_function(name, function, arity, deterministic=deterministic)

    def commit(self) -> None:
        self.execute("COMMIT") if self.own.in_transaction else None

    def rollback(self) -> None:
        self.execute("ROLLBACK") if self.own.in_transaction else None

    def close(self) -> None:
        self.own.close(force=True)


class Dialect(SQLiteDialect_pysqlite):
    """Be SQLite's dialect over the disk in use."""

    supports_statement_cache = True
    files: _Files | None = None

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return what SQLAlchemy takes for Python's driver."""

        def connect(path: str, timeout: float = 5.0, **_options: Any) -> _Connection:
            assert cls.files is not None
            with _as_python_says():
                own = apsw.Connection(path, vfs=cls.files.name)
            own.set_busy_timeout(int(timeout * 1000))
            return _Connection(own)

        names = [name for name in dir(sqlite3) if name.endswith("Error")]
        return SimpleNamespace(
            paramstyle="qmark",
            connect=connect,
            sqlite_version_info=tuple(map(int, apsw.sqlite_lib_version().split("."))),
            **{name: getattr(sqlite3, name) for name in names},
        )


@contextmanager
def on(disk: Disk) -> Iterator[Disk]:
    """Let whatever opens SQLite through SQLAlchemy write on a disk."""
    Dialect.files = _Files(disk)
    registry.register("sqlite", Dialect.__module__, Dialect.__name__)
    try:
        yield disk
    finally:
        registry.deregister("sqlite")
        Dialect.files.unregister()
        Dialect.files = None


if __name__ == "__main__":
    from test_power_cuts import main

    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
