"""Turn the bytes of a text file into text: by the declared encoding, by evidence, or by a guess that is told."""

import codecs
import re
from itertools import islice
from typing import Final

from importer.errors import WorkbookError

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Older encodings of Northern Europe, the likeliest first: Windows, Apple, DOS (Danish and Norwegian, Western).
LEGACY: Final = {"cp1252": "Windows", "mac_roman": "old Apple", "cp865": "DOS", "cp850": "DOS"}
#: letters of our languages with what each speaks for an encoding: their own more than those of their guests
_LETTERS: Final = {**dict.fromkeys("éèêëáàâíìóòôúùñçÉÈÁÀÓÍÚÑÇ", 1), **dict.fromkeys("æøåäöüßÆØÅÄÖÜ", 3)}
_NEUTRAL: Final = frozenset("\u00a0–—‘’“”«»€£§°½²³´·×…•®©™‰šžŠŽ")
#: Bytes that are letters and marks in Windows, but none in any part of ISO 8859, where they are control characters.
_CONTROL: Final = re.compile("[\x80-\x9f]")
_SAMPLE: Final = 200_000
_EXAMPLES: Final = 3


def decode(name: str, data: bytes, declared: str | None) -> tuple[str, str, str]:
    """Return the text, the encoding it was read in, and a note for the user where that was guessed.

    Raises: WorkbookError when it is not text, or not text in the declared encoding.
    """
    marked = next((encoding for bom, encoding in _BOMS if data.startswith(bom)), None)
    if declared:
        return _declared(name, data, declared, marked), declared, ""
    if marked:
        return _strictly(name, data, marked), marked, ""
    if b"\x00" in data:
        _refuse_nul(name, data)
    try:
        return data.decode("utf-8"), "utf-8", ""
    except UnicodeDecodeError:
        return _guessed(name, data)


def _declared(name: str, data: bytes, declared: str, marked: str | None) -> str:
    try:
        known = codecs.lookup(declared)
    except LookupError:
        known = None
    if known is None or not known._is_text_encoding:
        raise WorkbookError(
            f"The mapping's workbook: encoding: {declared!r} is no encoding that is known here. Use for instance "
            "utf-8, cp1252 or utf-16."
        )
    family = known.name.replace("-sig", "").partition("-le")[0].partition("-be")[0]
    if marked and family != marked.removesuffix("-sig"):
        raise WorkbookError(
            f"{name!r} begins with the mark of {marked.removesuffix('-sig')}, but the mapping says encoding: "
            f"{declared}. Delete that line of the mapping, or correct it."
        )
    text = _strictly(name, data, marked if marked == "utf-8-sig" else known.name)
    if "\x00" in text:
        _refuse_nul(name, data)
    if known.name.startswith("iso8859"):
        _refuse_windows(name, text, declared)
    return text.removeprefix("\ufeff")


def _refuse_windows(name: str, text: str, declared: str) -> None:
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise WorkbookError(
            f"{name!r} is not {declared} throughout: line {line} holds the byte 0x{ord(found[0]):02X}, which is an "
            "invisible control character there. Windows writes dashes, quotation marks and € so: say in the mapping "
            "workbook: encoding: cp1252."
        )


def _strictly(name: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        # without the mark, which the decoder has taken off
        line = error.object.count(b"\n", 0, error.start) + 1
        raise WorkbookError(
            f"{name!r} is not {encoding.removesuffix('-sig')} throughout: line {line} holds the byte "
            f"0x{error.object[error.start]:02X}, which is nothing there. Export the file again, or say in the mapping "
            "which encoding it has: workbook: encoding: cp1252."
        ) from None


def _refuse_nul(name: str, data: bytes) -> None:
    sample = data[:_SAMPLE]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if sample[first::2].count(0) > len(sample) // 4 and not sample[1 - first :: 2].count(0):
            raise WorkbookError(
                f"{name!r} looks like text in {encoding} without the mark that says so. Say in the mapping: workbook: "
                f"encoding: {encoding}."
            )
    raise WorkbookError(
        f"{name!r} holds NUL bytes (the first in line {data.count(10, 0, data.index(0)) + 1}); it is damaged or no "
        "text file. Export it again."
    )


def _guessed(name: str, data: bytes) -> tuple[str, str, str]:
    """Return the text as the older encoding reads it in which the letters make most sense."""
    scores: dict[str, tuple[int, str]] = {}
    for encoding in LEGACY:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        scores[encoding] = (_score(text), text)
    best = max(scores, key=lambda encoding: scores[encoding][0])
    score, text = scores[best]
    if score < 0:
        raise WorkbookError(
            f"The encoding of {name!r} cannot be told: it is not UTF-8, and in no other encoding tried "
            f"({', '.join(LEGACY)}) do its letters make sense. Say in the mapping which it is: workbook: encoding: "
            "NAME."
        )
    return text, best, _note(text, best, scores)


def _score(text: str) -> int:
    """Count the letters of our languages that stand beside another letter, less what is unlikely in a text."""
    score = 0
    for match in islice(re.finditer(r"[^\x00-\x7f]", text), _SAMPLE):
        char, spot = match[0], match.start()
        before, after = text[max(spot - 1, 0) : spot], text[spot + 1 : spot + 2]
        letters = [near for near in before + after if near.isalpha()]
        if char in _LETTERS and (char.isupper() or letters):
            # capitals within a word of small letters, and words without a plain letter, are another encoding's
            strange = (char.isupper() and before.islower()) or (letters and not any(map(str.isascii, letters)))
            score += -1 if strange else _LETTERS[char]
        elif char not in _NEUTRAL:
            score -= 2
    return score


def _note(text: str, best: str, scores: dict[str, tuple[int, str]]) -> str:
    words = dict.fromkeys(re.findall(r"\w*[^\W\x00-\x7f]\w*", text))
    shown = ", ".join(repr(word[:30]) for word in list(words)[:_EXAMPLES])
    other = max((encoding for encoding in scores if encoding != best), key=lambda found: scores[found][0], default=None)
    seen = f" It reads there: {shown}." if shown else ""
    instead = f" Is a letter wrong, try {other}." if other else ""
    return (
        f"The file is not UTF-8 and says nothing of its encoding; it was read as {best} ({LEGACY[best]}).{seen} If "
        f"that is right, say so in the mapping: workbook: encoding: {best}.{instead}"
    )
