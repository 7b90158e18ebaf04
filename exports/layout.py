"""From a published mart to tables for print: which cell stands in which row and column, decided by data alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import polars as pl

from exports.ordering import DIMENSIONS, TOTAL, Ordering, mart_title, publication

SHEET_ROWS: Final = 30_000  # more is no table for print: it stays in tables/, and the contents sheet says so
_TAB_FORBIDDEN: Final = re.compile(r"[\[\]:*?/\\']")
TAB_LENGTH: Final = 31
UNSAID: Final = ("", "合计", "数值")  # labels that tell a reader nothing in a subtitle


@dataclass(frozen=True)
class Figure:
    """One published figure in a table."""

    row_key: str
    display: str
    status: str
    unit_measure: str
    word: str = ""  # what a level given as a number is called
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One line: its heading at ``indent``; a line without figures is the heading of the lines below it."""

    label: str
    indent: int = 0
    figures: tuple[Figure | None, ...] = ()
    unit_measure: str = ""
    note: str = ""
    total: bool = False

    @property
    def is_heading(self) -> bool:
        """Whether the line only names the group below."""
        return not self.figures


@dataclass(frozen=True)
class Table:
    """One table ready for a sheet or a page.

    ``heads`` holds one tuple a column, from the upper head to the lower; ``unit_measure`` is the unit of the whole table,
    or empty where units stand in the heads (``head_units``) or in the lines.
    """

    mart: str
    tab: str
    title: str
    subtitle: str
    unit_measure: str
    heads: tuple[tuple[str, ...], ...]
    head_units: tuple[str, ...]
    rows: tuple[Row, ...]
    note_head: str = ""
    statuses: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()  # at the foot, beside those the figures give occasion for
    left_out: int = 0  # figures of a table too long to lay out; it then has no rows

    @property
    def has_line_units(self) -> bool:
        """Whether a column with the unit of each line is needed."""
        return any(row.unit_measure for row in self.rows)

    def head_spans(self, level: int) -> tuple[tuple[int, int], ...]:
        """First and last column of each cell of one head; equal neighbours share a cell, except in the lowest head."""
        lowest = level == len(self.heads[0]) - 1 if self.heads else True
        spans: list[tuple[int, int]] = []
        for n, head in enumerate(self.heads):
            if spans and not lowest and self.heads[spans[-1][0]][: level + 1] == head[: level + 1]:
                spans[-1] = (spans[-1][0], n)
            else:
                spans.append((n, n))
        return tuple(spans)

    @property
    def figures(self) -> int:
        """How many figures stand in the table."""
        return sum(figure is not None for row in self.rows for figure in row.figures)


@dataclass(frozen=True)
class Layout:
    """One entry of ``publication.toml``."""

    mart: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    sheet_by: tuple[str, ...] = ()
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    title: str = "{mart}"
    suffix: str = ""
    note_column: str = ""
    note_measures: tuple[str, ...] = ()
    mark_notes: bool = True  # whether a mark for protection is explained line by line too, not only at the foot
    notes: tuple[str, ...] = ()


GENERAL: Final = Layout(
    "", rows=("area", "category", "indicator"), columns=("period", "measure"), sheet_by=("table", "breakdown"),
    title="{mart}", suffix="{table}{breakdown}", note_column="说明",
)  # fmt: skip


def layouts_of(mart: str) -> tuple[Layout, ...]:
    """The layouts of one mart in order, the general one last."""
    own = [
        Layout(
            mart=entry["mart"],
            rows=tuple(entry["rows"]),
            columns=tuple(entry["columns"]),
            sheet_by=tuple(entry.get("sheet_by", ())),
            where=entry.get("where", {}),
            title=entry.get("title", "{mart}"),
            suffix=entry.get("suffix", ""),
            note_column=entry.get("note_column", ""),
            note_measures=tuple(entry.get("note_measures", ())),
            mark_notes=bool(entry.get("mark_notes", True)),
            notes=tuple(entry.get("notes", ())),
        )
        for entry in publication()["layout"]
        if entry["mart"] == mart
    ]
    return (*own, GENERAL)


