"""Facts the ladder judges, by park and year: from the evaluation, the register, earlier decisions and further figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from pipelines.methods.evaluation import Evaluated, standings
from pipelines.methods.evaluation_scheme import Scheme
from pipelines.methods.ladder import Standing
from pipelines.methods.ladder_definition import Fact, Ladder

MEASURES: Final = {
    "total": "总分", "rank": "同类名次", "quantile": "同类位次(0为最前,1为最后)", "rank_change": "增比进位",
    "score_change": "得分变动", "grade": "等级次序", "share": "有数指标权重占比",
}  # fmt: skip
OTHERS: Final = {"register.class": "名录类别", "register.years": "在册年数", "ladder.lowest": "近两年最低处置等级"}
YEARS_OF_DECISIONS: Final = 2  # index_system 9.5: no warning in the last two years


def evaluation_facts(evaluated: Mapping[str, Evaluated]) -> dict[str, dict[int, dict[str, Fact]]]:
    """Park → year → fact, for every scheme, year and park that was scored."""
    found: dict[str, dict[int, dict[str, Fact]]] = {}
    for name, one in evaluated.items():
        system = one.scheme.system
        for at, scored in enumerate(one.years):
            year = int(scored.table.year)
            for k, standing in enumerate(standings(one, at)):
                facts = found.setdefault(standing.unit, {}).setdefault(year, {})
                known = {
                    "total": standing.score, "rank": standing.rank, "rank_change": standing.rank_change,
                    "score_change": standing.score_change, "grade": standing.grade or None, "share": standing.coverage,
                    "quantile": quantile(standing.rank, standing.class_size),
                }  # fmt: skip
                facts.update({f"{name}.{key}": float(v) for key, v in known.items() if v is not None})
                for group in system.groups:
                    _add(facts, f"{name}.{group.id}", scored.means[group.id].scores[k])
                for n, leaf in enumerate(system.leaves):
                    _add(facts, f"{name}.{leaf.id}", scored.scores[k, n])
                    _add(facts, f"{name}.{leaf.id}.value", scored.prepared.reported[k, n])
    return found


def _add(facts: dict[str, Fact], name: str, value: float) -> None:
    if not np.isnan(value):
        facts[name] = float(value)


def quantile(rank: int | None, size: int) -> float | None:
    """Place in the class from 0 (first) to 1 (last)."""
    return None if rank is None or size < 2 else (rank - 1) / (size - 1)


def fact_labels(schemes: Iterable[Scheme], ladder: Ladder) -> dict[str, str]:
    """Fact → what people call it."""
    labels = {**OTHERS, **{f"figure.{name}": formula for name, formula in ladder.figures.items()}}
    for scheme in schemes:
        labels |= {f"{scheme.id}.{key}": f"{scheme.title}{name}" for key, name in MEASURES.items()}
        for node in (*scheme.system.by_id, *scheme.system.position):
            name = scheme.system.name_of(node)
            labels[f"{scheme.id}.{node}"] = f"{scheme.title}“{name}”得分"
            labels[f"{scheme.id}.{node}.value"] = name
    return labels


def decision_facts(standing: Standing, ladder: Ladder, year: int) -> dict[str, Fact]:
    """``ladder.lowest``: the lowest level a park was brought to in the last two years, or stands at now."""
    recent = [ladder.rung(m.to_rung).level for m in standing.moves if year - YEARS_OF_DECISIONS < m.year <= year]
    return {"ladder.lowest": float(min([standing.rung.level, *recent]))}
