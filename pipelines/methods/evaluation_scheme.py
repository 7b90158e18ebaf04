"""An evaluation scheme 评价方案 as data: the composite index, where its figures come from, classes, grades and lists.

A scheme is an index system of the engine (``docs/formats/index-system.md``) whose indicators say how they are computed from
the programme's observations (``formula``) or that somebody provides them (``provided``). Nothing here knows a park or an
indicator by name. Source: index_system.md 9.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from exports.display import percent
from pipelines.methods.index.definition import ScoringSystem, parse_system
from schemas.definitions import Definition
from schemas.errors import DefinitionError
from schemas.model import IndexIndicator, IndexSystem
from schemas.period_data import ENTERPRISE

ZONE: Final = "zone"
SUB_PARK: Final = "sub_park"
UNIT: Final = "unit"
EVALUATION: Final = "evaluation"
COVERAGE_RATIO: Final = 0.7  # survey_system 8.4
DOUBT_SHARE: Final = 0.05  # units with a doubt before the value of their area counts as uncertain
NO_CAP: Final = 200.0


@dataclass(frozen=True)
class Grade:
    """A grade 等级 and the least score it takes."""

    name: str
    at_least: float


@dataclass(frozen=True)
class Veto:
    """否决项: an indicator above ``above`` holds the grade at ``at_most`` or worse."""

    indicator: str
    above: float
    at_most: str
    reason: str


@dataclass(frozen=True)
class CandidateList:
    """A list of enterprises that meet a condition in the rule language."""

    id: str
    name: str
    condition: str
    source: str


@dataclass(frozen=True)
class Scheme:
    """A checked scheme. ``formulas``, ``windows``, ``deflators``, ``contributors``: by indicator id; ``class_codes`` are the
    codes whose values make the class, ``class_name`` the one class where there are none."""

    id: str
    title: str
    version: str
    purpose: str
    is_internal: bool
    kind: str
    roster: str
    class_codes: tuple[str, ...]
    class_name: str
    years: int
    in_years: tuple[int, ...]
    price_base: int | None
    coverage_ratio: float
    doubt_share: float
    draws: int
    seed: int
    system: ScoringSystem
    formulas: Mapping[str, str]
    windows: Mapping[str, int]
    deflators: Mapping[str, str]
    contributors: Mapping[str, int]
    notes: Mapping[str, str]
    minimum_coverage: float
    grades: tuple[Grade, ...]
    vetoes: tuple[Veto, ...]
    lists: tuple[CandidateList, ...]

    @property
    def provided(self) -> tuple[str, ...]:
        """Indicators that are not computed, in printed order."""
        return tuple(leaf.id for leaf in self.system.leaves if leaf.id not in self.formulas)

    @property
    def reads_totals(self) -> dict[str, str]:
        """Indicator → the scheme whose total it is."""
        mark = "total:"
        return {leaf.id: leaf.column[len(mark) :] for leaf in self.system.leaves if leaf.column.startswith(mark)}

    def is_due(self, year: int) -> bool:
        """Whether the scheme is for this year: all, or those it names (a mid-term, the end of a plan)."""
        return not self.in_years or year in self.in_years

    @property
    def shows_missing(self) -> bool:
        """Whether the weight of missing items is kept and earns nothing: scores are out of less than full marks."""
        return self.system.root.aggregation.options.get("missing") == "base"

    def index_system(self, last: int) -> IndexSystem | None:
        """The computed indicators as an index system whose values ``index_values`` knows to make; None without any."""
        indicators = tuple(
            IndexIndicator(
                id=leaf.id, dimension=leaf.parent, name=leaf.name, unit_measure=leaf.unit_measure,
                formula=self.formulas[leaf.id], direction="negative" if leaf.direction < 0 else "positive",
                weight=leaf.weight or 0.0, rounds="A", norm="growth", scale=None,
                min_contributors=self.contributors.get(leaf.id, 0), window=self.windows.get(leaf.id, 1), cap=NO_CAP,
                deflator=self.deflators.get(leaf.id, ""),
            )
            for leaf in self.system.leaves
            if leaf.id in self.formulas
        )  # fmt: skip
        base = min(self.price_base if self.price_base is not None else last, last - self.years + 1)
        parameters: dict[str, Any] = {"coverage_ratio": self.coverage_ratio}
        return IndexSystem(self.id, self.title, base, indicators, parameters) if indicators else None

    def grade_of(self, score: float, coverage: float, figures: Mapping[str, float]) -> tuple[int, str]:
        """(place from the best, name) of a score; (0, reason) where too much is missing for a grade.

        ``coverage``: share of the weight with figures; ``figures``: values of the vetoing indicators, where known.
        """
        if coverage < self.minimum_coverage - 1e-9:
            return 0, f"有数指标权重占{percent(coverage)},不足{percent(self.minimum_coverage)},不定等级。"
        place = next((n for n, g in enumerate(self.grades) if score >= g.at_least - 1e-9), len(self.grades) - 1)
        reasons = []
        for veto in self.vetoes:
            if figures.get(veto.indicator, veto.above) > veto.above:
                held = [g.name for g in self.grades].index(veto.at_most)
                if held > place:
                    place = held
                    reasons.append(f"{veto.reason},不高于{veto.at_most}")
            elif veto.indicator not in figures:
                reasons.append(f"否决项“{veto.reason}”无数据")
        return place + 1, ";".join([self.grades[place].name, *reasons])


def parse_scheme(definition: Definition) -> Scheme:
    """The scheme of a definition file. Raises DefinitionError with place and remedy."""
    data = definition.data
    system = parse_system(data, definition.line_of)
    subject, grades = data.get("subject", {}), data.get("grades", {})
    place = definition.line_of("id", str(data.get("id", "")))
    if not subject:
        raise DefinitionError("评价方案缺 [subject]", where=place, remedy="写明 kind 为 zone、sub_park 或 unit。")
    items = {str(item["id"]): item for item in data["indicator"]}

    def entries(key: str) -> dict[str, Any]:
        return {name: item[key] for name, item in items.items() if item.get(key)}

    scheme = Scheme(
        id=system.id, title=system.title, version=str(data.get("version", "1")),
        purpose=str(data.get("purpose", EVALUATION)), is_internal=bool(data.get("internal", False)),
        kind=str(subject["kind"]), roster=str(subject.get("roster", ENTERPRISE)), class_codes=tuple(subject.get("class", ())),
        class_name=str(subject.get("class_name", "")), years=int(subject.get("years", 1)), in_years=tuple(subject.get("in_years", ())),
        price_base=subject.get("price_base"), coverage_ratio=float(subject.get("coverage_ratio", COVERAGE_RATIO)),
        doubt_share=float(subject.get("doubt_share", DOUBT_SHARE)),
        draws=int(subject.get("draws", 0)), seed=int(subject.get("seed", 0)), system=system,
        formulas=entries("formula"), windows=entries("window"), deflators=entries("deflator"),
        contributors=entries("min_contributors"), notes=entries("note"),
        minimum_coverage=float(grades.get("minimum_coverage", 0.0)),
        grades=tuple(
            sorted((Grade(g["name"], float(g["at_least"])) for g in grades.get("grade", ())), key=lambda g: -g.at_least)
        ),
        vetoes=tuple(
            Veto(v["indicator"], float(v["above"]), v["at_most"], v.get("reason", "否决项")) for v in grades.get("veto", ())
        ),
        lists=tuple(
            CandidateList(e["id"], e["name"], e["condition"], e.get("source", "")) for e in data.get("list", ())
        ),
    )  # fmt: skip
    _check(scheme, place)
    return scheme


def _check(scheme: Scheme, place: str) -> None:
    names = {g.name for g in scheme.grades}
    for veto in scheme.vetoes:
        if veto.indicator not in scheme.system.position or veto.at_most not in names:
            raise DefinitionError(
                f"否决项 {veto.indicator} 或等级“{veto.at_most}”不存在", where=place, remedy="请改 [[grades.veto]]。"
            )
    if scheme.kind == UNIT and not scheme.is_internal:
        raise DefinitionError(
            "以单个单位为对象的方案是个体数据,不得发布", where=place, remedy="请写 internal = true(统计法第二十五条)。"
        )
    if scheme.reads_totals and not scheme.is_internal:
        # a copy of a total would show what disclosure control hides in the scheme it comes from
        raise DefinitionError("引用其他方案总分的方案只供内部", where=place, remedy="请写 internal = true。")
