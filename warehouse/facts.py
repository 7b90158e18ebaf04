"""Facts: one wide table a form in ``submitted`` and ``accepted``, bitemporal views, cells with their addresses.

Loads are idempotent by submission (delete and insert in one transaction); the warehouse is derived from the ledger and
the vault and can be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from schemas.errors import DefinitionError, RefusalError, StorageError
from schemas.model import Form, Programme
from schemas.observations import CELL_MAP_COLUMNS, Observations, frame_columns
from warehouse.connection import connected

CELL_COLUMNS = ("period", "submission", "park", "unit_id", "form", "column", "value", "file", "sheet", "cell")
STAGES = ("submitted", "accepted")
SCHEMAS = ("meta", *STAGES, "in_force", "effective", "as_of", "mart", "published")


@dataclass(frozen=True)
class SubmissionRow:
    """What the warehouse keeps of a submission; ``accepted_from``/``accepted_to`` bound the time it was in force (UTC).

    ``channel`` is how it came: ``history`` for what was taken over from foreign workbooks.
    """

    submission_id: str
    number: str
    park: str
    period: str
    edition: str
    revision: int
    state: str
    reported_at: datetime | None
    accepted_from: datetime | None
    accepted_to: datetime | None
    channel: str = ""


@contextmanager
def writer(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The one writing connection to the live warehouse. Raises StorageError naming the holder where it is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        con = connected(path)
    except duckdb.IOException as error:
        raise StorageError(f"数据仓库正被另一个进程写入,请稍后再试。({str(error).splitlines()[0]})") from None
    try:
        yield con
    finally:
        con.close()


@contextmanager
def in_memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse of its own in memory, for reproducing a release."""
    con = connected()
    try:
        yield con
    finally:
        con.close()


