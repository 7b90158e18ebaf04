"""What may stand in the unit register: the codes of the basic form, each value of its type and in its code list on the day
it takes effect. One definition for every door: the imported file, a single change, an application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from schemas import reserved
from schemas.catalog import codelists_on
from schemas.model import Indicator, Programme, ValueType
from schemas.period import Period
from sources import cell_values

LONGEST = 300  # characters of a text; a name is far shorter


def period_of(day: date) -> Period:
    """The quarter of a day."""
    return Period(day.year, quarter=(day.month - 1) // 3 + 1)


def governed_day(programme: Programme, day: date) -> date:
    """The day, or the nearest one that an edition of the programme governs: units were there before the first edition."""
    editions = programme.editions.values()
    first = min(date(e.first_period.year, 1, 1) for e in editions)
    if any(e.last_period is None for e in editions):
        return max(day, first)
    last = max(date(e.last_period.year, 12, 31) for e in editions if e.last_period)
    return min(max(day, first), last)


def register_codes(programme: Programme) -> dict[str, Indicator]:
    """Code → indicator of everything the register can hold, the newest edition's word on each."""
    forms = [
        edition.forms[reserved.BASIC] for edition in programme.editions.values() if reserved.BASIC in edition.forms
    ]
    return {
        i.code: i for form in forms for i in form.indicators if i.code != reserved.PERIOD
    }  # of the form, not of the unit


@dataclass
class RegisterValues:
    """The judge of register values; what a day allows is made once a day."""

    programme: Programme
    _days: dict[Period, tuple[dict[str, Indicator], dict[str, frozenset[str]]]] = field(default_factory=dict)

    def _on(self, day: date) -> tuple[dict[str, Indicator], dict[str, frozenset[str]]]:
        period = period_of(governed_day(self.programme, day))
        if period not in self._days:
            form = self.programme.edition_for(period).forms.get(reserved.BASIC)
            known = {i.code: i for i in form.indicators} if form else {}
            self._days[period] = (register_codes(self.programme) | known, codelists_on(self.programme, period))
        return self._days[period]

    def taken(self, code: str, value: str, day: date) -> tuple[str, str]:
        """(the value as the register keeps it, "") or ("", what is wrong and what to do, in Chinese); a mark of "none" is ""."""
        known, lists = self._on(day)
        indicator = known.get(code)
        if indicator is None:
            return "", f"名录库没有“{code}”这个登记事项,可写基本情况表的代码(如 B02 单位详细名称)"
        shown = f"{indicator.name}({code})的“{value[:40]}”"
        match indicator.type:
            case ValueType.CODE:
                wrong = self._code_problem(indicator, value, day, lists)
                return ("", f"{shown}{wrong}") if wrong else (value, "")
            case ValueType.BOOLEAN:
                return _read(cell_values.boolean(value), f"{shown}不是“是”或“否”,请填是或否")
            case ValueType.DATE:
                return _read(cell_values.day(value), f"{shown}不是日期,请写 2025-01-31")
            case ValueType.NUMBER:
                wanted = f"不能用作数字,请以{indicator.unit_measure}为单位填写,小数不超过 {indicator.decimals} 位"
                return _read(cell_values.number(value, indicator.decimals, indicator.unit_measure), f"{shown}{wanted}")
        if len(value) > LONGEST:
            return "", f"{shown}有 {len(value)} 个字,过长,请核对是不是错列"
        return value, ""

    def _code_problem(self, indicator: Indicator, value: str, day: date, lists: Mapping[str, frozenset[str]]) -> str:
        """What is wrong with a code, empty where nothing is or there is no list."""
        if indicator.options:
            if value in indicator.options:
                return ""
            meant = [code for code, name in indicator.options.items() if name == value]
            listed = "、".join(f"{code} {name}" for code, name in indicator.options.items())
            return f"不是代码,名称“{value}”的代码是 {meant[0]},请填代码" if meant else f"不在代码表内,可填:{listed}"
        allowed = lists.get(indicator.codelist)
        if not indicator.codelist or allowed is None or value in allowed:
            return ""
        rows = self.programme.codelists.get(indicator.codelist)
        if rows is None:
            return f"不在代码表 {indicator.codelist} 内,请按代码表填写"
        if (known := rows.rows.filter(code=value)).height:
            spans = ";".join(
                f"{a or '起初'} 至 {b or '今'}" for a, b in known.select("valid_from", "valid_to").iter_rows()
            )
            return f"在 {day} 不在用(代码表 {indicator.codelist}:{spans}),请写当日在用的代码,或写对生效日期"
        named = rows.rows.filter(name=value)["code"].unique(maintain_order=True).to_list()
        if named:
            return f"是名称,不是代码,请填代码 {'、'.join(named[:5])}"
        short = next((c for c in (value.zfill(w) for w in (3, 4, 6)) if c in allowed), "")
        hint = f"(是不是丢了前面的 0:{short}?)" if short else ""
        return f"不在代码表 {indicator.codelist} 内{hint},请按代码表填写"

    def attributes(self, given: Mapping[str, str | None], day: date) -> tuple[dict[str, str | None], list[str]]:
        """All values as the register keeps them, and every problem; None clears a value."""
        kept: dict[str, str | None] = {}
        problems = []
        for code, value in given.items():
            text, wrong = ("", "") if value is None else self.taken(code, value, day)
            kept[code] = text or None
            if value is None and code not in self._on(day)[0]:
                wrong = f"名录库没有“{code}”这个登记事项"
            if wrong:
                problems.append(wrong)
        return kept, problems


def _read(found: cell_values.Reading, wrong: str) -> tuple[str, str]:
    """A reading as the text the register keeps: booleans as 1 and 0, dates as ISO text."""
    if found.is_problem:
        return "", wrong
    match found.value:
        case None:
            return "", ""
        case bool():
            return ("1" if found.value else "0"), ""
    return str(found.value), ""
