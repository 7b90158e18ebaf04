"""Several workbooks of one submission, from departments or enterprises, put together: a unit stands on a form once.

Different forms, and different units of a form, add up. A unit that two files state on one form is kept once where the one row says
nothing the other does not say as well (prefilled attributes come back in every file); everything else is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.findings import as_findings, no_findings
from schemas.model import Edition
from schemas.observations import CELL_MAP_COLUMNS, KEY_COLUMNS, Observations, merge
from sources.reader import FileReading
from sources.reading import FORENSICS_COLUMNS, no_forensics

Row = dict[str, object]
Letters = Mapping[tuple[str, str, str], tuple[str, int | None]]


@dataclass(frozen=True)
class PutTogether:
    """One set of observations, hard findings ``overlap`` for rows that contradict each other, and what was left out as repeated."""

    observations: Observations
    findings: pl.DataFrame
    forensics: pl.DataFrame


def put_together(readings: Sequence[FileReading], edition: Edition, park: str) -> PutTogether:
    """The observations of all files. The same file given twice counts once."""
    once = list({r.sha256: r for r in readings}.values())
    whole = merge([r.observations for r in once])
    if len(once) < 2:
        return PutTogether(whole, no_findings(), no_forensics())
    names = {r.sha256: r.name for r in once}
    frames, findings, notes = dict(whole.frames), [], []
    for form, frame in whole.frames.items():
        left_out: list[tuple[str, str, int | None]] = []
        letters = _letters(whole.cell_map, form)
        for rows in _in_several_files(frame):
            dropped, contradicting = _compared(rows)
            left_out += [(str(r["unit_id"]), str(r["_file"]), r["_row"]) for r in dropped]  # type: ignore[misc]
            findings += [_overlap(edition, park, form, letters, names, *pair) for pair in contradicting]
        if left_out:
            frames[form] = _without(frame, left_out)
            units, files = len({u for u, _, _ in left_out}), sorted({names[f] for _, f, _ in left_out})
            told = f"《{'》《'.join(files)}》里表“{edition.forms[form].title}”的 {units} 个单位在别的文件里已有同样的数,只取一份。"
            notes.append({"file": files[0], "kind": "repeated_rows", "sheet": None, "place": None, "message": told})
    return PutTogether(
        Observations(frames, whole.cell_map),
        as_findings(findings),
        pl.DataFrame(notes, schema=FORENSICS_COLUMNS) if notes else no_forensics(),
    )


def _in_several_files(frame: pl.DataFrame) -> list[list[Row]]:
    """The rows of each unit that more than one file states, in the order of the files."""
    shared = frame.filter(pl.col("unit_id").is_not_null()).filter(pl.col("_file").n_unique().over("unit_id") > 1)
    if shared.is_empty():
        return []
    return [part.to_dicts() for part in shared.partition_by("unit_id", maintain_order=True)]


def _compared(rows: Sequence[Row]) -> tuple[list[Row], list[tuple[Row, Row]]]:
    """(rows that add nothing to a row of another file, pairs of rows that both say something of their own)."""
    kept: list[Row] = []
    dropped: list[Row] = []
    contradicting: list[tuple[Row, Row]] = []
    for row in rows:
        other = next((k for k in kept if k["_file"] != row["_file"]), None)
        if other is None:
            kept.append(row)
        elif _adds_nothing(row, other):
            dropped.append(row)
        elif _adds_nothing(other, row):
            kept[kept.index(other)] = row
            dropped.append(other)
        else:
            contradicting.append((other, row))
    return dropped, contradicting


def _said(row: Row) -> Row:
    return {c: v for c, v in row.items() if c not in KEY_COLUMNS and v is not None}


def _adds_nothing(row: Row, other: Row) -> bool:
    """Whether everything ``row`` says stands in ``other`` too."""
    return all(other.get(column) == value for column, value in _said(row).items())


def _without(frame: pl.DataFrame, left_out: Sequence[tuple[str, str, int | None]]) -> pl.DataFrame:
    keys = {"unit_id": pl.String(), "_file": pl.String(), "_row": pl.Int64()}
    gone = pl.DataFrame(left_out, schema=keys, orient="row")
    return frame.join(gone, on=list(keys), how="anti", nulls_equal=True, maintain_order="left")


def _letters(cell_map: pl.DataFrame, form: str) -> Letters:
    """(file, sheet, column) → letter, and the row on a sheet form."""
    own = cell_map.filter(form=form).select(n for n in CELL_MAP_COLUMNS if n != "form")
    return {
        (row["_file"], row["_sheet"], row["column"]): (row["letter"], row["row"]) for row in own.iter_rows(named=True)
    }


def _overlap(
    edition: Edition, park: str, form: str, letters: Letters, names: Mapping[str, str], first: Row, second: Row
) -> dict[str, object]:
    """The finding on the later file: at the first figure that is not the same in both."""
    before, after = _said(first), _said(second)
    column = next((c for c in after if c in before and before[c] != after[c]), None) or next(
        c for c in after if c not in before
    )

    def place(row: Row) -> tuple[str, str | None]:
        letter, own = letters.get((str(row["_file"]), str(row["_sheet"]), column), ("", None))
        number = own or row["_row"]
        cell = f"{letter}{number}" if letter and number else None
        return f"《{names[str(row['_file'])]}》工作表“{row['_sheet']}”{f' {cell}' if cell else ''}", cell

    here, cell = place(second)
    there, _ = place(first)
    indicator = edition.indicators[column.split("_")[0]]
    named = f"“{indicator.name}{'上年同期' if column.endswith('_yoy') else ''}”({column})"
    told = f"与{there}重复填报了同一单位,内容不同;一张表的一个单位只能在一个文件里填,请只保留一处。"
    row = (
        second["_row"]
        if second["_row"] is not None
        else letters.get((str(second["_file"]), str(second["_sheet"]), column), ("", None))[1]
    )
    return {
        "rule": "overlap", "severity": "hard", "form": form, "unit_id": second["unit_id"], "park": park, "file": names[str(second["_file"])],
        "sheet": second["_sheet"], "cell": cell, "row": row, "column": column, "indicator": indicator.name,
        "found": f"{before.get(column, '空')} / {after.get(column)}", "message": f"{here}{named}:{told}", "code": "overlap", "outcome": "failed",
    }  # fmt: skip