def held_submissions(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Submission → state, as the warehouse mirrors them."""
    return dict(con.sql("SELECT submission_id, state FROM meta.submissions").fetchall())


def query(con: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    """The result of a statistician's SQL on a read-only connection. Raises RefusalError with the engine's words, and for more
    than one statement: only the last one's result would be seen."""
    try:
        if len(con.extract_statements(sql)) > 1:
            raise RefusalError("一次只能执行一条 SQL,请分开执行。")
        relation = con.sql(sql)
        return relation.pl() if relation is not None else pl.DataFrame()
    except duckdb.Error as error:
        raise RefusalError(f"SQL 不能执行:{error}") from None


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing; a full disk becomes a StorageError and leaves the last committed state."""
    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT")
    except duckdb.Error as error:
        con.execute("ROLLBACK") if not isinstance(error, duckdb.FatalException) else None
        raise StorageError(f"写入数据仓库失败,已恢复到上一次提交的状态:{str(error).splitlines()[0]}") from error
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _sql_type(dtype: pl.DataType) -> str:
    match dtype:
        case pl.Decimal():
            return f"DECIMAL({dtype.precision},{dtype.scale})"
        case pl.Int64():
            return "BIGINT"
        case pl.Float64():
            return "DOUBLE"
        case pl.Boolean():
            return "BOOLEAN"
        case pl.Date():
            return "DATE"
    return "VARCHAR"


def columns_of(programme: Programme, form_code: str) -> dict[str, pl.DataType]:
    """Columns of a form's facts: the union over editions, in the order of the newest edition, older codes last."""
    columns: dict[str, pl.DataType] = {}
    for edition in reversed(list(programme.editions.values())):
        form = edition.forms.get(form_code)
        if form is not None:
            for name, dtype in frame_columns(form).items():
                columns.setdefault(name, dtype)
    return columns


def form_codes(programme: Programme) -> list[str]:
    """All form codes of all editions, in printed order of the newest."""
    return list(
        dict.fromkeys(code for edition in reversed(list(programme.editions.values())) for code in edition.forms)
    )


def create(con: duckdb.DuckDBPyConnection, programme: Programme) -> None:
    """Create or complete all schemas, tables and views for ``programme``; new indicators become new columns."""
    for name in SCHEMAS:
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
    con.execute(
        """CREATE TABLE IF NOT EXISTS meta.submissions (submission_id VARCHAR, number VARCHAR, park VARCHAR, period VARCHAR,
        edition VARCHAR, revision INTEGER, state VARCHAR, reported_at TIMESTAMPTZ, accepted_from TIMESTAMPTZ, accepted_to TIMESTAMPTZ, channel VARCHAR)"""
    )
    con.execute("ALTER TABLE meta.submissions ADD COLUMN IF NOT EXISTS channel VARCHAR")
    con.execute(
        "CREATE TABLE IF NOT EXISTS meta.cell_map (submission_id VARCHAR, "
        + ", ".join(f'"{name}" {_sql_type(dtype)}' for name, dtype in CELL_MAP_COLUMNS.items())
        + ")"
    )
    # What counts where nothing is accepted yet: of each park and period the accepted submission, else the newest reported.
    con.execute(
        """CREATE OR REPLACE VIEW meta.effective AS SELECT * FROM meta.submissions
        WHERE (accepted_from IS NOT NULL AND accepted_to IS NULL) OR state IN ('reported', 'reopened')
        QUALIFY row_number() OVER (PARTITION BY park, period
            ORDER BY (accepted_from IS NOT NULL AND accepted_to IS NULL) DESC, revision DESC) = 1"""
    )
    for code in form_codes(programme):
        columns = columns_of(programme, code)
        for stage in STAGES:
            body = ", ".join(f'"{name}" {_sql_type(dtype)}' for name, dtype in columns.items())
            con.execute(f'CREATE TABLE IF NOT EXISTS {stage}."{code}" (submission_id VARCHAR, period VARCHAR, {body})')
            present = {row[1]: row[2] for row in con.execute(f"PRAGMA table_info('{stage}.{code}')").fetchall()}
            for name, dtype in columns.items():
                if present.get(name, _sql_type(dtype)) != _sql_type(dtype):
                    # Inserting would round or refuse figures: a code keeps its type for ever.
                    raise DefinitionError(
                        f"指标 {name}(表 {code})已有数据的类型是 {present[name]},现在的定义是 {_sql_type(dtype)}",
                        where=str(programme.folder),
                        remedy="已有数据的指标不能改类型或小数位:请改回,换用新代码,并在 concordance.csv 写明对照。",
                    )
                if name not in present:
                    con.execute(f'ALTER TABLE {stage}."{code}" ADD COLUMN "{name}" {_sql_type(dtype)}')
        con.execute(
            f"""CREATE OR REPLACE VIEW in_force."{code}" AS SELECT f.* FROM accepted."{code}" f JOIN meta.submissions s
            USING (submission_id) WHERE s.accepted_from IS NOT NULL AND s.accepted_to IS NULL"""
        )
        con.execute(
            f"""CREATE OR REPLACE VIEW effective."{code}" AS SELECT f.* FROM submitted."{code}" f
            SEMI JOIN meta.effective USING (submission_id)"""
        )
        con.execute(
            f"""CREATE OR REPLACE MACRO as_of."{code}"(instant) AS TABLE SELECT f.* FROM accepted."{code}" f
            JOIN meta.submissions s USING (submission_id)
            WHERE s.accepted_from <= instant AND (s.accepted_to IS NULL OR s.accepted_to > instant)"""
        )
    con.execute(
        "CREATE OR REPLACE VIEW meta.cells AS "
        + "\nUNION ALL BY NAME\n".join(_cells_of(programme, c) for c in form_codes(programme))
    )


def _cells_of(programme: Programme, code: str, source: str = "", wanted: Collection[str] | None = None) -> str:
    """Cells with their addresses of a form's facts in ``source`` (those that count today), of all columns or those ``wanted``."""
    source = source or f'effective."{code}"'
    keys = ("park", "unit_id", "_file", "_sheet", "_row")
    named = columns_of(programme, code)
    values = [name for name in named if name not in keys and (wanted is None or name in wanted)]
    listed = ", ".join(f'"{name}"' for name in values)
    as_text = ", ".join(f'"{name}"::VARCHAR AS "{name}"' for name in values)
    return f"""SELECT u.submission_id, '{code}' AS form, u.park, u.period, u.unit_id, u._file AS file, u._sheet AS sheet,
        m.letter || coalesce(m.row, u._row)::VARCHAR AS cell, u."column", u.value
        FROM (UNPIVOT (SELECT submission_id, park, period, unit_id, _file, _sheet, _row, {as_text} FROM {source})
              ON {listed} INTO NAME "column" VALUE value) u
        LEFT JOIN meta.cell_map m ON m.submission_id = u.submission_id AND m._file = u._file AND m._sheet = u._sheet
             AND m.form = '{code}' AND m."column" = u."column" """


def load(
    con: duckdb.DuckDBPyConnection,
    programme: Programme,
    batch: Sequence[tuple[SubmissionRow, Observations, Collection[str]]],
) -> int:
    """Put the observations of some submissions into the stages named with each, replacing what stood there under its id.

    Returns the rows. Must run inside ``transaction``. One statement a form and stage, for what a statement costs does not
    depend on its rows.
    """
    into = {stage: [row.submission_id for row, _, stages in batch if stage in stages] for stage in STAGES}
    for stage, ids in into.items():
        forget(con, programme, ids, [stage])
    loaded = 0
    for code in sorted({code for _, observations, _ in batch for code in observations.frames}):
        columns = columns_of(programme, code)
        body = pl.concat(
            _stored(row, frame, columns)
            for row, observations, _ in batch
            if (frame := observations.frames.get(code)) is not None
        )
        for stage, ids in into.items():
            _insert(con, f'{stage}."{code}"', body.filter(pl.col("submission_id").is_in(ids)))
        loaded += body.height
    maps = [
        o.cell_map.select(pl.lit(row.submission_id).alias("submission_id"), *CELL_MAP_COLUMNS) for row, o, _ in batch
    ]
    con.execute(
        "DELETE FROM meta.cell_map WHERE submission_id IN (SELECT unnest(?))", [[r.submission_id for r, *_ in batch]]
    )
    _insert(con, "meta.cell_map", pl.concat(maps))
    return loaded


def _stored(row: SubmissionRow, frame: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return frame.select(
        pl.lit(row.submission_id).alias("submission_id"),
        pl.lit(row.period).alias("period"),
        *(pl.col(n).cast(d) if n in frame.columns else pl.lit(None, dtype=d).alias(n) for n, d in columns.items()),
    )


def _insert(con: duckdb.DuckDBPyConnection, table: str, body: pl.DataFrame) -> None:
    if body.height:
        con.register("incoming", body.to_arrow())
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        con.unregister("incoming")


def forget(
    con: duckdb.DuckDBPyConnection,
    programme: Programme,
    submission_ids: Collection[str],
    stages: Iterable[str] = STAGES,
) -> None:
    """Remove submissions from ``stages``."""
    if not submission_ids:
        return
    for code in form_codes(programme):
        for stage in stages:
            con.execute(
                f'DELETE FROM {stage}."{code}" WHERE submission_id IN (SELECT unnest(?))', [list(submission_ids)]
            )


def loaded_ids(con: duckdb.DuckDBPyConnection, stage: str) -> set[str]:
    """Submissions whose cell map is there and that have rows in ``stage``."""
    tables = con.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'", [stage]
    )
    found: set[str] = set()
    for (name,) in tables.fetchall():
        found |= {r[0] for r in con.execute(f'SELECT DISTINCT submission_id FROM {stage}."{name}"').fetchall()}
    return found


def replace_submissions(con: duckdb.DuckDBPyConnection, rows: Iterable[SubmissionRow]) -> None:
    """Mirror the ledger's list of submissions."""
    frame = pl.DataFrame(
        [r.__dict__ for r in rows],
        schema={
            "submission_id": pl.String, "number": pl.String, "park": pl.String, "period": pl.String, "edition": pl.String,
            "revision": pl.Int32, "state": pl.String, "reported_at": pl.Datetime("us", "UTC"),
            "accepted_from": pl.Datetime("us", "UTC"), "accepted_to": pl.Datetime("us", "UTC"), "channel": pl.String,
        },
    ).sort("submission_id")  # fmt: skip
    con.execute("DELETE FROM meta.submissions")
    con.register("incoming", frame.to_arrow())
    con.execute("INSERT INTO meta.submissions BY NAME SELECT * FROM incoming")
    con.unregister("incoming")


def facts(
    con: duckdb.DuckDBPyConnection, form: Form, period: str, *, source: str = "in_force", as_of: datetime | None = None
) -> pl.DataFrame:
    """Facts of one form and period, ordered by park and unit, with addresses.

    ``source`` is ``in_force`` (accepted only) or ``effective`` (accepted, else reported); ``as_of`` gives what was accepted
    at that instant instead.
    """
    if source not in ("in_force", "effective"):
        raise ValueError(source)
    table = f'{source}."{form.code}"' if as_of is None else f'as_of."{form.code}"($instant)'
    params: dict[str, object] = {"period": period} | ({"instant": as_of} if as_of else {})
    columns = ", ".join(["submission_id", *(f'"{c}"' for c in frame_columns(form))])
    return con.sql(
        f"SELECT {columns} FROM {table} WHERE period = $period ORDER BY park, unit_id, _row", params=params
    ).pl()


def cells_of(con: duckdb.DuckDBPyConnection, period: str, columns: list[str]) -> pl.DataFrame:
    """Workbook cells behind some columns in one period, of the submissions that count: submission, file, sheet, cell, value."""
    return con.sql(
        """SELECT period, submission_id AS submission, park, unit_id, form, "column", value, file, sheet, cell
        FROM meta.cells WHERE period = $period AND list_contains($columns, "column") ORDER BY park, unit_id, form, "column" """,
        params={"period": period, "columns": columns},
    ).pl()


def cells_of_submissions(
    con: duckdb.DuckDBPyConnection,
    programme: Programme,
    period: str,
    columns: Collection[str],
    submissions: Collection[str],
) -> pl.DataFrame:
    """As ``cells_of``, of the submissions named, whatever has become of them since; empty where none has any of the columns."""
    source = """(FROM submitted."{code}" WHERE period = $period AND list_contains($submissions, submission_id))"""
    parts = [
        _cells_of(programme, code, source.format(code=code), columns)
        for code in form_codes(programme)
        if set(columns) & columns_of(programme, code).keys()
    ]
    if not parts or not submissions:
        return pl.DataFrame(schema=dict.fromkeys(CELL_COLUMNS, pl.String()))
    return con.sql(
        f"""SELECT period, submission_id AS submission, park, unit_id, form, "column", value, file, sheet, cell
        FROM ({" UNION ALL BY NAME ".join(parts)}) ORDER BY park, unit_id, form, "column" """,
        params={"period": period, "submissions": sorted(submissions)},
    ).pl()


def facts_of_submissions(
    con: duckdb.DuckDBPyConnection, form: Form, period: str, submissions: Collection[str]
) -> pl.DataFrame:
    """As ``facts``, of the submissions named, whatever has become of them since."""
    columns = ", ".join(["submission_id", *(f'"{c}"' for c in frame_columns(form))])
    return con.sql(
        f"""SELECT {columns} FROM submitted."{form.code}"
        WHERE period = $period AND list_contains($submissions, submission_id) ORDER BY park, unit_id, _row""",
        params={"period": period, "submissions": sorted(submissions)},
    ).pl()


def periods_on_file(con: duckdb.DuckDBPyConnection, source: str = "in_force") -> list[str]:
    """Periods with facts that count, sorted."""
    condition = "accepted_from IS NOT NULL AND accepted_to IS NULL" if source == "in_force" else "true"
    table = "meta.submissions" if source == "in_force" else "meta.effective"
    return [r[0] for r in con.sql(f"SELECT DISTINCT period FROM {table} WHERE {condition} ORDER BY 1").fetchall()]


def content_hashes(
    con: duckdb.DuckDBPyConnection, schemas: Iterable[str] = ("meta", "submitted", "accepted")
) -> dict[str, str]:
    """SHA-256 of the sorted content of every base table, independent of load order and file layout."""
    hashes: dict[str, str] = {}
    for schema in schemas:
        names = con.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY 1",
            [schema],
        ).fetchall()
        for (name,) in names:
            rows = con.execute(
                f'SELECT md5(COLUMNS_TEXT) FROM (SELECT to_json(t)::VARCHAR AS COLUMNS_TEXT FROM {schema}."{name}" t) ORDER BY 1'
            )
            digest = hashlib.sha256()
            while batch := rows.fetchmany(10_000):
                digest.update("".join(r[0] for r in batch).encode())
            hashes[f"{schema}.{name}"] = digest.hexdigest()
    return hashes


