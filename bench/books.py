"""Workbooks to measure on: the project's own template with made-up figures in its input cells, the same for the same arguments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from schemas.catalog import programme
from schemas.model import Programme
from schemas.observations import Observations
from schemas.period import Period
from sources.template import write_template
from ytb.demo.figures import Figures, as_observation_frame
from ytb.demo.panel import ZONES, Size, draw

SEED = 2014
YEAR = Period.parse("2014")


@dataclass(frozen=True)
class Book:
    """A finished workbook and what it holds: enterprises, filled cells of the enterprise forms, planted faults."""

    data: bytes
    enterprises: int
    cells: int
    faults: int


@lru_cache(maxsize=4)
def figures_of(enterprises: int, seed: int = SEED, last_year: int = 2014) -> Figures:
    """Figures of four parks with so many enterprises each."""
    of = programme()
    return Figures(of, draw(of, Size.of(enterprises * len(ZONES)), last_year, seed), {})


def forms_of(figures: Figures, park: str, period: Period) -> dict[str, pl.DataFrame]:
    """Every form of one park and period, the park's own included."""
    edition = figures.programme.edition_for(period)
    frames = dict(figures.enterprises(park, period))
    for code, made in (("incubators", figures.incubators), ("projects", figures.projects), ("tasks", figures.tasks)):
        asked = [i.code for i in edition.forms[code].asked(period)]
        if asked:
            frame = made(park, period)
            frames[code] = frame.select("unit_id", *(c for c in asked if c in frame.columns))
    own = figures.sheet(park, period)
    types = {f"{i.code}{lag}": i.dtype for i in edition.forms["park"].indicators for lag in ("", "_yoy")}
    schema = {"unit_id": pl.String()} | {c: types[c] for c in own}
    frames["park"] = pl.DataFrame([{"unit_id": park, **own}], schema=schema)
    return frames


def observations_of(figures: Figures, park: str, period: Period) -> Observations:
    """The same as a submission would hold it, without addresses."""
    return Observations({c: as_observation_frame(f, park) for c, f in forms_of(figures, park, period).items()})


def spoiled(frames: dict[str, pl.DataFrame], every: int) -> tuple[dict[str, pl.DataFrame], int]:
    """The frames with three faults in every so-and-so-many-th enterprise, and how many that makes."""
    if not every:
        return frames, 0
    changes = {
        "finance": pl.col("F02") * 2 + 1000,  # more than the whole it is part of
        "personnel": pl.lit(None, dtype=pl.Int64).alias("P06"),  # required and blank
        "ip": pl.col("I02") + 90,  # more inventions than patents
    }
    changed = dict(frames)
    for code, change in changes.items():
        hit = pl.int_range(pl.len()) % every == every // 2
        name = change.meta.output_name()
        changed[code] = frames[code].with_columns(pl.when(hit).then(change).otherwise(pl.col(name)).alias(name))
    return changed, sum(len(range(every // 2, frames[code].height, every)) for code in changes)


def park_book(enterprises: int, *, seed: int = SEED, park: str = "LBGX", faults_every: int = 0) -> Book:
    """The annual workbook of one park, every enterprise on all forms it owes."""
    figures = figures_of(enterprises, seed)
    frames, faults = spoiled(forms_of(figures, park, YEAR), faults_every)
    return written(figures.programme, frames, park, faults)


def written(of: Programme, frames: dict[str, pl.DataFrame], park: str, faults: int = 0) -> Book:
    """The annual workbook with these figures in it."""
    basic = frames["basic"]
    units = basic.select(
        "unit_id", pl.col("B02").alias("name"), *(c for c in basic.columns if c.startswith("B") and c != "B01")
    )
    issued = {
        code: frame.select(
            "unit_id", *(pl.col(c).alias(c.removesuffix("_yoy")) for c in frame.columns if c.endswith("_yoy"))
        )
        for code, frame in frames.items()
        if any(c.endswith("_yoy") for c in frame.columns)
    }
    data = write_template(of.edition_for(YEAR), of, YEAR, park, units=units, values=frames, year_earlier=issued)
    forms = of.edition_for(YEAR).forms
    filled = [f for code, f in frames.items() if forms[code].roster == "enterprise"]
    cells = sum(f.height * (f.width - 1) - sum(f.null_count().row(0)) for f in filled)
    return Book(data, basic.height, cells, faults)
