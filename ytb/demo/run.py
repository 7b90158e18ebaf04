"""The demo's story: a province files, is found out where it erred, corrects, is accepted, and publishes. All through ``ytb``."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

import openpyxl
import polars as pl

from schemas.catalog import programme
from schemas.period import Period
from ytb.cli.main import main
from ytb.cli.session import BEIJING, CALL
from ytb.demo.figures import GROWTH, Figures
from ytb.demo.filling import fill, saved
from ytb.demo.history import HISTORY, history_files
from ytb.demo.panel import ENTERPRISES, ZONES, Size, draw
from ytb.demo.planted import FAULTS, Planted, plant

AREA = "LBSYQ"
SIZES = {"small": 4 * 50, "province": ENTERPRISES}
PERIODS = (
    "2014-Q4",
    "2014",
    "2015-Q1",
    "2015-Q2",
    "2015-Q3",
    "2015-Q4",
    "2015",
    "2016-Q1",
    "2016-Q2",
    "2016-Q3",
    "2016-Q4",
    "2016",
    "2024-Q1",
    "2024",
    "2025-Q1",
)
RELEASES = ("2014", "2015-Q2", "2016", "2025-Q1")  # 2016-Q4 is left for the reader to publish, as the README says
YEARS = (2014, 2015, 2016, 2024, 2025)
LATE = {("LBBY", "2015-Q3"), ("LBBY", "2016-Q4")}  # as of the days before, the fourth quarter has an early estimate
MOVED = "AB30"  # asks of every enterprise that has moved to another park
FAULTY = {"2014": "LBGX", "2015-Q2": "LBJJ"}
MINIMUM_WAIT = timedelta(days=1)
#: The workbook as it should have been filled, for a faulty park as it was filled first, and (fault, unit, sheet, cell) of what was planted.
Filled = tuple[bytes, bytes | None, list[tuple[str, str, str, str]]]


REFUSING_YEAR = 2015
REFUSED = "一家企业拒报,催报三次有书面记录,已登记回答状态"


@dataclass
class Story:
    """What happened, for the last page."""

    books: int = 0
    cells: int = 0
    planted: list[Planted] = field(default_factory=list)
    found: set[tuple[str, str, str]] = field(default_factory=set)
    beyond: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    accepted: int = 0


class Office:
    """The commands as a person types them, with the clock of the story."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = datetime(2014, 12, 1, 9, 0, tzinfo=BEIJING)
        CALL.clock = lambda: self.now

    def ytb(self, *words: str, expect: tuple[int, ...] = (0,), err: io.StringIO | None = None) -> Any:
        """One command; its JSON result. ``err`` takes what it says on the way. Raises RuntimeError where it ends otherwise
        than expected."""
        out, err = io.StringIO(), err or io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--home", str(self.root), "--json", *words])
        if code not in expect:
            raise RuntimeError(f"ytb {' '.join(words)} → {code}\n{out.getvalue()[-2000:]}{err.getvalue()[-3000:]}")
        return json.loads(out.getvalue()) if out.getvalue() else None