def write_mart(con: duckdb.DuckDBPyConnection, schema: str, name: str, cells: pl.DataFrame, run: str) -> None:
    """Replace what the run of one period left in ``<schema>.<name>``; ``schema`` is ``mart`` or ``published``."""
    con.register("incoming", cells.with_columns(pl.lit(run).alias("run")).to_arrow())
    con.execute(f'CREATE TABLE IF NOT EXISTS {schema}."{name}" AS SELECT * FROM incoming LIMIT 0')
    con.execute(f'DELETE FROM {schema}."{name}" WHERE run = ?', [run])
    con.execute(f'INSERT INTO {schema}."{name}" BY NAME SELECT * FROM incoming')
    con.unregister("incoming")


def read_mart(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    name: str,
    columns: Mapping[str, pl.DataType],
    run: str | None = None,
) -> pl.DataFrame:
    """The cells of one mart, of the run of one period or of all; an empty frame where it was never computed."""
    exists = con.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", [schema, name]
    ).fetchone()
    if not exists:
        return pl.DataFrame(schema=dict(columns))
    listed = ", ".join(f'"{c}"' for c in columns)
    where, params = ("WHERE run = $run", {"run": run}) if run else ("", {})
    frame = con.sql(f'SELECT {listed} FROM {schema}."{name}" {where} ORDER BY row_key', params=params).pl()
    return frame.select(pl.col(c).cast(d) for c, d in columns.items())