def tables_of(
    name: str,
    cells: pl.DataFrame,
    ordering: Ordering,
    parents: Mapping[str, str] | None = None,
    taken: set[str] | None = None,
) -> tuple[Table, ...]:
    """Every cell of a published mart in exactly one table; one of more than ``SHEET_ROWS`` lines is named, not laid out. The first table is the one an A1 address without sheet means.

    ``parents``: indicator → the indicator it is an of-which item of; such lines get the mark # below their parent.
    ``taken``: names of sheets already in the workbook, in lower case; those given here are added.
    """
    tables: list[Table] = []
    rest = cells
    taken = set() if taken is None else taken
    for layout in layouts_of(name):
        mine = rest
        for dimension, allowed in layout.where.items():
            mine = mine.filter(pl.col(dimension).is_in(list(allowed)))
        if mine.is_empty():
            continue
        rest = rest.join(mine.select("row_key"), on="row_key", how="anti")
        for part in _sheets(mine, layout.sheet_by, ordering):
            tables.append(_table(name, part, layout, ordering, parents or {}, taken))
    return tuple(tables)


def _sheets(cells: pl.DataFrame, by: Sequence[str], ordering: Ordering) -> Iterator[pl.DataFrame]:
    if not by:
        yield cells
        return
    groups = dict(cells.group_by(list(by), maintain_order=True))
    for key in sorted(groups, key=lambda key: tuple(ordering.rank(d, str(v)) for d, v in zip(by, key, strict=True))):
        yield groups[key]


def _table(
    mart: str, cells: pl.DataFrame, layout: Layout, ordering: Ordering, parents: Mapping[str, str], taken: set[str]
) -> Table:
    varying = {d for d in DIMENSIONS if cells[d].n_unique() > 1}
    placed = {*layout.rows, *layout.columns}
    rows = (*(d for d in DIMENSIONS if d in varying and d not in placed), *layout.rows)
    # A heading that never changes belongs into the subtitle, unless the lines would lose their last heading.
    kept_rows = tuple(d for d in rows if d in varying) or rows[-1:]
    kept_columns = tuple(d for d in layout.columns if d in varying) or layout.columns[-1:]
    kept_rows = tuple(d for d in kept_rows if d not in kept_columns)
    names = _constant_names(cells, ordering)
    constants = [
        names[d]
        for d in ("area", "breakdown", "category", "indicator", "period", "measure")
        if d not in kept_rows and d not in kept_columns and d not in layout.sheet_by and names[d] not in UNSAID
    ]
    title = _filled(layout.title, mart, cells, names)
    tab = _tab(mart, _filled(layout.suffix, mart, cells, names), taken)
    subtitle = "  ".join(text for text in constants if text != title)
    if cells.n_unique(subset=list(kept_rows)) > SHEET_ROWS:
        return Table(mart, tab, title, subtitle, "", (), (), (), left_out=cells.height)
    if layout.note_measures:
        silent = ~pl.col("measure").is_in(list(layout.note_measures))
        cells = cells.with_columns(note=pl.when(silent).then(pl.lit("")).otherwise("note"))
    if not layout.mark_notes:
        cells = cells.with_columns(note=pl.when(pl.col("status") == "C").then(pl.lit("")).otherwise("note"))
    grid = _Grid.of(cells, kept_rows, kept_columns, ordering)
    whole, head_units, line_units = _units(grid)
    return Table(
        mart=mart,
        tab=tab,
        title=title,
        subtitle=subtitle,
        unit_measure=whole,
        heads=tuple(tuple(ordering_label for ordering_label in grid.column_labels[c]) for c in grid.columns),
        head_units=head_units,
        rows=tuple(_lines(grid, line_units, parents, ordering, bool(layout.note_column))),
        note_head=layout.note_column if layout.note_column and any(grid.notes.values()) else "",
        statuses=frozenset(cells["status"].unique()),
        notes=(*layout.notes, *(ordering.table_notes.get(cells["table"][0], ()) if names["table"] else ())),
    )


Key = tuple[str, ...]