def run_demo(
    root: Path,
    size: str,
    progress: Callable[[str], None],
    seed: int = 2014,
    periods: Sequence[str] = PERIODS,
    releases: Sequence[str] = RELEASES,
) -> Story:
    """The whole story, or its ``periods`` and ``releases``, into ``root``, which must be new."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn) as workers, Publisher(spawn) as publisher:
        for _ in range(2):
            workers.submit(_at_work)  # they start while the register is made
        of = programme()
        figures = Figures(of, draw(of, Size.of(SIZES[size]), YEARS[-1], seed), {})
        office, story = Office(root), Story()
        office.ytb("init", "--organisation", "示范省统计局")
        books = root / "demo"
        books.mkdir(parents=True, exist_ok=True)
        _register(office, figures, books)
        if tuple(periods) == PERIODS:
            progress(f"{HISTORY[0]} 至 {HISTORY[-1]}:历史台账,按映射导入")
            ledger, mapping = history_files(figures, books)
            office.ytb("import-history", str(ledger), "--map", str(mapping), "--commit")
        for period in map(Period.parse, periods):
            publisher.report(story, progress)
            progress(f"{period}:下发模板,填报,审核,验收")
            at_work = _open(office, figures, period, books, workers)
            _close(office, story, figures, period, books, at_work)
            if str(period) in releases:
                publisher.finish(story, progress)
                publisher.start(office, period)
        publisher.finish(story, progress)
    return story


class Publisher:
    """The publisher's desk: a process of its own, for the parks' next round does not wait for a release.

    A release rests on what was in force when it was begun. The story goes on only once that has been read, so that it comes
    out the same however long either side takes. The trail has it where and when it was done, and says when it was begun.
    """

    def __init__(self, context: SpawnContext) -> None:
        self._begun = context.Event()
        self._desk = ProcessPoolExecutor(1, context, initializer=_at_desk, initargs=(self._begun,))
        self._job: Future[Any] | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self._desk.shutdown()

    def start(self, office: Office, period: Period) -> None:
        """Publish ``period``; returns when the inputs of the release have been read."""
        self._begun.clear()
        self._job = self._desk.submit(_published, office.root, office.now, period)
        while not self._begun.wait(0.05) and not self._job.done():
            pass

    def report(self, story: Story, progress: Callable[[str], None]) -> None:
        """Tell of a release that has come out in the meantime."""
        if self._job is not None and self._job.done():
            self.finish(story, progress)

    def finish(self, story: Story, progress: Callable[[str], None]) -> None:
        """Wait for the release that is being made, if one is. Raises RuntimeError where it could not be made."""
        if self._job is not None:
            made = self._job.result()
            story.releases.append(made["release"])
            progress(f"已发布 {made['release']}({made['files']} 个文件)")
        self._job = None


_BEGUN: list[Event] = []  # of the publisher's process: set when the inputs of a release have been read


def _at_desk(begun: Event) -> None:
    _BEGUN.append(begun)
    programme()


class _Said(io.StringIO):
    """What ``ytb publish`` says; with its first calculation its inputs have been read."""

    def write(self, text: str) -> int:
        if text.startswith("计算"):
            _BEGUN[0].set()
        return super().write(text)


def _published(root: Path, now: datetime, period: Period) -> Any:
    office = Office(root)
    office.now = now
    return office.ytb("publish", "--period", str(period), err=_Said())


def _at_work() -> None:
    """What a park's process loads before its first template."""
    programme()


# ── the register ───────────────────────────────────────────────────────────────────────────────────────────────────
def _register(office: Office, figures: Figures, folder: Path) -> None:
    """Entries, moves and exits of the years that file, as one list of dated events."""
    rows: list[dict[str, object]] = []
    known: dict[str, str] = {}
    for year in YEARS:
        frame = figures.year(year)
        day = "2013-01-01" if year == YEARS[0] else f"{year}-01-01"
        there = dict(frame.select("B01", "park").iter_rows())
        rows += [
            {"unit_id": unit, "park": "", "kind": "exit", "effective": day}
            for unit in sorted(known.keys() - there.keys())
        ]
        for row in frame.iter_rows(named=True):
            if row["B01"] not in known:
                rows.append(_entry(row, day))
            elif known[row["B01"]] != row["park"]:
                rows.append(
                    {
                        "unit_id": row["B01"],
                        "park": row["park"],
                        "sub_park": row["B05"],
                        "kind": "move",
                        "effective": day,
                    }
                )
        known = there
    path = folder / "名录.csv"
    columns = [
        "unit_id",
        "park",
        "sub_park",
        "kind",
        "effective",
        "B02",
        "B06",
        "B07",
        "B08",
        "B09",
        "B11",
        "B12",
        "B16",
    ]
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(rows)
    office.ytb("register", "import", str(path), "--basis", "示范入区批复")


# from then on the register knows the categories of 国统字〔2023〕14号 only (codelists/reg_category.csv)
NEW_CATEGORIES: Final = "2023-01-01"


def _entry(row: Mapping[str, Any], start: str) -> dict[str, object]:
    own = {c: row[c] for c in ("B02", "B06", "B07", "B08", "B09", "B12")}
    if start >= NEW_CATEGORIES:
        own["B08"] = row["B08_new"]
    return {
        "unit_id": row["B01"],
        "park": row["park"],
        "sub_park": row["B05"],
        "kind": "entry",
        "effective": start,
        **own,
        "B11": int(row["B11"]),
        "B16": int(row["B16"]),
    }


