"""How many soft findings honest firms get: the demo's panel as it is, and one that moves as firms do.

``python -m tests.oracle.honest --enterprises 4674 --years 2016 [--noisy] [--seed N]``

Every park and round of the years is audited in memory, with the figures of earlier rounds as operands, as a check in a home
does; nothing is filed. Goals: at most 0.6 soft findings a firm in an annual round, 0.3 in a quarterly one, at most 5 % of firms
with more than two. The exit code says whether they hold.

The noisy panel: growth shocks of a firm are Laplace (0.15 in logarithms a year, staying), one firm-year in thirty jumps for good
by a factor 1.6 to 4, up or down, one in fifty has a bad year at a third; cost, debt, wage, output a head and investment ratios
wander by a tenth; the quarters of a firm differ from the usual shares, one firm-quarter in a hundred has no revenue.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from pipelines.operands import History, operands_for
from schemas.catalog import programme
from schemas.model import FormKind, Programme
from schemas.observations import ENTERPRISE_ROSTER, Observations, wide_roster
from schemas.period import Period
from sources.audit import audit
from tests.oracle.books import figures_as_filed
from ytb.demo import figures as demo_figures
from ytb.demo import panel as demo_panel
from ytb.demo.figures import CUMULATIVE, Figures, as_observation_frame
from ytb.demo.panel import FIRST_YEAR, ZONES, Panel, Size, draw

ANNUAL_GOAL, QUARTERLY_GOAL, MANY_GOAL = 0.6, 0.3, 0.05
MANY = 2
FIRST_FILED = Period(2014, 1)


# ── a panel that moves as firms do ─────────────────────────────────────────────────────────────────────────────────
def noisy_panel(of: Programme, size: Size, last_year: int, seed: int) -> Panel:
    """The demo's panel with believable volatility; every accounting identity still holds by construction."""
    rng = np.random.default_rng(seed)
    firms = demo_panel._firms(of, size, last_year, rng, 0)
    drift = np.zeros(firms.height)
    ratios = {name: np.ones(firms.height) for name in ("cost", "debt", "wage", "per_head", "asset", "rd", "energy")}
    rows = []
    for year in range(FIRST_YEAR, last_year + 1):
        drift += rng.laplace(0, 0.15, firms.height) + _jumps(rng, firms.height)
        bad_year = np.where(rng.random(firms.height) < 0.02, np.log(1 / 3), 0.0)
        for ratio in ratios.values():
            ratio *= np.exp(rng.normal(0, 0.1, firms.height))
        moved = {name: (firms[name].to_numpy() * ratio) for name, ratio in ratios.items()}
        moved["cost"], moved["debt"] = moved["cost"].clip(0.4, 0.9), moved["debt"].clip(0.05, 0.95)
        moved["log_revenue"] = firms["log_revenue"].to_numpy() + drift + bad_year
        at = firms.with_columns(pl.Series(name, values) for name, values in moved.items())
        rows.append(demo_panel._year(at, year, rng))
    return Panel(firms, pl.concat(demo_panel._linked(rows)))


def _jumps(rng: np.random.Generator, n: int) -> Any:
    size = np.log(rng.uniform(1.6, 4.0, n)) * rng.choice((-1, 1), n)
    return np.where(rng.random(n) < 1 / 30, size, 0.0)