@dataclass(frozen=True)
class _Grid:
    """The cells by row key and column key, both in reading order."""

    row_dimensions: tuple[str, ...]
    rows: tuple[Key, ...]
    columns: tuple[Key, ...]
    row_labels: Mapping[Key, Key]
    column_labels: Mapping[Key, Key]
    figures: Mapping[tuple[Key, Key], Figure]
    notes: Mapping[Key, str]

    @classmethod
    def of(
        cls, cells: pl.DataFrame, row_dimensions: tuple[str, ...], column_dimensions: tuple[str, ...], order: Ordering
    ) -> _Grid:
        figures: dict[tuple[Key, Key], Figure] = {}
        row_labels: dict[Key, Key] = {}
        column_labels: dict[Key, Key] = {}
        notes: dict[Key, list[str]] = {}
        # Codes and labels column by column: a mart has a hundred thousand cells and few distinct codes.
        ordered = cells.sort("row_key")
        named = {d: _labels(ordered, d, order) for d in (*row_dimensions, *column_dimensions)}
        rows = _tuples([ordered[d].to_list() for d in row_dimensions], ordered.height)
        columns = _tuples([ordered[d].to_list() for d in column_dimensions], ordered.height)
        labels = _tuples([named[d] for d in row_dimensions], ordered.height)
        heads = _tuples([named[d] for d in column_dimensions], ordered.height)
        content = ordered.select("row_key", "display", "status", "unit_measure", "note", "measure").iter_rows()
        for row, column, label, head, (key, display, status, unit, note, measure) in zip(
            rows, columns, labels, heads, content, strict=True
        ):
            copy = 0
            # Cells no dimension tells apart still each get their own line: nothing published may vanish.
            while (row, column) in figures:
                copy += 1
                row = (*row[: len(row_dimensions)], str(copy))
            row_labels.setdefault(row, label)
            if column_labels.get(column) != head:
                column_labels[column] = _both(column_labels.get(column), head)
            figures[row, column] = Figure(key, display, status, _unit(unit), word_of(measure, display), note)
            if note and note not in notes.setdefault(row, []):
                notes[row].append(note)
        return cls(
            row_dimensions,
            tuple(sorted(row_labels, key=lambda key: _rank(key, row_dimensions, order))),
            tuple(sorted(column_labels, key=lambda key: _rank(key, column_dimensions, order))),
            row_labels,
            column_labels,
            figures,
            {row: _sentences(texts) for row, texts in notes.items()},
        )


def _tuples(parts: Sequence[Sequence[str]], height: int) -> Sequence[Key]:
    return list(zip(*parts, strict=True)) if parts else [()] * height


def _labels(cells: pl.DataFrame, dimension: str, ordering: Ordering) -> list[str]:
    """The label of every cell in one dimension."""
    name = f"{dimension}_name"
    names = cells[name].to_list() if name in cells.columns else [""] * cells.height
    pairs = list(zip(cells[dimension].to_list(), names, strict=True))
    known = {pair: ordering.label(dimension, *pair) for pair in set(pairs)}
    return [known[pair] for pair in pairs]


@cache
def word_of(measure: str, display: str) -> str:
    """What a level given as a number is called, as ``[words]`` has it; empty for any other figure."""
    words = publication()["words"].get(measure, ())
    return str(words[int(display)]) if display.isdigit() and int(display) < len(words) else ""


def _sentences(notes: Sequence[str]) -> str:
    """Notes of one line as running text; a single one stays as it is."""
    return notes[0] if len(notes) == 1 else "".join(f"{note.rstrip('。')}。" for note in notes)


def _both(known: Key | None, label: Key) -> Key:
    """Heads of one column; where cells name it differently (本年累计, for stocks 期末数) the head carries both names."""
    if known is None or known == label:
        return label
    return tuple(k if n in k.split("/") else f"{k}/{n}" for k, n in zip(known, label, strict=True))


def _rank(key: Key, dimensions: Sequence[str], ordering: Ordering) -> tuple[Any, ...]:
    own = tuple(ordering.rank(d, code) for d, code in zip(dimensions, key, strict=False))
    return (*own, key[len(dimensions) :])


@cache
def _unit(unit_measure: str) -> str:
    return "" if unit_measure in ("", "-", "—") else str(publication()["label"]["unit"].get(unit_measure, unit_measure))


