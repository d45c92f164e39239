"""How people write numbers, dates and yes or no, by locale; Babel knows the separators, the strictness is ours."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Final

from importer.model import Fault

_SPACES: Final = re.compile("[ \u00a0\u2007\u2009\u202f]")
_MINUS: Final = "-\u2212\u2012\u2013"
#: What may stand before or behind an amount.
CURRENCY: Final = (
    r"(?:[sndi]?kr\.?|kron(?:er|or|e|a)|euroa?|dollars?|pounds?|nok|sek|dkk|eur|isk|usd|gbp|chf|us\$|[€$£])"
)
_APOSTROPHES: Final = "'\u2019"

#: Words for yes and no by language; `""` holds everywhere.
BOOLEAN_WORDS: Final[dict[str, dict[str, bool]]] = {
    "": {"true": True, "false": False},
    "nb": {"ja": True, "nei": False, "sann": True, "usann": False},
    "nn": {"ja": True, "nei": False, "sann": True, "usann": False},
    "no": {"ja": True, "nei": False, "sann": True, "usann": False},
    "sv": {"ja": True, "nej": False, "sant": True, "falskt": False},
    "da": {"ja": True, "nej": False, "sand": True, "falsk": False},
    "fi": {"kyllä": True, "ei": False, "tosi": True, "epätosi": False},
    "en": {"yes": True, "no": False},
    "de": {"ja": True, "nein": False, "wahr": True, "falsch": False},
}


class DateFormat:
    """Read dates written in one declared way, such as `dd.mm.yyyy`."""

    __slots__ = ("_pattern", "digits_only", "text")
    NO_SUCH_DAY: Final = "no such day"

    _TOKENS: Final = {
        "yyyy": r"(?P<y>\d{4})",
        "mm": r"(?P<m>\d{2})",
        "m": r"(?P<m>\d{1,2})",
        "dd": r"(?P<d>\d{2})",
        "d": r"(?P<d>\d{1,2})",
    }

    def __init__(self, text: str) -> None:
        """Take the format.

        Raises: ValueError with the reason when it does not name one day, one month and one year of four digits.
        """
        self.text = text
        parts = re.split(r"(y+|m+|d+)", text.lower())
        pattern, seen = "", ""
        for part in parts:
            if part in self._TOKENS:
                pattern += self._TOKENS[part]
                seen += part[0]
            elif re.fullmatch("[ymd]+", part):
                reason = "write the year as yyyy" if part[0] == "y" else "use d, dd, m, mm and yyyy"
                raise ValueError(f"{part!r} is not known: {reason}.")
            elif re.search("[^\\W\\d_]", part):
                raise ValueError(f"{part!r} is not known: use d, dd, m, mm and yyyy.")
            else:
                pattern += re.escape(part)
        if sorted(seen) != ["d", "m", "y"]:
            raise ValueError("It must name one day (dd), one month (mm) and one year (yyyy).")
        self.digits_only = set(text.lower()) <= set("ymd")
        self._pattern = re.compile(pattern)

    def parse(self, text: str) -> date | str | None:
        """Return the day a text names, None where it is not written so, NO_SUCH_DAY where there is no such day."""
        match = self._pattern.fullmatch(text)
        if not match or not text.isascii():
            return None
        try:
            return date(int(match["y"]), int(match["m"]), int(match["d"]))
        except ValueError:
            return self.NO_SUCH_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """Hold how one locale writes numbers and dates."""

    name: str
    language: str
    decimal: str
    group: str
    date_format: DateFormat | None


@cache
def locale(name: str) -> Locale:
    """Return a locale such as `nb-NO`.

    Raises: ValueError when nobody knows it.
    """
    from babel import Locale as BabelLocale
    from babel import UnknownLocaleError

    try:
        known = BabelLocale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        raise ValueError(
            f"The locale {name!r} is not known. Write for instance nb-NO, sv-SE, da-DK, fi-FI or en-GB."
        ) from None
    symbols = known.number_symbols.get("latn") or known.number_symbols
    short = str(known.date_formats["short"].pattern)
    return Locale(
        name=name,
        language=known.language,
        decimal=symbols["decimal"],
        group=_SPACES.sub(" ", symbols["group"]),
        date_format=_date_format(short, certain=known.language != "en" or known.territory is not None),
    )


def _date_format(pattern: str, *, certain: bool) -> DateFormat | None:
    order = re.sub("y+", "yyyy", re.sub("M+", "m", re.sub("d+", "d", pattern)))
    try:
        return DateFormat(order) if certain else None
    except ValueError:
        return None


def parse_number(text: str, where: Locale | None) -> Decimal | Fault:
    """Return the one number a text can mean in a locale; without a locale only bare digits are certain."""
    bare = _SPACES.sub(" ", text).strip()
    negative, body = _sign(bare)
    if where is None:
        if re.fullmatch("[0-9]+", body):
            return _signed(Decimal(body), negative=negative is True)
        if not re.search("[0-9]", body):
            return _not_a_number(text, "")
        return Fault(
            "number_format",
            text,
            f"{text!r} is text, and the mapping does not say how numbers are written. Say for instance locale: nb-NO "
            "under workbook, or make the cell a number in Excel.",
        )
    body = _without_currency(body, where)
    if negative is None:
        negative, body = _sign(body)
    number = _grouped(_without_dashes(body, where), where)
    if number is None:
        return _not_a_number(text, f" in {where.name}")
    if isinstance(number, str):
        return Fault(
            "ambiguous_number",
            text,
            f"{text!r} can be read in two ways in {where.name}: {number}. Make the cell a number in Excel, or write "
            "it without a separator.",
        )
    return _signed(number, negative=negative is True)


def _signed(number: Decimal, *, negative: bool) -> Decimal:
    """Return a number with its sign; there is no negative zero."""
    return number.copy_negate() if negative and number else number


def _not_a_number(text: str, where: str) -> Fault:
    return Fault("not_a_number", text, f"{text!r} is not a number{where}. Correct the cell.")


def _sign(text: str) -> tuple[bool | None, str]:
    """Take a leading or trailing minus, a plus or accounting parentheses off a number; None where it has none."""
    if text.startswith("(") and text.endswith(")"):
        return True, text[1:-1].strip()
    if text[:1] and text[0] in _MINUS:
        return True, text[1:].strip()
    if text[-1:] and text[-1] in _MINUS and text[-2:-1] not in {",", ".", ":", *_MINUS}:
        return True, text[:-1].strip()
    return (False, text[1:].strip()) if text.startswith("+") else (None, text)


def _without_currency(text: str, where: Locale) -> str:
    """Take a currency word off either end."""
    # where the decimal mark is a point, the one of `kr.50` may be that
    gap = r"(?<!\.)\s*|\s+" if where.decimal == "." else r"\s*"
    return re.sub(rf"^{CURRENCY}(?:{gap})|\s*{CURRENCY}$", "", text, count=1, flags=re.IGNORECASE).strip()


def _without_dashes(text: str, where: Locale) -> str:
    """Take the dashes off that stand for no decimals: `32,-`, `32:-` and, behind the locale's own mark, `1.234,--`."""
    match = re.fullmatch(rf"(?P<body>.*[0-9])(?P<mark>[,.:])[{_MINUS}]{{1,2}}", text)
    if match is None or not (match["mark"] in {where.decimal, ":"} or match["body"].isdigit()):
        return text
    return match["body"]


def _grouped(body: str, where: Locale) -> Decimal | str | None:
    """Return the number, a sentence with its two readings, or None where it has none."""
    point = where.decimal
    marks = {" ", where.group, *_APOSTROPHES, "."} - {point, ""}
    if point == ".":
        marks.add(",")
    inside = "|".join(re.escape(mark) for mark in sorted(marks))
    match = re.fullmatch(
        rf"(?P<whole>[0-9]+|[0-9]{{1,3}}(?:(?P<mark>{inside})[0-9]{{3}})(?:(?P=mark)[0-9]{{3}})*)"
        rf"(?:{re.escape(point)}(?P<part>[0-9]+))?",
        body,
    )
    if not match:
        return None
    mark, part = match["mark"], match["part"]
    whole = re.sub("[^0-9]", "", match["whole"])
    if mark is not None and body[0] == "0":
        # nobody groups a number that begins with zero: its mark may be meant for decimals
        return f"{whole} or {body.replace(mark, point)}" if body.count(mark) == 1 and part is None else None
    if mark in {".", ","} and mark != where.group and part is None and body.count(mark) == 1:
        return f"{whole} or {body.replace(mark, point)}"
    return Decimal(f"{whole}.{part}" if part else whole)