# ── one round ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _open(
    office: Office, figures: Figures, period: Period, folder: Path, workers: ProcessPoolExecutor
) -> dict[str, Future[Filled]]:
    """The round opens, and every park fetches and fills its template in a process of its own."""
    office.now = max(
        office.now + MINIMUM_WAIT,
        datetime.combine(period.end, datetime.min.time(), BEIJING) + timedelta(days=1, hours=9),
    )
    if period.round == "A":
        office.now = max(office.now, datetime(period.year + 1, 2, 1, 9, 0, tzinfo=BEIJING))
    office.ytb("period", "open", str(period))
    office.now += timedelta(days=7)
    refusers = _refusals(office, figures, period)
    return {
        park: workers.submit(
            filled,
            office.root,
            office.now,
            ("template", "--park", park, "--period", str(period), "-o", str(folder / f"模板_{period}_{park}.xlsx")),
            *_figures_of(figures, park, period, refusers),
            _firms(figures, park, period) if FAULTY.get(str(period)) == park else None,
            period.round,
        )
        for park in ZONES
    }


def _close(
    office: Office, story: Story, figures: Figures, period: Period, folder: Path, at_work: Mapping[str, Future[Filled]]
) -> None:
    """The parks file, what is wrong comes back and is mended, the office accepts, the round closes."""
    numbers = []
    moved = set(figures.year(period.year).filter("moves")["B01"])
    for park, job in at_work.items():
        clean, broken, planted = job.result()
        if (park, str(period)) in LATE:
            office.now += timedelta(days=9)
        if broken is not None:
            _err_first(office, story, folder, park, period, broken, planted)
        numbers.append(_file(office, story, folder, park, period, clean, {(MOVED, unit) for unit in moved}))
    if period.round == "A":
        numbers.append(_context(office, folder, period))
    office.now += timedelta(days=3)
    office.ytb("review", "accept", *numbers)
    story.accepted += len(numbers)
    office.ytb("period", "close", str(period), "--reason", "按期关网")


def _refusals(office: Office, figures: Figures, period: Period) -> set[str]:
    """One small enterprise a park refuses in the middle year; the park records it with its evidence."""
    if period.year != REFUSING_YEAR:
        return set()
    small = (
        figures.year(REFUSING_YEAR)
        .filter(~pl.col("industrial") & ~pl.col("B16") & ~pl.col("moves") & (pl.col("entry_year") == 2013))
        .sort("F01")
    )
    refused = [small.filter(park=park)["B01"][0] for park in ZONES]
    for unit in refused:
        office.ytb("register", "answer", unit, str(period), "2", "--evidence", "催报记录三次,企业书面拒报")
    return set(refused)


def _figures_of(
    figures: Figures, park: str, period: Period, refusers: set[str]
) -> tuple[dict[str, pl.DataFrame], dict[str, object]]:
    frames = {
        code: f.filter(~pl.col("unit_id").is_in(list(refusers)))
        for code, f in figures.enterprises(park, period).items()
    }
    edition = figures.programme.edition_for(period)
    for code, made in (("incubators", figures.incubators), ("projects", figures.projects), ("tasks", figures.tasks)):
        form = edition.forms[code]
        if form.asked(period):
            frame = made(park, period)
            frames[code] = frame.select("unit_id", *(i.code for i in form.asked(period) if i.code in frame.columns))
    return frames, figures.sheet(park, period)


def _firms(figures: Figures, park: str, period: Period) -> pl.DataFrame:
    return figures.year(period.year).filter(park=park)


def filled(
    root: Path,
    now: datetime,
    template_command: tuple[str, ...],
    frames: dict[str, pl.DataFrame],
    sheet: dict[str, object],
    firms: pl.DataFrame | None,
    round_letter: str,
) -> Filled:
    """A park at work: it fetches its template by the command and fills it."""
    office, template = Office(root), Path(template_command[-1])
    office.now = now
    office.ytb(*template_command)
    book = fill(template.read_bytes(), frames, sheet)
    template.unlink()
    clean = saved(book)
    if firms is None:
        return clean, None, []
    faulty = openpyxl.load_workbook(io.BytesIO(clean))
    planted = list(plant(faulty, [f for f in FAULTS if round_letter in f.rounds], firms, set()))
    return clean, saved(faulty), [(p.fault.id, p.unit_id, p.sheet, p.cell) for p in planted]


