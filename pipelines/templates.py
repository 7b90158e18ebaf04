"""Templates with what is known: register, last period's figures, last year's accepted figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.checking import register_of
from pipelines.intake import Office
from pipelines.operands import History, operands_for
from schemas import reserved
from schemas.errors import RefusalError
from schemas.expression import operands, parse
from schemas.layout import workbook_layout
from schemas.model import Edition, Programme
from schemas.observations import ADDRESS_COLUMNS, from_text
from schemas.period import Period
from schemas.polars_target import environment_for, prepare_rows, row_expr
from sources.template import write_template
from sources.template_operands import lagged_columns
from sources.template_rules import audited_rules
from warehouse.ledger.parks import parks
from warehouse.ledger.periods import round_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


def template_for(
    office: Office | None, programme: Programme, period: Period, park: str, *, unit: str = "", as_of: date | None = None
) -> bytes:
    """The template of ``park`` for ``period``, or of its one enterprise ``unit``. Without an office (no home) it is blank
    but for programme, park and unit. Raises RefusalError for an enterprise that is not in the park's register."""
    _require_known(office, programme, period, park)
    if office is None:
        nothing_but = pl.DataFrame({"unit_id": [unit], "name": [None]}, schema_overrides={"name": pl.String})
        edition = programme.edition_for(period)
        return write_template(
            edition, programme, period, park, units=nothing_but if unit else None, unit=unit, as_of=as_of
        )
    known = _known(office, programme, period, park)
    return _written(programme, period, park, known, unit, as_of)


def unit_templates(
    office: Office, programme: Programme, period: Period, park: str, *, as_of: date | None = None
) -> Iterator[tuple[str, bytes]]:
    """(enterprise, its own workbook) for every enterprise of the park that owes a report, in the order of their codes."""
    _require_known(office, programme, period, park)
    known = _known(office, programme, period, park)
    for unit in sorted(known.units["unit_id"]):
        yield unit, _written(programme, period, park, known, unit, as_of)


@dataclass(frozen=True)
class _Known:
    units: pl.DataFrame
    previous: dict[str, pl.DataFrame]
    year_earlier: dict[str, pl.DataFrame]
    owing: dict[str, list[str]]
    other_periods: dict[str, pl.DataFrame]
    deadline: str


def _known(office: Office, programme: Programme, period: Period, park: str) -> _Known:
    """What register and earlier submissions say of a park and the enterprises that owe a report."""
    edition = programme.edition_for(period)
    with office.ledger.read() as session:
        history = History(office.vault, session, programme)
        units = register_of(history, period, park)
        statuses = units["answer_status"].is_null() if units.height else pl.Series([], dtype=pl.Boolean)
        units = units.filter(statuses) if units.height else units
        earlier = next(iter(history.earlier_periods(period, park)), None)
        previous = _frames(history, earlier, park) if earlier else {}
        year_earlier = _year_earlier(history, period, park, units)
        other_periods = _other_periods(history, period, park, units, previous)
        current = round_of(session, period)
    owing = _owing(office, edition, period, units)
    units = _with_prefilled(units, previous, edition, period) if units.height else units
    deadline = printed_deadline(current.deadline_of(park)) if current else ""
    return _Known(units, previous, year_earlier, owing, other_periods, deadline)


def _written(programme: Programme, period: Period, park: str, known: _Known, unit: str, as_of: date | None) -> bytes:
    units = known.units.filter(unit_id=unit) if unit else known.units
    if unit and units.is_empty():
        raise RefusalError(f"{unit} 在 {period} 期末不在 {park} 的名录库,或已登记不再报送;先进库,后有数。")
    return write_template(
        programme.edition_for(period), programme, period, park,
        units=units if units.height else None, previous=known.previous, year_earlier=known.year_earlier, owing=known.owing,
        other_periods=known.other_periods, unit=unit, as_of=as_of, deadline=known.deadline,
    )  # fmt: skip


def _require_known(office: Office | None, programme: Programme, period: Period, code: str) -> None:
    """Raise RefusalError for a code that is neither a park or area of the registers nor a province or city."""
    known = {
        *programme.codelists["parks"].valid(period.end)["code"],
        *programme.codelists["division_upper"].rows["code"],
    }
    if office is not None:
        with office.ledger.read() as session:
            known |= {p.code for p in parks(session, period.end)}
    if code not in known:
        raise RefusalError(
            f"{period} 期末没有园区或区域“{code}”,请核对代码。", command="新的园区先用 ytb park add 登记。"
        )


