"""What the figures of failing rows should have been 应为, in words: the expectations of a rule with their figures put in.

Evaluated for the rows on which a hard rule failed and for no others, by one select a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

import polars as pl

from schemas.environment import Environment
from schemas.polars_rows import with_missing_columns
from sources.audit_plan import PlannedExpectation, PlannedRule
from sources.problems import problem_and_remedy


@dataclass(frozen=True)
class Wanted:
    """What is expected of one row: (column it speaks of, what it is called, words, whether it adds to the rule's sentence)."""

    column: str
    said: str
    words: str
    adds: bool

    def on(self, column: str) -> str:
        """The words on a cell: what they speak of is named unless it is the figure of the cell."""
        return f"应{self.words}" if self.column == column else f"{self.said}应{self.words}"


def wanted(planned: PlannedRule, failing: pl.DataFrame, env: Environment) -> list[tuple[Wanted, ...]]:
    """Row by row of ``failing`` (the rows of the roster on which the rule failed) what it expects of them."""
    parts = planned.expected
    if not parts or failing.is_empty():
        return [()] * failing.height
    conditions = [c for part in parts for c in (part.holds, *part.values) if c is not None]
    complete = with_missing_columns(failing, [c.typed for c in conditions])
    asked: list[pl.Expr] = [pl.lit(True).alias("_")]
    for n, part in enumerate(parts):
        if part.holds is not None:
            asked.append((~part.holds.on(env)).fill_null(False).alias(f"{n}"))
        asked += [value.on(env).alias(f"{n}.{k}") for k, value in enumerate(part.values)]
    rows = complete.with_columns(asked).select(e.meta.output_name() for e in asked)
    return [tuple(_of_row(parts, row)) for row in rows.iter_rows(named=True)]


def _of_row(parts: Sequence[PlannedExpectation], row: dict[str, object]) -> Iterator[Wanted]:
    for n, part in enumerate(parts):
        figures = [row[f"{n}.{k}"] for k in range(len(part.values))]
        if (part.holds is None or row[f"{n}"]) and None not in figures:
            words = part.of.words.format(*map(_figure, figures))
            yield Wanted(part.of.subject, part.of.said, words, part.of.adds)


def on_cell_of(row: Sequence[Wanted], column: str, *, cell_by_cell: bool) -> tuple[str, str]:
    """(what is expected, as much of it as the sentence of the rule does not say) for the finding on one cell.

    ``cell_by_cell``: the rule has a finding for each of its cells, so each tells its own part only."""
    own = [one for one in row if not cell_by_cell or one.column in ("", column)]
    return ",".join(one.on(column) for one in own), ",".join(one.on(column) for one in own if one.adds)


def with_expected(message: str, told: str) -> str:
    """The sentence of a rule with what it expects between what is wrong and what to do."""
    if not told:
        return f"{message}。"
    problem, remedy = _parted(message)
    return f"{problem},{told};{remedy}。" if remedy else f"{problem},{told}。"


@lru_cache(maxsize=1024)
def _parted(message: str) -> tuple[str, str]:
    return problem_and_remedy(message)  # the same sentence for every row of a rule


def _figure(value: object) -> str:
    match value:
        case float():
            return f"{value:.12g}"
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
    return str(value)
