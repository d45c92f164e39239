"""A plan in a file, to be reviewed and then sent exactly, once: every body byte for byte, and what it was made from.

It is bound to the files it was made from, to the company, and to what the journal knew. Pure but for its own file.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from importer.atomic_file import replacing
from importer.documents import MARK
from importer.errors import StartError
from importer.jsontext import write_json
from importer.model import Document
from importer.replaced import Before

FORMAT_VERSION: Final = 1
_NAME: Final = "visma-import plan"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Hold what the plan was made of, as the command line named it."""

    mapping: str
    workbook: str | None = None
    param: tuple[str, ...] = ()
    limit: int | None = None
    only: tuple[str, ...] = ()
    step: str | None = None


def arguments(
    mapping: Path,
    workbook: Path | None,
    param: tuple[str, ...],
    limit: int | None,
    only: tuple[str, ...],
    step: str | None,
) -> Arguments:
    """Return what a plan is made of, its files as they are named from the current folder."""
    named = workbook.as_posix() if workbook else None
    return Arguments(mapping=mapping.as_posix(), workbook=named, param=param, limit=limit, only=only, step=step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Hold one document of a saved plan."""

    key: str | None
    rows: tuple[int, ...]
    #: None where it is to be sent
    status: str | None
    message: str
    #: what is sent; a number that is not known yet stands as `⟦customers: K-17⟧`
    body: str
    fingerprint: str
    #: the fingerprint without any number of another document
    own_fingerprint: str
    #: where it is sent: its own endpoint and the number in its path, where these are not those of the step and the key
    endpoint: str
    number: str | None
    #: SHA-256 of the values that it replaces; empty where it replaces none
    replaces: str

    @classmethod
    def of(cls, document: Document, decided: Document) -> "Planned":
        """Return a document as a plan keeps it: as its rows give it, and as it was decided."""
        return cls(
            key=document.key,
            rows=document.rows,
            status=decided.status.value if decided.status else None,
            message=decided.message,
            body=decided.body.decode(),
            fingerprint=decided.fingerprint,
            own_fingerprint=document.fingerprint,
            endpoint=decided.endpoint,
            number=decided.path_number,
            replaces=_replaced_by(decided),
        )

    @property
    def address(self) -> tuple[str, str | None]:
        """Return where it is sent."""
        return self.endpoint, self.number

    @property
    def unfinished(self) -> bool:
        """Tell whether its body lacks the number of another document."""
        return MARK in self.body

    def is_what_is_sent(self, document: Document) -> bool:
        """Tell whether a document that is about to go out is this one, byte for byte."""
        # what lacks numbers was held against the plan before they were put in
        same = self.unfinished or self.body.encode() == document.body
        return same and self.address == (document.endpoint, document.path_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedStep:
    """Hold one mapping of a saved plan."""

    name: str
    endpoint: str
    documents: tuple[Planned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """Hold a plan as its file does."""

    plan_id: str
    made_at: str
    #: version of the program
    program: str
    arguments: Arguments
    target: str
    company: str
    #: SHA-256 by file, as messages name it
    files: dict[str, str]
    #: what stands for all that the journal knew
    journal: str
    steps: tuple[SavedStep, ...]

    def dump(self) -> str:
        """Write it as JSON that shows when anybody changed it."""
        data = {"format_version": FORMAT_VERSION, "kind": _NAME, **asdict(self)}
        return json.dumps({**data, "sha256": _digest(data)}, ensure_ascii=False, indent=1) + "\n"

    def save(self, file: Path) -> None:
        """Write it into a file that only its owner can read, whole or not at all.

        Raises: StartError.
        """
        with replacing(file, private=True) as partial, partial.open("wb") as stream:
            # a lone surrogate has no UTF-8 form, but an escape in JSON
            stream.write(self.dump().encode("utf-8", "backslashreplace"))
            stream.flush()
            os.fsync(stream.fileno())


def _replaced_by(document: Document) -> str:
    """Return what stands for the values that a document replaces; what is kept beside them depends on the others."""
    if not document.before:
        return ""
    values = Before.load(document.before).replaced
    return hashlib.sha256(write_json(dict(sorted(values.items()))).encode()).hexdigest()


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def load_plan(file: Path) -> SavedPlan:
    """Read a saved plan.

    Raises: StartError when it cannot be read, is no plan, is newer than this program, or was changed.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StartError(
            f"The plan {str(file)!r} cannot be read: {reason}. 'visma-import plan -o' makes one."
        ) from None
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.get("kind") != _NAME:
        raise StartError(f"{str(file)!r} is no saved plan. 'visma-import plan MAPPING -o FILE' makes one.")
    if data.get("format_version") != FORMAT_VERSION:
        raise StartError(
            f"The plan {str(file)!r} has format {data.get('format_version')}; this program reads {FORMAT_VERSION}. "
            "Make it again with this version."
        )
    digest = data.pop("sha256", None)
    if digest != _digest(data):
        raise StartError(
            f"The plan {str(file)!r} is not as it was made: somebody changed it, or it is not whole. Nothing was sent. "
            "Make it again."
        )
    steps = tuple(
        SavedStep(
            name=step["name"],
            endpoint=step["endpoint"],
            documents=tuple(Planned(**{**one, "rows": tuple(one["rows"])}) for one in step["documents"]),
        )
        for step in data["steps"]
    )
    given = data["arguments"]
    arguments = Arguments(**{**given, "param": tuple(given["param"]), "only": tuple(given["only"])})
    own = {name: data[name] for name in ("plan_id", "made_at", "program", "target", "company", "files", "journal")}
    return SavedPlan(arguments=arguments, steps=steps, **own)


def changed_files(saved: SavedPlan, now: Dictionary[str, str]) -> list[str]:
    """Say which files are others now than those that a plan was made of; `now` holds their SHA-256."""
    names = sorted({*saved.files, *now})
    changed = [name for name in names if saved.files.get(name) != now.get(name)]
    return [f"{name[:1].upper()}{name[1:]} is not as it was when the plan was made." for name in changed]


def staleness(saved: SavedPlan, now: SavedPlan, *, resumed: bool) -> list[str]:
    """Say in what a plan that is made now differs from a saved one; nothing where it may be sent.

    `resumed`: an earlier try at this very plan ended early, so that some of its documents have gone out already and
    have numbers that others refer to.
    """
    if saved.company != now.company:
        return [f"It was made for the company {saved.company}, but {now.target!r} is {now.company}."]
    if changed := changed_files(saved, now.files):
        return changed
    if [(step.name, step.endpoint) for step in saved.steps] != [(step.name, step.endpoint) for step in now.steps]:
        return ["It has other steps now."]
    pairs = zip(saved.steps, now.steps, strict=True)
    found = [text for then, today in pairs for text in _differences(then, today, resumed=resumed)]
    if saved.journal != now.journal:
        found.insert(0, "The journal has moved since: a run, or a person's word, changed what it knows.")
    left = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"... and {left} more differences."] if left > 0 else [])]


def _differences(saved: SavedStep, now: SavedStep, *, resumed: bool) -> Iterator[str]:
    if len(saved.documents) != len(now.documents):
        yield f"{saved.name}: {len(saved.documents)} documents then, {len(now.documents)} now."
        return
    for then, today in zip(saved.documents, now.documents, strict=True):
        own = (then.key, then.rows, then.own_fingerprint) == (today.key, today.rows, today.own_fingerprint)
        gone = resumed and today.status is not None
        if not own or (not gone and not _same(then, today, resumed=resumed)):
            yield f"{saved.name} {then.key!r}: what it would send, or replace, is another now."
        elif then.status != today.status and not (resumed and then.status is None):
            yield f"{saved.name} {then.key!r}: {_fate(then)} then, {_fate(today)} now. {today.message}".rstrip()


def _same(then: Planned, today: Planned, *, resumed: bool) -> bool:
    """Tell whether what is to be sent is the same; numbers that an earlier try gave may have come into it."""
    if resumed and then.unfinished:
        return then.address == today.address
    return (then.replaces, then.body) == (today.replaces, today.body) and then.address == today.address


def _fate(one: Planned) -> str:
    return "to be sent" if one.status is None else one.status.replace("_", " ")
