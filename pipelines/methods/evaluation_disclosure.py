"""Which scores of an evaluation would let an outsider work out a figure that disclosure control has hidden.

The score of a group is a weighted sum of scores of indicators; weights and goalposts are published, and a score is a line
through its value. If every other indicator of a sum is known, the hidden one can be computed; two schemes that share
indicators give two equations. So all sums of one area are taken together, the totals first, and one is kept back as soon as
it would determine a hidden value together with the sums already shown. Ranks and grades are ordinal and always shown.
Source: docs/methods/evaluation.md, 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from pipelines.methods.disclosure.atoms import ATOM_COLUMNS
from pipelines.methods.disclosure.protect import HIDDEN_NOTE
from pipelines.methods.disclosure.rules import Rules, primary_reason
from pipelines.methods.evaluation_scheme import Scheme
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Leaf

CONFIDENTIAL: Final = "C"
TOTAL, SCORE = "total", "score"
WITH_TOTAL: Final = ("score_lower", "score_upper")  # spread around the total
WITH_ANY: Final = ("score_own", "score_before", "score_change")  # further sums: kept back with any hidden indicator
_DETERMINED: Final = 1.0 - 1e-9
_AS_ATOMS: Final = ("n", "max1", "max2", "total", "administrative")
_LINES: Final = ("efficacy", "goalposts", "distance_to_target")
Variable = tuple[str, int, str]  # formula, window, deflator: what decides a value


def sensitive(parts: pl.DataFrame, rules: Rules) -> frozenset[tuple[str, int, str]]:
    """(area, year, indicator) of every value one of whose sums or counts breaks a primary rule of disclosure control.

    ``parts``: area, year, indicator, part and the statistics of ``schemas.marts.PART_COLUMNS``.
    """
    if parts.is_empty():
        return frozenset()
    is_count = pl.col("part").str.contains(r"\bCOUNT\b") & ~pl.col("part").str.contains(r"\bSUM\b")
    judged = (
        parts.with_columns(pl.col(c).cast(ATOM_COLUMNS[c]) for c in _AS_ATOMS)
        .with_columns(is_count=is_count, consented=pl.lit(False), population=pl.lit(0, dtype=pl.Int64))
        .with_columns(least=pl.when("is_count").then(rules.count_threshold).otherwise(rules.threshold))
        .with_columns(reason=primary_reason(rules))
        .filter(pl.col("reason").is_not_null())
    )
    return frozenset(judged.select("area", "year", "indicator").unique().iter_rows())


def with_sums_kept_back(cells: pl.DataFrame, schemes: Sequence[Scheme]) -> pl.DataFrame:
    """Published cells with every sum hidden (status C, no value) that would give a hidden indicator away.

    ``cells``: mart ``evaluation_scores`` as disclosure control left it. Hides more, never less.
    """
    by_id = {s.id: s for s in schemes}
    columns = ("row_key", "table", "area", "indicator", "measure", "status", "value")
    keys: set[str] = set()
    for _, rows in cells.select(columns).group_by("area", maintain_order=True):
        at = {
            (table, node, measure): (key, status, value)
            for key, table, _, node, measure, status, value in rows.iter_rows()
        }
        keys.update(_of_area(at, [by_id[t] for t in sorted({t for t, _, _ in at}) if t in by_id]))
    gone = pl.col("row_key").is_in(sorted(keys)) & pl.col("value").is_not_null()
    return cells.with_columns(
        value=pl.when(gone).then(None).otherwise("value"),
        note=pl.when(gone).then(pl.lit(HIDDEN_NOTE)).otherwise("note"),
        status=pl.when(gone).then(pl.lit(CONFIDENTIAL)).otherwise("status"),
    )


def shown_sums(cells: pl.DataFrame, schemes: Sequence[Scheme]) -> dict[str, list[dict[Variable, float]]]:
    """Area → the sums over hidden values that are still shown, as weights by what decides a value (formula, window, deflator).

    ``cells``: as ``with_sums_kept_back`` leaves them; for products that show other functions of the same values.
    """
    by_id = {s.id: s for s in schemes}
    columns = ("row_key", "table", "area", "indicator", "measure", "status", "value")
    found: dict[str, list[dict[Variable, float]]] = {}
    for (area,), rows in cells.select(columns).group_by("area", maintain_order=True):
        at = {(t, node, measure): (key, status, value) for key, t, _, node, measure, status, value in rows.iter_rows()}
        mine = [by_id[t] for t in sorted({t for t, _, _ in at}) if t in by_id]
        hidden = _hidden_leaves(at, mine)
        variables = sorted({_variable(s, leaf) for s in mine for leaf in hidden[s.id]})
        for scheme in mine:
            for one in _sums(at, scheme):
                row = _row(one, hidden[scheme.id], variables)
                if row is not None and row.any():
                    weights = {v: float(w) for v, w in zip(variables, row, strict=True) if w}
                    found.setdefault(str(area), []).append(weights)
    return found


def stated_sums(cells: pl.DataFrame, schemes: Sequence[Scheme]) -> dict[str, list[dict[Variable, float]]]:
    """Area → every sum its schemes have, totals first, as weights by what decides a value: what a release of another year may
    have shown. Sums that are not weighted sums of lines are left out: with a hidden value below them they are never shown."""
    of_scheme = {scheme.id: list(_lines(scheme)) for scheme in schemes}
    found: dict[str, list[dict[Variable, float]]] = {}
    for area, table in cells.select("area", "table").unique().sort("area", "table").iter_rows():
        found.setdefault(area, []).extend(of_scheme.get(table, ()))
    return found


def _lines(scheme: Scheme) -> Iterator[dict[Variable, float]]:
    leaves = {leaf.id: leaf for leaf in scheme.system.leaves}
    for group in reversed(scheme.system.groups):
        weights = _weights(scheme, group.id, set(leaves)) or {}
        slopes = {_variable(scheme, leaves[i]): (w, _slope(leaves[i])) for i, w in weights.items()}
        lines = {v: w * s for v, (w, s) in slopes.items() if s is not None}
        if lines:
            yield lines


@dataclass(frozen=True)
class _Sum:
    """One published sum: its cell, and the weight of every indicator in it (None where weights are not fixed)."""

    scheme: Scheme
    node: str
    measure: str
    weights: Mapping[str, float] | None


Cells = Mapping[tuple[str, str, str], tuple[str, str, float | None]]


def _of_area(at: Cells, schemes: Sequence[Scheme]) -> Iterator[str]:
    hidden = _hidden_leaves(at, schemes)
    variables = sorted({_variable(s, leaf) for s in schemes for leaf in hidden[s.id]})
    if not variables:
        return
    shown: list[Floats] = []
    sums = [one for s in schemes for one in _sums(at, s)]
    for one in sorted(sums, key=lambda x: x.measure != TOTAL):
        row = _row(one, hidden[one.scheme.id], variables)
        if row is not None and not row.any():
            continue
        if row is None or determines([*shown, row]):
            yield at[one.scheme.id, one.node, one.measure][0]
            if one.measure == TOTAL:
                yield from _cells(at, one.scheme, WITH_TOTAL)
        else:
            shown.append(row)
    for scheme in schemes:
        if hidden[scheme.id]:
            yield from _cells(at, scheme, WITH_ANY)


def _hidden_leaves(at: Cells, schemes: Sequence[Scheme]) -> dict[str, list[Leaf]]:
    return {
        s.id: [leaf for leaf in s.system.leaves if at.get((s.id, leaf.id, SCORE), ("", "", None))[1] == CONFIDENTIAL]
        for s in schemes
    }


def _cells(at: Cells, scheme: Scheme, measures: Sequence[str]) -> list[str]:
    root = scheme.system.root.id
    return [at[scheme.id, root, m][0] for m in measures if (scheme.id, root, m) in at]


def _variable(scheme: Scheme, leaf: Leaf) -> Variable:
    own = scheme.formulas.get(leaf.id, f"{scheme.id}.{leaf.id}")
    return own, int(scheme.windows.get(leaf.id, 1)), str(scheme.deflators.get(leaf.id, ""))


def _sums(at: Cells, scheme: Scheme) -> Iterator[_Sum]:
    system = scheme.system
    present = {
        leaf.id
        for leaf in system.leaves
        if (cell := at.get((scheme.id, leaf.id, SCORE))) is not None
        and (cell[2] is not None or cell[1] == CONFIDENTIAL)
    }
    for group in reversed(system.groups):
        measure = TOTAL if group.id == system.root.id else SCORE
        cell = at.get((scheme.id, group.id, measure))
        if cell is not None and cell[2] is not None:
            yield _Sum(scheme, group.id, measure, _weights(scheme, group.id, present))


def _weights(scheme: Scheme, node: str, present: set[str]) -> dict[str, float] | None:
    """Weight of every indicator that is there in a node; None where a weight or mean is not a fixed weighted sum."""
    system = scheme.system
    if node in system.position:
        return {node: 1.0} if node in present else {}
    group = system.by_id[node]
    if group.weights.method not in ("given", "equal") or group.power != 1.0:
        return None
    given = {g.id: g.weight for g in system.groups} | {leaf.id: leaf.weight for leaf in system.leaves}
    own = {c: 1.0 if group.weights.method == "equal" else float(given[c] or 0.0) for c in group.children}
    below: dict[str, dict[str, float]] = {}
    for child in group.children:
        found = _weights(scheme, child, present)
        if found is None:
            return None
        below[child] = found
    keeps = group.aggregation.options.get("missing") == "base"
    total = sum(w for c, w in own.items() if keeps or below[c])
    return {leaf: own[c] / total * w for c, part in below.items() for leaf, w in part.items()} if total else {}


def _row(one: _Sum, hidden: Sequence[Leaf], variables: Sequence[Variable]) -> Floats | None:
    """The equation over hidden values; None where it cannot be written down, which counts as giving them away."""
    below = {one.scheme.system.leaves[k].id for k in one.scheme.system.leaves_below(one.node)}
    concerned = [leaf for leaf in hidden if leaf.id in below]
    if concerned and one.weights is None:
        return None
    row = np.zeros(len(variables))
    for leaf in concerned:
        slope = _slope(leaf)
        if slope is None or one.weights is None:
            return None
        row[variables.index(_variable(one.scheme, leaf))] += one.weights.get(leaf.id, 0.0) * slope
    return row


def _slope(leaf: Leaf) -> float | None:
    """Points of score a unit of value; None where the score is no line through the value, or the line differs by class."""
    step = leaf.normalisation
    if step.method not in _LINES or "by_class" in step.options or step.effective.get("log", False):
        return None
    if step.method == "distance_to_target":
        return 100.0 / step.number("target") if leaf.direction > 0 else None
    low = step.number("base") if step.method == "efficacy" else step.number("low")
    high = 100.0 if step.method == "efficacy" else step.number("high")
    return (high - low) / (step.number("best") - step.number("worst"))


def determines(rows: Sequence[Floats]) -> bool:
    """Whether the equations fix one of the unknowns: its unit vector lies in the space of the rows."""
    matrix = np.array(rows, dtype=np.float64)
    scale = np.abs(matrix).max(axis=0)
    matrix = matrix / np.where(scale > 0, scale, 1.0)
    matrix = matrix / np.abs(matrix).max(axis=1, keepdims=True)
    onto = np.linalg.pinv(matrix) @ matrix
    return bool((np.diag(onto) >= _DETERMINED).any())
