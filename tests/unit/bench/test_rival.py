"""The script the reading is compared with does the same work: it finds what our rules find, rule by rule."""

from __future__ import annotations

import polars as pl

from bench.books import YEAR, figures_of, forms_of, written
from bench.reading import found_by, script_finds, whole_check
from schemas.catalog import programme

PARK = "LBGX"


def spoiled_everywhere(frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """One enterprise's figure wrong in every column: out of proportion, below zero or gone, by turns."""
    forms = programme().edition_for(YEAR).forms
    found = {}
    for code, frame in frames.items():
        figures = [c for c in frame.columns if frame.schema[c].is_numeric() and not c.endswith("_yoy")]
        if forms[code].roster == "enterprise":
            for n, column in enumerate(figures):
                wrong = (pl.col(column) * 7 + 13, -pl.col(column) - 5, pl.lit(None))[n % 3]
                hit = pl.int_range(pl.len()) == (5 * n + 3) % frame.height
                kept = frame.schema[column]
                frame = frame.with_columns(pl.when(hit).then(wrong).otherwise(pl.col(column)).cast(kept).alias(column))
        found[code] = frame
    return found


def test_the_script_finds_what_the_product_finds() -> None:
    frames = spoiled_everywhere(forms_of(figures_of(40), PARK, YEAR))
    book = written(programme(), frames, PARK)
    ours = found_by(whole_check(book.data))
    assert script_finds(book.data, PARK) == ours
    assert len(ours) > 30
    assert sum(ours.values()) > 100


def test_both_find_nothing_in_sound_figures() -> None:
    book = written(programme(), forms_of(figures_of(8), PARK, YEAR), PARK)
    assert found_by(whole_check(book.data)) == script_finds(book.data, PARK) == {}
