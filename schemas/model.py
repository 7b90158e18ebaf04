"""The survey programme as frozen values. Everything here is loaded from data by ``schemas.catalog``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from schemas.claims import Claims
from schemas.definitions import Definition
from schemas.errors import DefinitionError
from schemas.period import Period


class Severity(StrEnum):
    """强制性 stops a submission, 核实性 asks for an explanation, trial 试行 is counted only."""

    HARD = "hard"
    SOFT = "soft"
    TRIAL = "trial"


class FormKind(StrEnum):
    """roster: one row a unit; sheet: the park itself, one row an indicator; context: area × year, filled by the province."""

    ROSTER = "roster"
    SHEET = "sheet"
    CONTEXT = "context"


class ValueType(StrEnum):
    """What a cell holds. Codes are text; ``number`` is Int64 where ``decimals`` is 0, Decimal otherwise."""

    NUMBER = "number"
    CODE = "code"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"


@dataclass(frozen=True)
class Indicator:
    """One indicator 指标 of one form. ``rounds`` holds A and/or Q; ``year_earlier`` the rounds with a 上年同期 column."""

    code: str
    name: str
    name_en: str
    unit_measure: str
    type: ValueType
    form: str
    rounds: str
    level: str
    required: bool = False
    nonneg: bool = False
    decimals: int = 0
    definition: str = ""
    origin: str = ""
    applies_if: str = ""
    additive: bool = False
    derived: str = ""
    year_earlier: str = ""
    codelist: str = ""
    flow: bool = False
    credit_code: bool = False
    """Whether it is a unified social credit code 统一社会信用代码, of this unit or of another."""
    options: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def dtype(self) -> pl.DataType:
        """The exact polars type of the column."""
        match self.type:
            case ValueType.NUMBER:
                return pl.Decimal(18, self.decimals) if self.decimals else pl.Int64()
            case ValueType.BOOLEAN:
                return pl.Boolean()
            case ValueType.DATE:
                return pl.Date()
        return pl.String()

    @property
    def label(self) -> str:
        """Name with its unit of measure, as in a column head: 营业收入(千元)."""
        return f"{self.name}({self.unit_measure})" if self.unit_measure not in ("", "-") else self.name


@dataclass(frozen=True)
class Form:
    """One form 表式 of one edition. ``key`` are the codes that identify a row; ``roster`` names the population of its rows."""

    code: str
    edition: str
    number: str
    title: str
    kind: FormKind
    key: tuple[str, ...]
    roster: str
    respondent: str
    indicators: tuple[Indicator, ...]
    applies_if: str = ""
    blocks: str = "submission"
    note: str = ""

    def asked(self, period: Period) -> tuple[Indicator, ...]:
        """Indicators collected in ``period``, in printed order; derived ones are computed, not asked."""
        return tuple(i for i in self.indicators if period.round in i.rounds and not i.derived)

    def shown(self, period: Period) -> tuple[Indicator, ...]:
        """As ``asked``, with the derived ones: what stands in a facts table."""
        return tuple(i for i in self.indicators if period.round in i.rounds)

    def with_year_earlier(self, period: Period) -> tuple[Indicator, ...]:
        """Indicators that carry an editable 上年同期 column in ``period``."""
        return tuple(i for i in self.asked(period) if period.round in i.year_earlier)


@dataclass(frozen=True)
class AuditRule:
    """One audit relation 审核关系; ``expression`` is in the rule language, ``rounds`` holds A and/or Q."""

    id: str
    form: str
    severity: Severity
    kind: str
    expression: str
    message: str
    rationale: str
    rounds: str
    applies_if: str = ""
    absorbed_by: tuple[str, ...] = ()
    in_template: bool = False
    valid_from: str = ""
    where: str = ""


@dataclass(frozen=True)
class Codelist:
    """A classification 分类目录: rows of code, name, valid_from, valid_to and any further columns, all text."""

    name: str
    rows: pl.DataFrame

    def valid(self, on: date) -> pl.DataFrame:
        """The rows in force on one day, in printed order."""
        day = on.isoformat()
        return self.rows.filter(
            ((pl.col("valid_from") == "") | (pl.col("valid_from") <= day))
            & ((pl.col("valid_to") == "") | (pl.col("valid_to") >= day))
        )


@dataclass(frozen=True)
class IndexIndicator:
    """One row of an index system."""

    id: str
    dimension: str
    name: str
    unit_measure: str
    formula: str
    direction: str
    weight: float
    rounds: str
    norm: str
    scale: float | None
    min_contributors: int
    window: int
    cap: float
    deflator: str


@dataclass(frozen=True)
class IndexSystem:
    """An index system with its parameters; ``base_year`` is where the chain equals 100."""

    id: str
    title: str
    base_year: int
    indicators: tuple[IndexIndicator, ...]
    parameters: Mapping[str, Any]
    splice: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def dimensions(self) -> dict[str, float]:
        """Dimension → weight (sum of its indicators' weights), in printed order."""
        total: dict[str, float] = {}
        for i in self.indicators:
            total[i.dimension] = total.get(i.dimension, 0.0) + i.weight
        return total


@dataclass(frozen=True)
class WarningIndicator:
    """One early-warning indicator: ``levels`` maps blue, yellow, orange, red to (operator, threshold)."""

    id: str
    name: str
    formula: str
    unit: str
    levels: Mapping[str, tuple[str, float]]
    definition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PublicationTable:
    """One published table as data: row groups and columns with their expressions; ``definition`` is the parsed TOML."""

    id: str
    title: str
    product: str
    rows: tuple[str, ...]
    columns: tuple[Mapping[str, Any], ...]
    definition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """One row of a plan: what is to be reached, and how progress is measured."""

    row_no: int
    plan_id: str
    plan_name: str
    area: str
    name: str
    unit_measure: str
    baseline_year: int | None
    baseline_value: float | None
    target_year: int | None
    target_value: float | None
    direction: str
    scope_note: str
    source: str
    tracking: str
    formula: str
    scope: str
    path: str
    note: str
    points: tuple[tuple[int, float], ...] = ()  # of a path of its own: what is to be reached by the end of a year
    path_document: str = ""  # what such a path rests on, where a path file gives it


@dataclass(frozen=True)
class TargetChange:
    """A target as changed from a day on, with the document it rests on (C5: 目标可合理调整或修订)."""

    row_no: int
    effective: date
    target_year: int
    target_value: float
    document: str
    reason: str


@dataclass(frozen=True)
class TargetPart:
    """What an area is to have reached of a target by the end of a year (年度分解值), by the document that says so."""

    row_no: int
    area: str
    year: int
    value: float
    effective: date
    document: str


@dataclass(frozen=True)
class Edition:
    """One edition 年度版 of the programme, resolved (``extends`` already merged)."""

    id: str
    title: str
    authority: str
    document_number: str
    legal_basis: str
    valid_from: str
    valid_to: str
    first_period: Period
    last_period: Period | None
    parameters: Mapping[str, Any]
    forms: Mapping[str, Form]
    rules: tuple[AuditRule, ...]
    tables: tuple[PublicationTable, ...]
    indexes: Mapping[str, IndexSystem]
    warnings: tuple[WarningIndicator, ...]
    derivations: Mapping[str, str]
    targets: tuple[Target, ...]
    schemes: Mapping[str, Definition] = field(default_factory=dict)  # index systems scored by the engine, by id
    claims: Claims = field(default_factory=Claims)  # what explanations claim, and how figures contradict it
    target_changes: tuple[TargetChange, ...] = ()  # versions of targets, by row and day
    target_parts: tuple[TargetPart, ...] = ()  # breakdown of targets to areas and years, by day
    ladder: Definition | None = None  # rungs, triggers and terms of praise and warning
    projects: Definition | None = None  # rates of investment projects, their groups, conditions to look at
    contribution: Definition | None = None  # what is set against province and city

    @cached_property
    def indicators(self) -> dict[str, Indicator]:
        """Code → indicator over all forms."""
        return {i.code: i for form in self.forms.values() for i in form.indicators}

    @cached_property
    def rosters(self) -> tuple[str, ...]:
        """The populations 名录 its forms have a row a unit of, in order of the forms."""
        return tuple(dict.fromkeys(f.roster for f in self.forms.values() if f.kind is FormKind.ROSTER))

    def form_of(self, code: str) -> Form:
        """The one form that collects ``code``. Raises DefinitionError for an unknown code."""
        try:
            return self.forms[self.indicators[code].form]
        except KeyError:
            raise DefinitionError(f"指标代码 {code} 不在 {self.id} 版制度内", remedy="请核对代码。") from None

    def rules_for(self, period: Period) -> tuple[AuditRule, ...]:
        """The rules of one round, in printed order."""
        return tuple(
            r for r in self.rules if period.round in r.rounds and (not r.valid_from or r.valid_from <= str(period))
        )

    def covers(self, period: Period) -> bool:
        """Whether this edition governs ``period``."""
        last = self.last_period
        return self.first_period.year <= period.year and (last is None or period.year <= last.year)


@dataclass(frozen=True)
class Programme:
    """A survey programme 制度: its editions, shared code lists and the park register."""

    code: str
    title: str
    editions: Mapping[str, Edition]
    codelists: Mapping[str, Codelist]
    concordance: pl.DataFrame
    fingerprint: str
    folder: Path = Path()
    """Where its definitions stand; what another process reads them from."""

    def covers(self, period: Period) -> bool:
        """Whether an edition governs ``period``."""
        return any(edition.covers(period) for edition in self.editions.values())

    def edition_for(self, period: Period) -> Edition:
        """The edition that governs ``period``. Raises DefinitionError where there is none."""
        for edition in self.editions.values():
            if edition.covers(period):
                return edition
        raise DefinitionError(f"没有适用于 {period} 的制度版次", remedy="请检查报告期,或先发布新版次。")
