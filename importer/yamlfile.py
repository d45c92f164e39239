"""Strict YAML with positions: every scalar is the text that was typed, every value knows its line and column.

PyYAML alone reads `NO` as false, `0101` as 65, `12:30` as 750, keeps the last of two equal keys and follows any number
of aliases; here a plain scalar stays text, and the schema says later where a number or a boolean is wanted.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from importer.errors import MappingError, reason_of

#: One step to a value: a key of a mapping, or a position in a list.
Step = str | int
YamlPath = tuple[Step, ...]

#: How workbooks begin: a zip archive, and Excel's older files.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SPECIAL = "Put a value that begins with a special character such as @ % * & { [ - in quotes."
_QUESTION = "Write what is meant in place of the ?; put a text that begins with one in quotes."
#: What to do, by words of what PyYAML says; the first that is met counts.
_ADVICE = (
    # as it stands in a draft of init
    ("found '?'", _QUESTION),
    ("mapping keys are not allowed", _QUESTION),
    (
        "mapping values are not allowed",
        "Put a value that holds ': ' in quotes, and indent what belongs together alike.",
    ),
    ("quoted scalar", "Close the quote that begins here."),
    ("simple key", "Write name: value, with a space after the colon."),
    ("found '<scalar>'", "Put all of the value in quotes, and double a quote that stands within it."),
    ("<block end>", "Indent the line like those that it belongs with."),
    ("flow", "Close each { and [, and put a text that holds one of , : { } [ ] in quotes."),
    ("cannot start any token", _SPECIAL),
    ("sequence entries are not allowed", _SPECIAL),
    ("alias", _SPECIAL),
    ("anchor", _SPECIAL),
)
_MAX_BYTES = 1_000_000
_MAX_DEPTH = 40
_MAX_ALIASES = 200
_MAX_NODES = 50_000


class PlainText(str):
    """Hold a scalar typed without quotes, which may be meant as a number or a boolean."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Hold a place in a file, 1-based."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFault:
    """Say what is wrong at one place of a file that people edit."""

    file: str
    message: str
    mark: Mark | None = None
    #: the line's text, to be quoted under the message
    quote: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Write the fault with its line quoted and a caret under the place."""
        if self.mark is None:
            return "\n".join(filter(None, [f"{self.file}: {self.message}", self._hint()]))
        head = f"{self.file}:{self.mark.line}:{self.mark.column}: {self.message}"
        number = f"{self.mark.line:5d}"
        caret = "".join("\t" if char == "\t" else " " for char in self.quote[: self.mark.column - 1]) + "^"
        parts = [head, f"{number} | {self.quote}", f"{' ' * len(number)} | {caret}", self._hint()]
        return "\n".join(filter(None, parts))

    def _hint(self) -> str:
        return f"  {self.hint}" if self.hint else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """Hold a parsed file: its data (dict, list, str) and where each part of it stands."""

    path: Path
    #: how messages name the file
    name: str
    lines: tuple[str, ...]
    data: Any
    marks: dict[YamlPath, Mark] = field(repr=False)
    key_marks: dict[YamlPath, Mark] = field(repr=False)

    def fault(self, path: YamlPath, message: str, *, hint: str = "", on_key: bool = False) -> FileFault:
        """Return a fault at the value of `path`, at its key, or at the nearest place above that is known."""
        first, second = (self.key_marks, self.marks) if on_key else (self.marks, self.key_marks)
        mark = first.get(path) or second.get(path)
        while mark is None and path:
            path = path[:-1]
            mark = self.key_marks.get(path) or self.marks.get(path)
        return self.fault_at(mark or Mark(1, 1), message, hint)

    def fault_at(self, mark: Mark, message: str, hint: str = "") -> FileFault:
        """Return a fault at a place of this file."""
        quote = self.lines[mark.line - 1] if 0 < mark.line <= len(self.lines) else ""
        return FileFault(file=self.name, message=message, mark=mark, quote=quote, hint=hint)


def did_you_mean(word: str, allowed: list[str]) -> str:
    """Return `Did you mean 'x'?` for the nearest allowed word, else the list when it is short, else nothing."""
    folded = {name.casefold(): name for name in allowed}
    near = get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"Did you mean {folded[near[0]]!r}?"
    if 0 < len(allowed) <= 20:  # noqa: PLR2004 - as many names as fit on two lines
        return f"Allowed: {', '.join(allowed)}."
    return ""


def load(path: Path, name: str | None = None) -> YamlFile:
    """Read one YAML file.

    Raises: MappingError naming file, line and column for anything that is not one plain YAML 1.2 document without
    tags, with distinct keys and a bounded number of aliases.
    """
    name = name or str(path)
    text = _text(path, name)
    lines = tuple(text.splitlines())
    blank = YamlFile(path=path, name=name, lines=lines, data=None, marks={}, key_marks={})
    try:
        node = _Composer(_bounded(text, blank)).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _failure([_syntax(blank, error)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = (
            f"The character {chr(error.character)!r} is not allowed in YAML."
            if isinstance(error.character, int)
            else "The file is not readable as UTF-8 text."
        )
        raise _failure([blank.fault_at(Mark(line, 1), message, "Delete it; it may have come from a copy.")]) from None
    if node is None:
        raise _failure([FileFault(file=name, message="The file is empty.")])
    walk = _Walk(blank)
    data = walk.value(node, ())
    if walk.faults:
        raise _failure(walk.faults)
    return YamlFile(path=path, name=name, lines=lines, data=data, marks=blank.marks, key_marks=blank.key_marks)


def _failure(faults: list[FileFault]) -> MappingError:
    return MappingError("\n".join(str(fault) for fault in faults), tuple(faults))


def _text(path: Path, name: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        message = f"The file cannot be read: {reason_of(error)}."
        raise _failure([FileFault(file=name, message=message, hint=_instead(path))]) from None
    if raw.startswith(_WORKBOOKS):
        hint = "Name the mapping first, then the workbook."
        raise _failure([FileFault(file=name, message="This is a workbook, not a YAML file.", hint=hint)])
    if len(raw) > _MAX_BYTES:
        raise _failure([FileFault(file=name, message=f"The file is larger than {_MAX_BYTES:,} bytes.")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        hint = "Save it as UTF-8 in your editor."
        raise _failure(
            [FileFault(file=name, message="The file is not UTF-8 text.", mark=Mark(line, 1), hint=hint)]
        ) from None


def _instead(path: Path) -> str:
    """Return which file may be meant where one cannot be read."""
    if path.is_dir():
        return "Name a file in it."
    if path.exists():
        return "See that you may read it."
    there = [near.name for near in path.parent.glob("*.y*ml") if near.name != path.name] if path.parent.is_dir() else []
    near = get_close_matches(path.name, there, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Name a file that is there."


def _bounded(text: str, file: YamlFile) -> list[yaml.Event]:
    """Return the flat stream of events; refuse what would make composing them recurse or grow without end."""
    depth = aliases = documents = 0
    events = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        events.append(event)
        mark = _mark(event.start_mark)
        if isinstance(event, yaml.events.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _failure([file.fault_at(mark, "A second document ('---') starts here; one file holds one.")])
        if isinstance(event, yaml.events.AliasEvent):
            aliases += 1
        elif isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise _failure([file.fault_at(mark, f"The file is nested deeper than {_MAX_DEPTH} levels here.")])
        if aliases > _MAX_ALIASES:
            raise _failure([file.fault_at(mark, f"The file uses more than {_MAX_ALIASES} aliases ('*name').")])
        if getattr(event, "tag", None) is not None:
            raise _failure(
                [file.fault_at(mark, f"Tags such as {getattr(event, 'tag', '')!r} are not used here; delete it.")]
            )
    return events


class _Composer(yaml.composer.Composer):
    """Compose nodes of events that were parsed already: to parse is what takes long."""

    def __init__(self, events: list[yaml.Event]) -> None:
        super().__init__()
        self._events = events
        self._next = 0

    def check_event(self, *choices: type[yaml.Event]) -> bool:
        return self._next < len(self._events) and isinstance(self._events[self._next], choices)

    def peek_event(self) -> yaml.Event:
        return self._events[self._next]

    def get_event(self) -> yaml.Event:
        self._next += 1
        return self._events[self._next - 1]

    # which type a scalar reads as is asked of its text, where the schema wants one
    def descend_resolver(self, *_place: Any) -> None: ...

    def ascend_resolver(self) -> None: ...

    def resolve(self, *_scalar: Any) -> str:
        return ""


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _syntax(file: YamlFile, error: yaml.MarkedYAMLError) -> FileFault:
    problem = (error.problem or "this is not YAML").replace("\n", " ")
    told = f"{error.context or ''}: {problem}"
    # what is never closed is noticed far below: it is told where it begins
    begun = any(words in told for words in ("quoted scalar", "simple key", "<stream end>"))
    mark = _mark(error.context_mark if begun else error.problem_mark or error.context_mark)
    line = file.lines[mark.line - 1] if 0 < mark.line <= len(file.lines) else ""
    if "\t" in line[: mark.column]:
        hint = "Indent with spaces; YAML does not allow tabs."
    elif "flow" in told and "{{" in line:
        hint = "Put a value that begins with {{ in quotes."
    else:
        hint = next((advice for words, advice in _ADVICE if words in told), "")
    return file.fault_at(mark, f"This is not valid YAML: {problem}.", hint)


class _Walk:
    """Turn composed nodes into data, noting marks, refusing equal keys and unbounded expansion."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.faults: list[FileFault] = []
        self._nodes = 0

    def value(self, node: yaml.Node, path: YamlPath) -> Any:
        self._nodes += 1
        mark = _mark(node.start_mark)
        if self._nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise _failure([self.file.fault_at(mark, "The aliases ('*name') of this file expand without a bound.")])
        self.file.marks[path] = mark
        if isinstance(node, yaml.ScalarNode):
            return PlainText(node.value) if node.style is None else str(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: yaml.Node, path: YamlPath) -> dict[Hashable, Any]:
        data: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(self.file.fault_at(mark, "A key is one word or a text, not a list or a group."))
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in data:
                first = self.file.key_marks[here]
                message = f"The key {key!r} stands here a second time; the first is on line {first.line}."
                self.faults.append(self.file.fault_at(mark, message, "Keep one of the two."))
                continue
            self.file.key_marks[here] = mark
            data[key] = self.value(value_node, here)
        return data