def _err_first(
    office: Office,
    story: Story,
    folder: Path,
    park: str,
    period: Period,
    broken: bytes,
    planted: list[tuple[str, str, str, str]],
) -> None:
    """The first attempt: every planted fault must come back at its cell, and nothing else."""
    path = folder / f"{period}_{park}_第一次.xlsx"
    path.write_bytes(broken)
    result = office.ytb("submit", str(path), expect=(1,))
    by_id = {f.id: f for f in FAULTS}
    story.planted += [Planted(by_id[i], unit, sheet, cell) for i, unit, sheet, cell in planted]
    expected = {(by_id[i].rule, sheet, cell) for i, _, sheet, cell in planted}
    found = {(f["rule"], f["sheet"], f["cell"]) for f in result["check"]["findings"]}
    story.found |= found & expected
    story.beyond += [
        f"{period} {park}:{f['message']}"
        for f in result["check"]["findings"]
        if (f["rule"], f["sheet"], f["cell"]) not in expected
    ]
    office.now += timedelta(hours=5)


def _file(
    office: Office, story: Story, folder: Path, park: str, period: Period, data: bytes, known: set[tuple[str, str]]
) -> str:
    """One park reports, and explains what it is asked; ``known``: rule and unit of what it must be asked."""
    path = folder / f"{period}_{park}.xlsx"
    path.write_bytes(data)
    gap = ("--gaps-reason", REFUSED) if period.year == REFUSING_YEAR else ()
    result = office.ytb("submit", str(path), *gap, expect=(0, 1))
    findings = (result["check"] or {}).get("findings", [])
    story.beyond += [f"{period} {park}:{f['message']}" for f in findings if (f["rule"], f["unit_id"]) not in known]
    if result["state"] == "checked":
        reasons = folder / f"{period}_{park}_说明.csv"
        with reasons.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["rule", "form", "unit_id", "column", "reason_code", "text"])
            writer.writerows(
                [
                    f["rule"],
                    f["form"],
                    f["unit_id"],
                    f["indicator"],
                    "07",
                    f"{period}，{f['unit_id']}的{f['indicator_name']}:经与企业核对,系本期订单结算进度不同所致,凭证齐全",
                ]
                for f in findings
            )
        result = office.ytb("submit", str(path), "--explain", str(reasons), *gap)
    if result["state"] != "reported":
        raise RuntimeError(f"{period} {park} 没有报送成功:{result['gap']}{[f['message'] for f in findings][:10]}")
    story.books += 1
    return str(result["submission"])


CONTEXT_2014: dict[str, dict[str, int | Decimal]] = {
    "620000": {
        "K35": 263,
        "K36": Decimal(20690000),
        "K37": Decimal(21000000),
        "K45": Decimal(68408000),
        "K46": Decimal(5980000),
        "K47": Decimal(77590000),
        "K48": Decimal(768000),
        "K49": Decimal(1152400),
    },
    "620100": {"K41": Decimal(20009400)},
    "620400": {"K41": Decimal(4476000)},
}
PRICES = {
    2014: ("100.80", "97.90", "100.40"),
    2015: ("98.40", "91.60", "98.90"),
    2016: ("100.90", "97.30", "99.40"),
    2024: ("100.30", "98.20", "99.80"),
}


def _context(office: Office, folder: Path, period: Period) -> str:
    """The province's own form: totals of province and cities, price indices."""
    path = folder / f"{period}_{AREA}_背景.xlsx"
    office.ytb("template", "--park", AREA, "--period", str(period), "-o", str(path))
    factor = GROWTH[period.year]
    gdp, producer, investment = PRICES[period.year]
    rows = {}
    for area, values in CONTEXT_2014.items():
        own: dict[str, object] = {
            c: (int(v * factor) if isinstance(v, int) else (v * factor).quantize(Decimal("0.01")))
            for c, v in values.items()
        }
        own |= {"Y01": area, "Y02": period.year, "Y03": f"示例:{period.year} 年统计公报"}
        if area == "620000":
            own |= {"K50": Decimal(gdp), "K51": Decimal(producer), "K52": Decimal(investment)}
        rows[f"{area}|{period.year}"] = own
    frame = pl.DataFrame(
        [{"unit_id": k, **{c: _plain(v) for c, v in r.items()}} for k, r in rows.items()], infer_schema_length=None
    )
    path.write_bytes(saved(fill(path.read_bytes(), {"context": frame}, {})))
    return str(office.ytb("submit", str(path), "--park", AREA, "--period", str(period))["submission"])


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
