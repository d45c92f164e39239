"""Say in plain words why the ERP refuses documents: a catalogue of causes, read from YAML, and equal causes together.

The words of the ERP stand whole beside every explanation: the catalogue knows kinds of wording and can be wrong.
"""

import re
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from importer import resources
from importer.errors import MappingError
from importer.model import Outcome, Status
from importer.schemacheck import check, load_schema
from importer.yamlfile import FileFault, Mark, YamlFile, YamlPath, load

#: The name of a catalogue of one's own, beside the mapping.
FILE: Final = "causes.yaml"
#: No pattern sees more of a message than this many characters.
MAX_MESSAGE: Final = 4_000
_SHOWN: Final = 8
_LANGUAGES: Final = ("en", "nb", "sv")
_PLACEHOLDER: Final = "{subject}"
_VISMA_ID: Final = re.compile(r"VismaId:\s*[0-9a-fA-F-]{8,36}\.?\s*")
_ANSWERED: Final = re.compile(r"Visma answered(?: that the action failed)?: ")
_CHANGING: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(?:[.,:/-]\d+)*")
_UNSAID: Final = re.compile(r"\s*(?:[-–:]\s*)?[('\"]?\{subject\}[)'\"]?")
#: A group that repeats can take time without end; `?` alone is harmless, and so is a bracket within [...].
_REPEATED: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<repeated>\)(?:[*+]|\{[\d,]+\}))|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Match:
    """Say which cause a message has, and what it is about."""

    cause_id: str
    #: empty where the pattern takes none
    subject: str = ""
    #: what else the message is about in the same way, such as the items of further lines
    others: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return everything that the message is about."""
        return (self.subject, *self.others) if self.subject else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Hold one cause: how it is recognised, and its texts by language."""

    id: str
    pattern: re.Pattern[str]
    #: empty for all
    endpoints: tuple[str, ...]
    cause: Dictionary[str, str]
    advice: Dictionary[str, str]

    def match(self, message: str, endpoint: str) -> Match | None:
        """Return what a message in one line is about, None where it has another cause."""
        if self.endpoints and not any(f"{endpoint}.".startswith(f"{prefix}.") for prefix in self.endpoints):
            return None
        if not self.pattern.search(message):
            return None
        found = [found.groupdict().get("subject") or "" for found in self.pattern.finditer(message)]
        subject, *others = dict.fromkeys(filter(None, found)) or [""]
        return Match(self.id, subject, tuple(others))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Hold all causes, those of one's own first; the bundled ones are read when the first refusal asks for them."""

    own: tuple[Cause, ...] = ()

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Return all causes in the order in which they are tried."""
        replaced = {cause.id for cause in self.own}
        return (*self.own, *(cause for cause in _bundled() if cause.id not in replaced))

    def find(self, message: str, endpoint: str) -> Match | None:
        """Return the first cause that a message of the ERP has, None where it is not known."""
        line = _one_line(message)
        return next(filter(None, (cause.match(line, endpoint) for cause in self.causes)), None)

    def text(self, match: Match, language: str) -> tuple[str, str]:
        """Return the cause and the advice in a language, or in one that there is."""
        cause = next(cause for cause in self.causes if cause.id == match.cause_id)
        return _filled(cause.cause, language, match.subjects), _filled(cause.advice, language, match.subjects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Hold the rejections that have one cause."""

    #: the cause without what it is about, or the ERP's words without what changes in them
    text: str
    #: empty where the cause is not known
    advice: str
    #: what they are about, such as customer numbers; distinct, in the order of the documents
    subjects: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def count(self) -> int:
        """Return how many documents have the cause."""
        return len(self.outcomes)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of the documents that have one."""
        return tuple(outcome.key for outcome in self.outcomes if outcome.key is not None)

    @property
    def rows(self) -> tuple[int, ...]:
        """Return the rows of the documents."""
        return tuple(row for outcome in self.outcomes for row in outcome.rows)


def language_of(locale_name: str | None) -> str:
    """Return the catalogue's language for a locale such as `nb_NO`: nb, sv or en."""
    word = re.split("[-_.]", (locale_name or "").lower())[0]
    return {"nb": "nb", "nn": "nb", "no": "nb", "sv": "sv"}.get(word, "en")


