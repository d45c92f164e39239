"""Choose the key, the fields, the lines and the totals of a draft from what was matched and seen."""

import re
from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from importer.drafting.column import Column, columns_of, counted
from importer.drafting.grouping import Groups
from importer.drafting.header import totals_row
from importer.drafting.matching import AMOUNT, Level, Match, Matcher
from importer.drafting.model import Draft, Item, Left, Setting
from importer.drafting.shape import Shape, Surroundings, shape
from importer.drafting.style import Style, date_style, language_locale, number_style, shape_of
from importer.drafting.words import LANGUAGES, Words
from importer.endpoints import Endpoint
from importer.fields import Kind
from importer.jsontext import plain
from importer.locales import BOOLEAN_WORDS, Locale, locale, parse_number
from importer.model import Row
from importer.workbook import Sheet

_NUMBERS: Final = {Kind.DECIMAL, Kind.INTEGER}
_DATES: Final = {Kind.DATE, Kind.DATETIME}
_MOST: Final = 0.8


def make_draft(sheet: Sheet, endpoint: Endpoint, words: Words, *, file: str, name: str) -> Draft:
    """Return the draft of a mapping for a sheet."""
    return _Chooser(sheet, endpoint, words).draft(file, name)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Hold a column with the field it is to feed and what was seen."""

    column: Column
    match: Match
    shape: Shape

    def item(self, doubt: str = "") -> Item:
        """Return it as an item of the draft."""
        return Item(
            path=self.match.path,
            header=self.column.header,
            options=self.shape.options,
            doubtful_options=self.shape.doubtful_options,
            evidence=self.shape.evidence,
            doubt=doubt or self.match.doubt or self.shape.doubt,
        )


class _Chooser:
    """Carry one sheet from columns to a draft."""

    def __init__(self, sheet: Sheet, endpoint: Endpoint, words: Words) -> None:
        self.sheet, self.endpoint, self.words = sheet, endpoint, words
        self.total = totals_row(sheet, words)
        last = self.total[0] if self.total else None
        self.rows = tuple(row for row in sheet.rows if not row.blank and row is not last)
        self.columns = columns_of(sheet, self.rows)
        self.matcher = matcher = Matcher(endpoint, words)
        self.targets = matcher.targets
        self.matches = {column.header: matcher.matches(column) for column in self.columns}
        self.language = self._language()
        self.numbers = self._number_style()
        self.around = Surroundings(words, self._locale(), self._dates())

    def draft(self, file: str, name: str) -> Draft:
        chosen, doubtful = self._assign()
        key = chosen.pop("key", None)
        groups = Groups(key.column, self.rows) if key else None
        items = [*self._fields(chosen, groups), *(each.item() for each in doubtful)]
        items += self._from_key(key, items)
        items, totals = self._totals(items)
        items += self._period(items)
        spots = {column.header: column.spot for column in self.columns}
        items.sort(key=lambda item: spots.get(item.header, -1))
        used = {item.header for item in (*items, *totals)} | ({key.column.header} if key else set())
        left = tuple(
            Left(header=each.header, evidence=each.kinds()) for each in self.columns if each.header not in used
        )
        return Draft(
            endpoint=self.endpoint,
            name=name,
            file=file,
            sheet=self.sheet.name,
            header_row=self.sheet.header_row,
            rows=len(self.sheet.rows),
            settings=tuple(self._settings()),
            where=self._where(),
            key=self._key_item(key, groups) if key else None,
            items=tuple(items),
            totals=tuple(totals),
            left=left,
            missing=tuple(self._missing(key, items)),
            notes=tuple(self._notes()),
        )

    # -- what is known of the whole sheet ------------------------------------------------------------------------

    def _language(self) -> str:
        """Return the language in which most headers are known; a word of two languages counts half for each."""
        weight = dict.fromkeys(LANGUAGES, 0.0)
        for found in self.matches.values():
            languages = found[0].languages if found and found[0].level <= Level.WITHOUT_QUALIFIER else frozenset()
            for language in languages:
                weight[language] += 1 / len(languages)
        return max(weight, key=lambda language: weight[language])

    def _of_kind(self, kinds: set[Kind]) -> Iterable[Column]:
        for column in self.columns:
            found = self.matches[column.header]
            if found and found[0].field.kind in kinds and found[0].field.members is None:
                yield column

    def _number_style(self) -> Style:
        texts = [text for column in self._of_kind(_NUMBERS) for text in column.texts if re.search(r"\D", text)]
        return number_style(texts, self.language) if texts else Style()

    def _locale(self) -> Locale | None:
        if self.numbers.name:
            return locale(self.numbers.name)
        words = BOOLEAN_WORDS[self.language]
        truths = [text for column in self._of_kind({Kind.BOOLEAN}) for text in column.texts]
        if truths and not self.numbers.open and all(text.casefold() in words for text in truths):
            return locale(language_locale(self.language))
        return None

    def _dates(self) -> Dictionary[frozenset[str], tuple[str, str]]:
        found: dict[frozenset[str], tuple[str, str]] = {}
        for column in self._of_kind(_DATES):
            texts = [*column.texts, *(plain(number) for number in column.numbers)]
            style = date_style(texts) if texts else Style()
            if style.name:
                found.setdefault(shape_of(texts), (style.name, column.header))
        return found

    def _settings(self) -> Iterable[Setting]:
        layout = self.sheet.layout
        if layout and layout.encoding and not layout.encoding.lower().startswith("utf"):
            told = "as the file was read; see that its letters are right before you take the # away"
            yield Setting(name="encoding", value=layout.encoding, doubt=told)
        if self.around.locale and self.numbers.name:
            told = f"{self.numbers.evidence}; the headers are {_LANGUAGE_NAMES[self.language]}"
            yield Setting(name="locale", value=self.numbers.name, evidence=told)
        elif self.around.locale:
            yield Setting(name="locale", value=self.around.locale.name, evidence="for the words for yes and no")
        elif self.numbers.open:
            told = f"how are numbers written? {self.numbers.evidence}"
            yield Setting(name="locale", value=self.numbers.open[0], doubt=told)
        hidden = sum(row.hidden and not row.blank for row in self.sheet.rows)
        if hidden:
            told = f"{counted(hidden, 'row')} hidden or filtered away: skip leaves them out, include imports them"
            yield Setting(name="hidden_rows", value="skip", doubt=told)

    def _where(self) -> Setting | None:
        if self.total is None:
            return None
        row, header, text = self.total
        name, told = header.replace("\\", "\\\\").replace("'", "\\'"), text.replace("\\", "\\\\").replace("'", "\\'")
        condition = f"{{{{ row['{name}'] != '{told}' }}}}"
        return Setting(name="where", value=condition, evidence=f"row {row.number} is a total, not a document")

    def _notes(self) -> Iterable[str]:
        for header in sorted(self.sheet.repeated):
            yield f"The header {header!r} stands more than once, so none of these columns is used: rename them."

    # -- which column feeds which field --------------------------------------------------------------------------

    def _assign(self) -> tuple[dict[str, _Chosen], list[_Chosen]]:
        """Return by target the columns that feed it surely, and those that may feed something."""
        chosen: dict[str, _Chosen] = {}
        doubtful: list[_Chosen] = []
        order = sorted(
            (column for column in self.columns if self.matches[column.header]),
            key=lambda column: (self.matches[column.header][0].level, column.spot),
        )
        for column in order:
            shaped = [self._shaped(column, match) for match in self.matches[column.header]]
            free = [each for each in shaped if not each.item().doubt and each.match.target not in chosen]
            if free:
                chosen[free[0].match.target] = free[0]
                continue
            doubtful.append(self._doubted(shaped, chosen))
        return chosen, doubtful

    def _shaped(self, column: Column, match: Match) -> _Chosen:
        found = shape(column, match.field, self.around)
        if match.target == "key" and not found.doubt:
            found = replace(found, doubt=Groups(column, self.rows).doubt(lines=self.endpoint.lines is not None))
        return _Chosen(column, match, found)

    @staticmethod
    def _doubted(shaped: list[_Chosen], chosen: Dictionary[str, _Chosen]) -> _Chosen:
        first = next((each for each in shaped if not each.item().doubt), shaped[0])
        if first.item().doubt:
            return first
        taken = chosen[first.match.target].column.header
        told = f"doubtful: {first.match.path[-1]} is fed by {taken!r} already"
        return replace(first, match=replace(first.match, doubt=told))

    def _fields(self, chosen: Dictionary[str, _Chosen], groups: Groups | None) -> Iterable[Item]:
        """Yield what is sure, on the document or on the line as the rows of one document agree or differ."""
        taken = set(chosen)
        for each in chosen.values():
            others = [match for match in self.matches[each.column.header] if match.path[0] == "lines"]
            free = [match for match in others if match.target not in taken]
            differs = ""
            if groups and each.match.path[0] == "fields":
                differs = groups.differs(each.column, strictly=bool(free))
            if not differs:
                yield each.item()
            elif free:
                taken.add(free[0].target)
                yield replace(each, match=free[0]).item()
            else:
                yield each.item(f"doubtful: a document has one, but {differs}")

    def _key_item(self, key: _Chosen, groups: Groups | None) -> Item:
        told = groups.told() if groups else ""
        return replace(key.item(), evidence="; ".join(filter(None, [told, key.shape.evidence])))

    def _from_key(self, key: _Chosen | None, items: list[Item]) -> Iterable[Item]:
        """Yield what the document's own number feeds besides the key."""
        if key is None or not self.endpoint.may_create:
            return
        fed = {item.path for item in items if item.sure}
        base = replace(key.item(), doubt="", evidence="")
        reference, number = self.endpoint.reference_field, self.endpoint.number_field
        if reference and ("fields", reference) not in fed and reference in self.targets:
            yield replace(base, path=("fields", reference), evidence="by this a document is found again in Visma")
        if number and ("fields", number) not in fed:
            doubt = "only where the number series in Visma takes numbers of your own" if reference else ""
            yield replace(base, path=("fields", number), doubt=doubt)
            if not reference:
                own = "keeps these numbers, where the number series allows it"
                yield Item(
                    path=("fields", "overrideNumberSeries"), header=base.header, literal="{value: true}", doubt=own
                )

    # -- amounts, the period -------------------------------------------------------------------------------------

    def _totals(self, items: list[Item]) -> tuple[list[Item], list[Item]]:
        """Turn an amount that is quantity times price into a total to check; sum up one that is sent."""
        by_path = {".".join(item.path): item for item in items if item.sure}
        amount = by_path.get(AMOUNT)
        if amount is None:
            return items, list(self._amounts(items))
        quantity, price = by_path.get("lines.quantity"), by_path.get("lines.unitPriceInCurrency")
        total = replace(amount, path=("totals",), options=(), doubtful_options=(), evidence="the sum of what is sent")
        if price is None:
            return items, [total]
        rest = [item for item in items if item is not amount]
        agree, whole = self._products(quantity, price, amount)
        if whole and agree >= _MOST * whole:
            told = f"quantity x price in {agree} of {whole} rows, so it is summed up and not sent"
            return rest, [replace(total, evidence=told)]
        found = f"it is that in {agree} of {whole} rows" if whole else "no row shows whether it is that"
        doubt = f"doubtful: it would replace quantity x price, and {found}"
        return [*rest, replace(amount, doubt=doubt)], []

    def _amounts(self, items: Iterable[Item]) -> Iterable[Item]:
        """Yield the columns of amounts that feed nothing: their sums can be held against the books."""
        used = {item.header for item in items}
        for column in self.columns:
            numbers = [self._read(row, column.header) for row, _ in column.cells]
            if column.header in used or not numbers or not self.matcher.is_amount(column.header):
                continue
            if sum(number is not None for number in numbers) >= _MOST * len(numbers):
                told = f"{column.kinds()}; no field here, so it is summed up and not sent"
                yield Item(path=("totals",), header=column.header, evidence=told)

    def _products(self, quantity: Item | None, price: Item, amount: Item) -> tuple[int, int]:
        """Count the rows where quantity times price is the amount, and those where all can be read."""
        agree = whole = 0
        for row in self.rows:
            one = Decimal(1) if quantity is None else self._read(row, quantity.header)
            each, total = self._read(row, price.header), self._read(row, amount.header)
            if one is not None and each is not None and total is not None:
                whole += 1
                agree += abs(one * each - total) < Decimal("0.01")
        return agree, whole

    def _read(self, row: Row, header: str) -> Decimal | None:
        spot = self.sheet.columns[header]
        cell = row.cells[spot] if spot < len(row.cells) else None
        number = parse_number(cell, self.around.locale) if isinstance(cell, str) else cell
        return number if isinstance(number, Decimal) else None

    def _period(self, items: list[Item]) -> Iterable[Item]:
        """Propose the document's date as the period, where no column is one."""
        fed = {item.path for item in items}
        day = next((item for item in items if item.path == ("fields", "documentDate") and item.sure), None)
        if (
            self.endpoint.period
            and day
            and not fed & {("fields", "period"), ("fields", "postPeriod")}
            and not day.options
        ):
            doubt = "the month of this date; left out, Visma takes the period from the date by itself"
            yield Item(path=("fields", "period"), header=day.header, doubt=doubt)

    def _missing(self, key: _Chosen | None, items: Iterable[Item]) -> Iterable[str]:
        if key is None:
            yield (
                "key: no column is surely the number that tells the documents apart. Say which it is."
                if self.endpoint.may_create
                else "key: no column is surely the number of the documents in Visma. Say which it is."
            )
        fed = {item.path for item in items if item.sure}
        for name in self.endpoint.needed:
            if ("fields", name) not in fed:
                told = next((item.header for item in items if item.path == ("fields", name)), None)
                hint = f" Perhaps {told!r}: see below." if told else ""
                yield f"{name}: the API refuses documents without it, and no column is surely it.{hint}"
        if self.endpoint.lines and self.endpoint.kind == "create" and not any(path[0] == "lines" for path in fed):
            yield "lines: no column is surely a field of a line."


_LANGUAGE_NAMES: Final = {"nb": "Norwegian", "sv": "Swedish", "da": "Danish", "fi": "Finnish", "en": "English"}
