"""Write a draft as the text of a mapping: sure lines, doubtful ones behind a #, evidence beside both."""

from collections.abc import Iterable, Sequence
from typing import Final

from importer.drafting.model import Draft, Item, Setting
from importer.drafting.shape import scalar

_WIDTH: Final = 118


def written(draft: Draft, schema: str, said: Sequence[str] = ()) -> str:
    """Return the draft as a mapping's text; `said` is what `check` says of it, `schema` where the schema lies."""
    parts = [
        [f"# yaml-language-server: $schema={schema}", *_head(draft, said)],
        ["version: 1", f"name: {scalar(draft.name)}", f"endpoint: {draft.endpoint.name}"],
        list(_workbook(draft)),
        list(_setting(draft.where, "")) if draft.where else [],
        list(_key(draft)),
        list(_section("fields", draft.items)),
        list(_section("lines", draft.items)),
        list(_totals(draft)),
        list(_left(draft)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(draft: Draft, said: Sequence[str]) -> Iterable[str]:
    place = f"{_plain(draft.file)}, sheet {_plain(draft.sheet)}, headers in row {draft.header_row}"
    yield f"# Drafted by visma-import init from {place}."
    yield "# What is sure stands as a line, what is not stands behind a # with the reason: read both before you use it."
    if draft.missing:
        yield "#"
        yield "# Missing:"
        yield from _listed(draft.missing)
    if said:
        yield "#"
        yield "# visma-import check says of this draft:"
        yield from _listed(said)
    for note in draft.notes:
        yield f"# {_plain(note)}"


def _listed(texts: Sequence[str]) -> Iterable[str]:
    for text in texts:
        first, *rest = _wrapped(_plain(text), _WIDTH - 4)
        yield f"# - {first}"
        yield from (f"#   {part}" for part in rest)


def _plain(text: str) -> str:
    """Return a text as a comment can hold it, on one line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _workbook(draft: Draft) -> Iterable[str]:
    yield "workbook:"
    yield f"  file: {scalar(draft.file)}"
    yield f"  sheet: {scalar(draft.sheet)}"
    if draft.header_row != 1:
        yield f"  header_row: {draft.header_row}"
    for setting in draft.settings:
        yield from _setting(setting, "  ")


def _setting(setting: Setting, indent: str) -> Iterable[str]:
    start = f"{indent}# " if setting.doubt else indent
    yield from _with_comment(
        f"{start}{setting.name}: {scalar(setting.value)}", setting.doubt or setting.evidence, indent
    )


def _with_comment(line: str, comment: str, indent: str) -> Iterable[str]:
    """Put a comment beside a line, or above it where both do not fit."""
    told = _plain(comment)
    if not told:
        yield line
    elif len(line) + len(told) + 4 <= _WIDTH:
        yield f"{line}  # {told}"
    else:
        yield from (f"{indent}# {part}" for part in _wrapped(told, _WIDTH - len(indent) - 2))
        yield line


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _key(draft: Draft) -> Iterable[str]:
    if draft.key:
        yield from _item("key", draft.key, "")
        return
    proposals = [item for item in draft.items if item.path == ("key",)]
    for item in proposals:
        yield from _item("key", item, "")
    if not proposals:
        yield "# key: ?  # the header of the column with the number that tells the documents apart"


def _section(name: str, items: Iterable[Item]) -> Iterable[str]:
    own = [item for item in items if item.path[0] == name]
    if not own:
        return
    live = any(item.sure for item in own)
    yield f"{name}:" if live else f"# {name}:"
    yield from _nested([(item.path[1:], item) for item in own], "  " if live else "#   ", live=live)


def _nested(items: list[tuple[tuple[str, ...], Item]], indent: str, *, live: bool) -> Iterable[str]:
    """Write fields and groups of fields in order; a group without a sure member is commented out as a whole."""
    done: set[str] = set()
    for path, item in items:
        name = path[0]
        if len(path) == 1:
            yield from _item(name, item, indent, commented=not live)
        elif name not in done:
            done.add(name)
            group = [(rest[1:], each) for rest, each in items if rest[0] == name and len(rest) > 1]
            alive = live and any(each.sure for _, each in group)
            start = indent if alive or not live else f"{indent}# "
            yield f"{start}{name}:"
            yield from _nested(group, f"{start}  ", live=alive)


def _item(name: str, item: Item, indent: str, *, commented: bool = False) -> Iterable[str]:
    """Write one field: the short form, or a block with its options; a doubtful one on one line behind a #."""
    comment = "; ".join(filter(None, [item.evidence, item.doubt])) if item.doubt else item.evidence
    if not item.sure or commented:
        start = indent if commented else f"{indent}# "
        yield from _with_comment(f"{start}{name}: {_value(item)}", comment, indent.rstrip("# ") or indent)
    elif not item.options and not item.doubtful_options:
        yield from _with_comment(f"{indent}{name}: {_value(item)}", comment, indent)
    else:
        yield from _with_comment(f"{indent}{name}:", comment, indent)
        yield f"{indent}  column: {scalar(item.header)}"
        yield from (f"{indent}  {option}: {value}" for option, value in item.options)
        yield from (f"{indent}  # {option}: {value}" for option, value in item.doubtful_options)


def _value(item: Item) -> str:
    if item.literal:
        return item.literal
    if item.path[-1] == "subaccount":
        return f"[{{segmentId: {{value: ?}}, segmentValue: {scalar(item.header)}}}]"
    options = (*item.options, *item.doubtful_options)
    if not options:
        return scalar(item.header)
    return f"{{column: {scalar(item.header)}, " + ", ".join(f"{name}: {value}" for name, value in options) + "}"


def _totals(draft: Draft) -> Iterable[str]:
    if draft.totals:
        yield "totals:"
    for item in draft.totals:
        header = scalar(item.header)
        yield from _with_comment(f"  - {{name: {header}, sum: {header}}}", item.evidence, "  ")


def _left(draft: Draft) -> Iterable[str]:
    if draft.left:
        yield "# Columns that match no field, so they are not sent:"
    for column in draft.left:
        yield f"#   {_plain(column.header)}: {column.evidence}"