def explain(catalogue: Catalogue, message: str, endpoint: str, language: str) -> str:
    """Return the cause of a message of the ERP, the advice, and the message itself, whole."""
    match = catalogue.find(message, endpoint)
    answered = f"Visma answered: {message}"
    if match is None:
        return answered
    cause, advice = catalogue.text(match, language)
    return f"{_sentence(cause)} {_sentence(advice)} {answered}"


def explain_verdict(catalogue: Catalogue, message: str, endpoint: str, language: str) -> str:
    """Put cause and advice before `Visma answered: ...` in a verdict's message; where it quotes nothing, leave it."""
    said = _ANSWERED.search(message)
    match = catalogue.find(message[said.end() :], endpoint) if said else None
    if said is None or match is None:
        return message
    cause, advice = catalogue.text(match, language)
    return f"{message[: said.start()]}{_sentence(cause)} {_sentence(advice)} {message[said.start() :]}"


def group(outcomes: Sequence[Outcome], catalogue: Catalogue, endpoint: str, language: str) -> list[Group]:
    """Put the rejections with equal causes together, the most frequent first."""
    groups: dict[tuple[str, str], list[tuple[Outcome, tuple[str, ...]]]] = {}
    for outcome in outcomes:
        if outcome.status is not Status.REJECTED:
            continue
        text, advice, subjects = _grouping(outcome.message, catalogue, endpoint, language)
        groups.setdefault((text, advice), []).append((outcome, subjects))
    found = [
        Group(
            text=text if advice or len(members) > 1 else _words(members[0][0].message),
            advice=advice,
            subjects=tuple(dict.fromkeys(subject for _, subjects in members for subject in subjects)),
            outcomes=tuple(outcome for outcome, _ in members),
        )
        for (text, advice), members in groups.items()
    ]
    return sorted(found, key=lambda one: -one.count)


def headline(group: Group, noun: str) -> str:
    """Write a group in one line: `14 invoices: customer not found: 10233, 10234 and 6 more`.

    Where it is about nothing that has a name, the documents' keys are listed.
    """
    names = group.subjects or group.keys
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    counted = f"{group.count} {noun if group.count == 1 else _plural(noun)}"
    return ": ".join(filter(None, [counted, _lowered(group.text.rstrip(".")), listed]))


def noun_of(endpoint: str) -> str:
    """Return what an endpoint's documents are called: `customerCreditNote.create` makes a `credit note`."""
    words = re.sub("([A-Z])", r" \1", endpoint.partition(".")[0]).lower().split()
    return " ".join(words[1:] if len(words) > 1 and words[0] in {"customer", "supplier"} else words) or "document"


def load_causes(folder: Path | None) -> Catalogue:
    """Read the bundled catalogue, and before it the `causes.yaml` of a mapping's folder, where there is one.

    Raises: MappingError naming file, line and column of everything that is wrong in them.
    """
    own = folder / FILE if folder is not None else None
    return Catalogue(_read(own) if own is not None and own.is_file() else ())


@cache
def _bundled() -> tuple[Cause, ...]:
    return _read(resources.schemas() / FILE)


def _read(path: Path) -> tuple[Cause, ...]:
    file = load(path)
    faults = check(file, load_schema(resources.schemas() / "causes.schema.json"))
    causes = [] if faults else [_cause(file, place, data, faults) for place, data in enumerate(file.data)]
    first: dict[str, int] = {}
    for place, cause in enumerate(causes):
        if first.setdefault(cause.id, place) != place:
            line = file.marks[(first[cause.id], "id")].line
            message = f"The cause {cause.id!r} stands here a second time; the first is on line {line}."
            faults.append(file.fault((place, "id"), message, hint="Give one of the two another id."))
    if faults:
        faults.sort(key=lambda fault: (fault.mark.line, fault.mark.column) if fault.mark else (0, 0))
        raise MappingError("\n".join(str(fault) for fault in faults), tuple(faults))
    return tuple(causes)