def _other_periods(
    history: History, period: Period, park: str, units: pl.DataFrame, previous: dict[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Roster → the figures of other periods that the audit cells need; nothing where no rule of the template asks for any."""
    edition = history.programme.edition_for(period)
    env = environment_for(history.programme, period, edition=edition)
    rules = audited_rules(edition.rules_for(period), list(workbook_layout(edition, period).values()))
    wanted = lagged_columns(rules, env)
    if not wanted:
        return {}
    rosters = {"park": pl.Series([park])}
    for form in edition.forms.values():
        ids = units["unit_id"] if form.roster == "enterprise" and units.height else None
        frame = previous.get(form.code)
        if ids is None and frame is not None:
            ids = frame["unit_id"]
        if ids is not None and form.roster not in rosters:
            rosters[form.roster] = ids
    found = operands_for(history, period, park, rosters).frames
    return {
        roster: frame.select("unit_id", *(c for c in frame.columns if c in wanted)) for roster, frame in found.items()
    }


def printed_deadline(deadline: datetime) -> str:
    """A deadline as forms print it: midnight is 24时 of the day before; minutes where it is no full hour."""
    local = deadline.astimezone(SHANGHAI)
    day, hour = (local - timedelta(days=1), 24) if local.hour == local.minute == 0 else (local, local.hour)
    minutes = f"{local.minute}分" if local.minute else ""
    return f"{day.year}年{day.month}月{day.day}日{hour}时{minutes}前"


def _frames(history: History, period: Period, park: str) -> dict[str, pl.DataFrame]:
    submission = history.standing(period).get(park)
    if submission is None:
        return {}
    frames = history.observations(submission).frames
    return {code: frame.drop(*ADDRESS_COLUMNS, "park") for code, frame in frames.items()}


def _year_earlier(history: History, period: Period, park: str, units: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Form → last year's figures of today's units, wherever they filed then."""
    edition = history.programme.edition_for(period)
    at = period.year_earlier()
    found: dict[str, pl.DataFrame] = {}
    rosters = {f.roster for f in edition.forms.values() if f.with_year_earlier(period)}
    for roster in sorted(rosters):
        if roster == "park":
            frame = history.roster(at, park, "park")
        else:
            ids = units["unit_id"] if roster == "enterprise" and units.height else pl.Series([], dtype=pl.String)
            frame = history.units_at(at, park, roster, ids)
        if frame is None:
            continue
        for form in edition.forms.values():
            codes = [
                i.code for i in form.with_year_earlier(period) if form.roster == roster and i.code in frame.columns
            ]
            if codes:
                found[form.code] = frame.select("unit_id", *codes)
    return found


def _with_prefilled(
    units: pl.DataFrame, previous: dict[str, pl.DataFrame], edition: Edition, period: Period
) -> pl.DataFrame:
    """Register attributes; what the register does not hold comes from the last basic form, for the park to confirm."""
    basic = previous.get(reserved.BASIC)
    if basic is None:
        return units
    asked = [
        i.code
        for i in edition.forms[reserved.BASIC].asked(period)
        if i.code in basic.columns and i.code not in (reserved.PERIOD, reserved.PARK)
    ]
    merged = units.join(
        basic.select("unit_id", *asked).unique("unit_id", keep="first"), on="unit_id", how="left", suffix=" last"
    )
    for code in asked:
        if f"{code} last" in merged.columns:
            merged = merged.with_columns(pl.coalesce(pl.col(f"{code} last").cast(pl.String), code).alias(code)).drop(
                f"{code} last"
            )
    return merged


def _owing(office: Office, edition: Edition, period: Period, units: pl.DataFrame) -> dict[str, list[str]]:
    """Form → units that owe it, as far as the register says; a unit whose duty depends on unknown figures is listed."""
    found: dict[str, list[str]] = {}
    if units.is_empty():
        return found
    env = environment_for(office.programme, period, edition=edition)
    for form in edition.forms.values():
        if form.roster != "enterprise" or not form.applies_if or not form.asked(period):
            continue
        if any(lag for _, lag in operands(parse(form.applies_if))):
            continue
        typed = _typed_units(units, edition)
        ready = prepare_rows(typed, [form.applies_if], env)
        owed = ready.select("unit_id", owed=row_expr(form.applies_if, env)).filter(pl.col("owed").fill_null(True))
        found[form.code] = owed["unit_id"].to_list()
    return found


def _typed_units(units: pl.DataFrame, edition: Edition) -> pl.DataFrame:
    columns = [c for c in units.columns if c in edition.indicators]
    return units.select("unit_id", *(from_text(c, edition.indicators[c].dtype) for c in columns))
