"""The kinds of values an expression knows, and what it knows of each indicator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.model import Edition, Form, FormKind, Indicator, ValueType
from schemas.period_data import CONTEXT, PARK


class Family(StrEnum):
    """What is compared with what."""

    EXACT = "exact"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"


@dataclass(frozen=True)
class Kind:
    """The type of a value; ``scale`` counts the decimals of an exact number."""

    family: Family
    scale: int = 0

    @property
    def is_number(self) -> bool:
        """Exact or Float64."""
        return self.family in (Family.EXACT, Family.FLOAT)


INTEGER = Kind(Family.EXACT)
FLOAT = Kind(Family.FLOAT)
BOOLEAN = Kind(Family.BOOLEAN)
TEXT = Kind(Family.TEXT)
DATE = Kind(Family.DATE)


@dataclass(frozen=True)
class Variable:
    """What the language knows of an indicator: its type, the roster it stands in, and whether areas may be added up.

    ``applies_if`` joins the conditions of form and indicator; ``absent`` says what a unit they do not hold for stands for:
    "zero" a structural zero (no R&D activity), "outside" out of scope, "" neither (survey_system.md 8.4).
    """

    code: str
    type: ValueType
    roster: str
    decimals: int = 0
    additive: bool = True
    form: str = ""
    applies_if: str = ""
    absent: str = ""

    @property
    def kind(self) -> Kind:
        """The kind of its column."""
        match self.type:
            case ValueType.NUMBER:
                return Kind(Family.EXACT, self.decimals)
            case ValueType.BOOLEAN:
                return BOOLEAN
            case ValueType.DATE:
                return DATE
        return TEXT


def variables_of(edition: Edition) -> dict[str, Variable]:
    """Code → variable for every indicator of an edition. Sheets stand in ``park``, context forms in ``context``."""
    rosters = {FormKind.SHEET: PARK, FormKind.CONTEXT: CONTEXT}
    named = edition.parameters.get("structural", {})
    zero = frozenset(named.get("zero", ()))
    outside = frozenset(named.get("outside", ()))

    def variable(form: Form, indicator: Indicator) -> Variable:
        conditions = [c for c in dict.fromkeys((form.applies_if, indicator.applies_if)) if c]
        absent = "zero" if form.code in zero else "outside" if form.code in outside else ""
        return Variable(
            indicator.code,
            indicator.type,
            rosters.get(form.kind, form.roster),
            indicator.decimals,
            indicator.additive,
            form.code,
            " and ".join(f"({c})" for c in conditions),
            absent if conditions else "",
        )

    return {i.code: variable(form, i) for form in edition.forms.values() for i in form.indicators}