def uneven_quarters(frame: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Cumulative figures of a quarter with shares of the firm's own; the same for the same firm and year."""
    if period.quarter is None:
        return frame
    shares = np.empty(frame.height)
    for n, code in enumerate(frame["B01"]):
        rng = np.random.default_rng([int(code[8:16]), period.year])
        parts = rng.dirichlet(np.array((0.22, 0.25, 0.26, 0.27)) * 60)
        parts = np.where(rng.random(4) < 0.01, 0.0, parts)
        shares[n] = parts[: period.quarter].sum() / max(parts.sum(), 0.01) * (0.994 if period.quarter == 4 else 1)
    share = pl.Series("share", shares)
    whole = [c for c in CUMULATIVE if frame.schema[c].is_integer()]
    return frame.with_columns(
        *((pl.col(c) * share).round(0).cast(pl.Int64) for c in whole if c != "I16"),
        *((pl.col(c) * share).round(2) for c in CUMULATIVE if frame.schema[c].is_float()),
    ).with_columns(
        I16=pl.when(pl.col("I17") > 0).then(pl.max_horizontal(pl.lit(1), (pl.col("I16") * share).floor().cast(pl.Int64))).otherwise(0),
        O11=pl.max_horizontal("O11", "O12"),
    )  # fmt: skip


# ── rounds as they would stand in a home ───────────────────────────────────────────────────────────────────────────
class HonestHistory(History):
    """Everything filed as the panel has it, without vault and ledger."""

    def __init__(self, of: Programme, figures: Figures) -> None:
        self.programme, self.figures = of, figures
        self.used = set()
        self._read = lru_cache(maxsize=60)(self._filed)

    def _filed(self, park: str, period: Period) -> Observations:
        edition = self.programme.edition_for(period)
        values = figures_as_filed(self.figures, edition, park, period)
        return Observations({form: as_observation_frame(frame, park) for form, frame in values.items()})

    def filed(self, park: str, period: Period) -> Observations:
        """The observations of one submission."""
        return self._read(park, period)

    def standing(self, period: Period) -> dict[str, Any]:
        """Every park files every round from 2014 on."""
        return dict.fromkeys(ZONES) if period >= FIRST_FILED or period == Period(2014) else {}

    def roster(self, period: Period, park: str, roster: str) -> pl.DataFrame | None:
        """One roster of one park as filed."""
        if park not in self.standing(period):
            return None
        edition, observations = self.programme.edition_for(period), self.filed(park, period)
        if roster != "park":
            return wide_roster(observations, edition, roster, period)
        own = observations.with_all_columns(edition, period).frames["park"]
        return own.drop("_file", "_sheet", "_row")

    def _parks_before(self, unit: str, park: str) -> Any:
        yield from (zone for zone in ZONES if zone != park)

    def earlier_periods(self, period: Period, park: str) -> list[Period]:
        """Two years back: what anybody looks at."""
        years = range(max(2014, period.year - 2), period.year + 1)
        found = [Period(y, q) for y in years for q in (1, 2, 3, 4)] + [Period(y) for y in years]
        return sorted((p for p in found if p < period), reverse=True)


@dataclass
class Rate:
    """Soft findings of one kind of round: firms asked, findings, firms with more than two, findings by rule."""

    firms: int = 0
    findings: int = 0
    many: int = 0
    hard: int = 0
    rules: Counter[str] = field(default_factory=Counter)

    @property
    def a_firm(self) -> float:
        return self.findings / max(self.firms, 1)

    @property
    def share_many(self) -> float:
        return self.many / max(self.firms, 1)


def measured(figures: Figures, years: Sequence[int], parks: Sequence[str] = ZONES) -> dict[str, Rate]:
    """``annual`` and ``quarterly`` → the rates of all rounds of the years."""
    of = figures.programme
    history = HonestHistory(of, figures)
    rates = {"annual": Rate(), "quarterly": Rate()}
    for period in [p for y in years for p in (*(Period(y, q) for q in (1, 2, 3, 4)), Period(y))]:
        for park in parks:
            _count(rates["quarterly" if period.quarter else "annual"], history, park, period)
    return rates


def _count(rate: Rate, history: HonestHistory, park: str, period: Period) -> None:
    edition = history.programme.edition_for(period)
    observations = history.filed(park, period)
    rosters = {
        name: pl.concat([f["unit_id"] for c, f in observations.frames.items() if edition.forms[c].roster == name])
        for name in {edition.forms[c].roster for c in observations.frames if edition.forms[c].kind is FormKind.ROSTER}
    }
    firms = observations.frames["basic"]
    register = firms.select("unit_id", name="B02", answer_status=pl.lit(None, dtype=pl.String))
    operands = operands_for(history, period, park, rosters | {"park": pl.Series([park])})
    found = audit(
        observations, history.programme, period, park=park, operands_of_other_periods=operands, register=register
    ).findings
    of_firms = found.filter(
        pl.col("unit_id").is_in(firms["unit_id"].implode()),
        pl.col("form").is_in([f.code for f in edition.forms.values() if f.roster == ENTERPRISE_ROSTER]),
        pl.col("outcome").is_in(["failed", "undetermined"]),
    )
    soft = of_firms.filter(pl.col("severity") == "soft")
    rate.firms += firms.height
    rate.findings += soft.height
    rate.many += soft.group_by("unit_id").len().filter(pl.col("len") > MANY).height
    rate.hard += of_firms.filter(pl.col("severity") == "hard").height
    rate.rules.update(soft["rule"].to_list())


def figures_for(enterprises: int, last_year: int, seed: int, *, noisy: bool) -> Figures:
    """The figures of a panel of the published proportions."""
    of, size = programme(), Size.of(enterprises)
    panel = noisy_panel(of, size, last_year, seed) if noisy else draw(of, size, last_year, seed)
    return Figures(of, panel, {})


def lines(rates: Mapping[str, Rate]) -> list[str]:
    """The figures as a table, and the rules that ask most."""
    said = [
        "| round | firm-rounds | soft findings a firm | firms with more than two | hard findings |",
        "|---|---|---|---|---|",
    ]
    said += [
        f"| {name} | {rate.firms} | {rate.a_firm:.3f} | {100 * rate.share_many:.2f} % | {rate.hard} |"
        for name, rate in rates.items()
    ]  # fmt: skip
    for name, rate in rates.items():
        said.append(f"{name}: " + ", ".join(f"{rule} {count}" for rule, count in rate.rules.most_common(12)))
    return said


def holds(rates: Mapping[str, Rate]) -> bool:
    """Whether the goals are met."""
    goals = {"annual": ANNUAL_GOAL, "quarterly": QUARTERLY_GOAL}
    return all(rates[name].a_firm <= goal and rates[name].share_many <= MANY_GOAL for name, goal in goals.items())


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.oracle.honest")
    options.add_argument("--enterprises", type=int, default=200)
    options.add_argument("--years", type=int, nargs="+", default=[2016])
    options.add_argument("--noisy", action="store_true")
    options.add_argument("--seed", type=int, default=2014)
    chosen = options.parse_args()
    if chosen.noisy:
        demo_figures._quarterly = uneven_quarters
    figures = figures_for(chosen.enterprises, max(chosen.years), chosen.seed, noisy=chosen.noisy)
    rates = measured(figures, chosen.years)
    sys.stdout.write("\n".join(lines(rates)) + "\n")
    return 0 if holds(rates) else 1


if __name__ == "__main__":
    sys.exit(main())