def _cause(file: YamlFile, place: int, data: dict[str, Any], faults: list[FileFault]) -> Cause:
    pattern = _pattern(file, (place, "pattern"), str(data["pattern"]), faults)
    texts: dict[str, dict[str, str]] = {}
    for part in ("cause", "advice"):
        texts[part] = {str(language): str(text).strip() for language, text in data[part].items()}
        for language, text in texts[part].items():
            _check_text(file, (place, part, language), text, "subject" in pattern.groupindex, faults)
    return Cause(id=str(data["id"]), pattern=pattern, endpoints=tuple(map(str, data.get("endpoints", ()))), **texts)


def _pattern(file: YamlFile, place: YamlPath, text: str, faults: list[FileFault]) -> re.Pattern[str]:
    """Compile a pattern; a fault, and one that takes everything, where it cannot be used."""
    everything = re.compile("(?P<subject>)")
    repeated = next((part.start() for part in _REPEATED.finditer(text) if part["repeated"]), None)
    if repeated is not None:
        hint = "Repeat a class of characters such as [^']+ instead; after ')' only '?' is taken."
        message = "A group that repeats could take the search time without end."
        faults.append(file.fault_at(_inside(file, place, text, repeated), message, hint))
        return everything
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        mark = _inside(file, place, text, getattr(error, "pos", None) or 0)
        reason = getattr(error, "msg", "") or "it is too large"
        hint = "Write \\ before a character such as ( ) [ . ? * + that is meant as itself."
        faults.append(file.fault_at(mark, f"This is not a regular expression: {reason}.", hint))
        return everything
    if pattern.search(""):
        message = "The pattern is found in every message, so that no other cause could hold."
        faults.append(file.fault(place, message, hint="Name at least one word of the message."))
    return pattern


def _inside(file: YamlFile, place: YamlPath, text: str, position: int) -> Mark:
    """Return where a character of a value stands in the file; the value's beginning where it was typed otherwise."""
    mark = file.marks[place]
    line = file.lines[mark.line - 1][mark.column - 1 :]
    quote = line[:1] if line[:1] in {"'", '"'} else ""
    typed = text[:position].replace("\\", "\\\\") if quote == '"' else text[:position]
    typed = quote + (typed.replace("'", "''") if quote == "'" else typed)
    return Mark(mark.line, mark.column + len(typed)) if line.startswith(typed) else mark


def _check_text(file: YamlFile, place: YamlPath, text: str, has_subject: bool, faults: list[FileFault]) -> None:
    if re.search("[{}]", text.replace(_PLACEHOLDER, "")):
        faults.append(file.fault(place, "The one placeholder that a text can hold is {subject}."))
    elif _PLACEHOLDER in text and not has_subject:
        hint = "Put (?P<subject>...) around the part of the pattern that it stands for."
        faults.append(file.fault(place, "The text holds {subject}, but the pattern takes none.", hint=hint))


def _one_line(message: str) -> str:
    return " ".join(_VISMA_ID.sub("", message[: 2 * MAX_MESSAGE]).split())[:MAX_MESSAGE]


def _filled(texts: Dictionary[str, str], language: str, subjects: Sequence[str]) -> str:
    text = next(texts[name] for name in (language, *_LANGUAGES) if name in texts)
    return text.replace(_PLACEHOLDER, ", ".join(subjects)) if subjects else _UNSAID.sub("", text).strip()


def _grouping(message: str, catalogue: Catalogue, endpoint: str, language: str) -> tuple[str, str, tuple[str, ...]]:
    """Return what makes rejections the same, cause and advice or the words, and what this one is about."""
    match = catalogue.find(_said(message), endpoint)
    if match is not None:
        return *catalogue.text(Match(match.cause_id), language), match.subjects
    return _CHANGING.sub("…", _words(message)), "", ()


def _said(message: str) -> str:
    """Return the ERP's words in a verdict's message in one line, or the whole message where it quotes none."""
    said = _ANSWERED.search(message)
    return _one_line(message[said.end() :] if said else message)


def _words(message: str) -> str:
    """Return what is known of a message that has no cause here: what was said of it when it came, else the ERP's words.

    A report that is written again does not know the catalogue of the mapping's folder, whose words stand there.
    """
    said = _ANSWERED.search(message)
    return _one_line(message[: said.start()] if said else "") or _said(message)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _lowered(text: str) -> str:
    """Return a text to go on within a line; capitals that are an abbreviation's stay."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"
