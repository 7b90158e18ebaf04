"""Weights from experts: budget allocation 专家分配法 and the analytic hierarchy process 层次分析法."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from exports.display import figure
from pipelines.csv_tables import LINE
from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.weights import Weights
from schemas.errors import DefinitionError

# Saaty's random index by order of the matrix (T. L. Saaty, The Analytic Hierarchy Process, 1980; n = 1 … 15)
RANDOM_INDEX: Final = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59)
BUDGET: Final = 100.0


def budget_weights(answers: pl.DataFrame, children: Sequence[str], source: str) -> Weights:
    """Mean of the experts' allocations; each expert is a row that spends 100 points on the children.

    ``answers``: column ``expert`` and one a child. Raises DefinitionError for a row that does not sum to 100.
    """
    if missing := [c for c in children if c not in answers.columns]:
        raise DefinitionError(f"缺列 {'、'.join(missing)}", where=f"{source}:1", remedy="每个下级指标一列。")
    table = answers.select(pl.col(c).cast(pl.Float64, strict=False) for c in children).to_numpy()
    for line, row in zip(_lines(answers), table, strict=True):
        if np.isnan(row).any() or (row < 0).any() or abs(float(row.sum()) - BUDGET) > 1e-6:
            raise DefinitionError(
                f"专家的分配应为非负数且合计 100,现合计 {float(np.nansum(row)):g}", where=f"{source}:{line}"
            )
    if not len(table):
        raise DefinitionError("没有专家", where=source, remedy="每位专家一行。")
    spread = table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(len(children))
    notes = tuple(
        f"{c}:{len(table)} 位专家,平均 {figure(m, 1)},标准差 {figure(s, 1)}。"
        for c, m, s in zip(children, table.mean(axis=0), spread, strict=True)
    )
    return Weights(table.mean(axis=0) / BUDGET, notes)


def _lines(answers: pl.DataFrame) -> list[int]:
    """The line of the file every row begins in."""
    return answers[LINE].to_list() if LINE in answers.columns else list(range(2, answers.height + 2))


def pairwise_matrices(
    answers: pl.DataFrame, children: Sequence[str], source: str, known: frozenset[str] = frozenset()
) -> dict[str, Floats]:
    """One reciprocal matrix an expert from rows (expert, left, right, ratio): left is ``ratio`` times as important as right.

    ``known``: everything else the file may compare, of other groups. Raises DefinitionError for an unknown name, a ratio outside 1/9…9, a pair said twice or not at all.
    """
    if missing := {"expert", "left", "right", "ratio"} - set(answers.columns):
        raise DefinitionError(f"缺列 {'、'.join(sorted(missing))}", where=f"{source}:1")
    place = {child: k for k, child in enumerate(children)}
    matrices: dict[str, Floats] = {}
    for line, row in zip(_lines(answers), answers.iter_rows(named=True), strict=True):
        left, right, where = str(row["left"]).strip(), str(row["right"]).strip(), f"{source}:{line}"
        if known and (strange := {left, right} - known):
            raise DefinitionError(
                f"指标体系中没有 {'、'.join(sorted(strange))}", where=where, remedy="请写组或指标的代码。"
            )
        if left not in place or right not in place:
            continue  # one file may hold the comparisons of several groups
        ratio = _ratio(str(row["ratio"]), where)
        matrix = matrices.setdefault(str(row["expert"]), np.full((len(place), len(place)), np.nan))
        a, b = place[left], place[right]
        if a == b or not np.isnan(matrix[a, b]):
            raise DefinitionError(f"{left} 与 {right} 的比较重复或是自身", where=where)
        matrix[a, b], matrix[b, a] = ratio, 1.0 / ratio
    for expert, matrix in matrices.items():
        np.fill_diagonal(matrix, 1.0)
        if np.isnan(matrix).any():
            first, second = (children[int(k)] for k in np.argwhere(np.isnan(matrix))[0])
            raise DefinitionError(
                f"专家 {expert} 没有比较 {first} 与 {second}", where=source, remedy="每两项都要比较一次。"
            )
    if not matrices:
        raise DefinitionError(f"没有 {'、'.join(children)} 之间的比较", where=source)
    return matrices


def _ratio(text: str, where: str) -> float:
    above, _, below = text.strip().partition("/")
    try:
        value = float(above) / (float(below) if below else 1.0)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 1 / 9 - 1e-9 <= value <= 9 + 1e-9:
        raise DefinitionError(f"比值“{text}”不在 1/9 到 9 之间", where=where, remedy="请用 1–9 标度或其倒数。")
    return value


def principal_priorities(matrix: Floats) -> tuple[Floats, float]:
    """Principal eigenvector scaled to sum one, and the principal eigenvalue λmax, of a positive reciprocal matrix."""
    values, vectors = np.linalg.eig(matrix)
    first = int(np.argmax(values.real))
    vector = np.abs(vectors[:, first].real)
    return vector / vector.sum(), float(values[first].real)


def consistency_ratio(largest: float, order: int) -> float:
    """CR = ((λmax - n)/(n - 1)) / RI(n); 0 for up to two items, which cannot contradict themselves."""
    if order < 3:
        return 0.0
    return (largest - order) / (order - 1) / RANDOM_INDEX[min(order, len(RANDOM_INDEX)) - 1]


def hierarchy_weights(matrices: dict[str, Floats], maximum_ratio: float, source: str) -> Weights:
    """AHP weights: geometric mean of the experts' matrices, principal eigenvector, consistency checked for each expert.

    Raises DefinitionError where an expert's consistency ratio exceeds ``maximum_ratio`` (Saaty: 0.10).
    """
    details, notes = {}, []
    for expert, matrix in sorted(matrices.items()):
        _, largest = principal_priorities(matrix)
        ratio = consistency_ratio(largest, len(matrix))
        details[f"CR {expert}"] = ratio
        notes.append(f"专家 {expert}:λmax={figure(largest, 3)},一致性比率 {figure(ratio, 3)}。")
        if ratio > maximum_ratio + 1e-12:
            raise DefinitionError(
                f"专家 {expert} 的判断一致性比率 {figure(ratio, 3)} 超过 {maximum_ratio:g}",
                where=source,
                remedy="请该专家重新比较。",
            )
    together = np.exp(np.mean([np.log(m) for m in matrices.values()], axis=0))
    weights, _ = principal_priorities(together)
    return Weights(weights, tuple(notes), details=details)