def _units(grid: _Grid) -> tuple[str, tuple[str, ...], Mapping[Key, str]]:
    """Where units are printed: once for the table, else in heads of one unit, else in the lines; no figure without."""
    by_column: dict[Key, set[str]] = {column: set() for column in grid.columns}
    for (_, column), figure in grid.figures.items():
        by_column[column].add(figure.unit_measure)
    everything = set().union(*by_column.values()) if by_column else set()
    if len(everything) <= 1:
        return next(iter(everything), ""), ("",) * len(grid.columns), {}
    heads = tuple(next(iter(by_column[c])) if len(by_column[c]) == 1 else "" for c in grid.columns)
    mixed = {c for c in grid.columns if len(by_column[c]) > 1}
    lines: dict[Key, dict[str, None]] = {}
    for (row, column), figure in grid.figures.items():
        if column in mixed and figure.unit_measure:
            lines.setdefault(row, {})[figure.unit_measure] = None
    return "", heads, {row: "/".join(units) for row, units in lines.items()}


def _lines(
    grid: _Grid, units: Mapping[Key, str], parents: Mapping[str, str], ordering: Ordering, notes: bool
) -> Iterator[Row]:
    depth = len(grid.row_dimensions)
    indicator_at = grid.row_dimensions.index("indicator") if "indicator" in grid.row_dimensions else -1
    present = {(row[:indicator_at], row[indicator_at]) for row in grid.rows} if indicator_at >= 0 else set()
    above: Key = ()
    for row in grid.rows:
        labels = grid.row_labels[row]
        same = next((n for n in range(depth - 1) if row[: n + 1] != above[: n + 1]), depth - 1)
        for level in range(same, depth - 1):
            if grid.row_dimensions[level] == "breakdown" and row[level] == "total":
                continue  # the total needs no heading: its line says 合计
            yield Row(_heading(labels, row, level, grid, parents, present), indent=level)
        above = row
        last = depth - 1
        label = labels[last]
        extra = 0
        if indicator_at == last:
            extra = ordering.depths.get(row[last], 0)
            if (row[:last], parents.get(row[last], "")) in present:
                label, extra = f"#{label.removeprefix('其中:').removeprefix('其中:')}", 1
        if row[last] == TOTAL and "total" in row[:last]:
            extra -= 1
        yield Row(
            label=label,
            indent=last + extra,
            figures=tuple(grid.figures.get((row, column)) for column in grid.columns),
            unit_measure=units.get(row, ""),
            note=grid.notes.get(row, "") if notes else "",
            total=row[last] == TOTAL and grid.row_dimensions[last] == "category",
        )


def _heading(
    labels: Key, row: Key, level: int, grid: _Grid, parents: Mapping[str, str], present: set[tuple[Key, str]]
) -> str:
    if grid.row_dimensions[level] == "indicator" and (row[:level], parents.get(row[level], "")) in present:
        return f"#{labels[level].removeprefix('其中:')}"
    return labels[level]


def _constant_names(cells: pl.DataFrame, ordering: Ordering) -> dict[str, str]:
    """Dimension → its label where the whole table shares one value, else empty."""
    first = cells.row(0, named=True)
    return {
        d: ordering.label(d, first[d], first.get(f"{d}_name", "")) if cells[d].n_unique() == 1 else ""
        for d in DIMENSIONS
    }


def _filled(template: str, mart: str, cells: pl.DataFrame, names: Mapping[str, str]) -> str:
    return template.format(mart=mart_title(mart), table_code=cells["table"][0], **names)


def _tab(mart: str, suffix: str, taken: set[str]) -> str:
    """The sheet's name, from the title of its mart: 季度监测指标, 季度监测指标·按行业; unique and fit for a workbook."""
    text = _TAB_FORBIDDEN.sub("", f"{mart_title(mart)}·{suffix}" if suffix else mart_title(mart))
    tab, n = text[:TAB_LENGTH], 1
    while tab.lower() in taken:
        n += 1
        tail = f"({n})"
        tab = text[: TAB_LENGTH - len(tail)] + tail
    taken.add(tab.lower())
    return tab
