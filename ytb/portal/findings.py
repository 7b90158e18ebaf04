"""One submission as its park sees it: what was found, grouped by cause; explanations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from pipelines.carrying_over import said_before
from pipelines.comparing import compared
from pipelines.explaining import leaves_open
from pipelines.handing_back import marked_books
from pipelines.intake import COLLATED, findings_of, observations_of
from pipelines.proposing import proposal_texts
from pipelines.reporting import to_explain
from schemas import reserved
from schemas.findings import BLOCKING
from schemas.observations import names_of_units
from schemas.period import Period
from sources.causes import Cause
from sources.cells import PROBLEMS
from sources.marked_list import Listed, grouped, listed, to_be_listed
from warehouse.ledger import queries
from warehouse.ledger.approvals import approval_of
from warehouse.ledger.decisions import decisions_of
from warehouse.ledger.explanations import Explanation, explanations_of, finding_key
from warehouse.ledger.periods import rounds
from warehouse.ledger.proposed_values import proposed_values_of
from warehouse.ledger.states import STANDING, State
from warehouse.ledger.submissions import Submission, submissions
from ytb.portal import pages, problems
from ytb.portal.figures_shown import with_names
from ytb.portal.naming import unit_names as names_in_register
from ytb.portal.visit import Visit

SHOWN_OF_A_CAUSE = 20
HARD, SOFT = "错误", "核实"
#: What sort of problem a finding is, to filter by.
SORTS = {
    "rule": "审核关系",
    "missing": "缺项",
    "value": "填写格式",
    "unknown": "无法审核",
    "structure": "表格、代码和名单",
}
_MISSING = frozenset({"required", "yoy_required", "yoy_reason", "key_missing", "no_key"})


@dataclass(frozen=True)
class Line:
    """One finding as shown: the words of the list, its key, its explanation where there is one; ``sort``: of ``SORTS``;
    ``shown``: what was filed, with the names of the indicators."""

    words: Listed
    key: str
    told: Explanation | None
    sort: str = ""
    shown: str = ""
    leaves_open: bool = False
    """Whether its explanation names neither a cause nor a figure: for reviewers."""

    @property
    def is_hard(self) -> bool:
        """Whether it must be mended."""
        return self.words.kind == HARD


@dataclass(frozen=True)
class Group:
    """Findings with one cause; ``lines`` are the first of them. ``id`` names it in addresses; ``hard`` of all must be mended."""

    id: str
    cause: Cause
    lines: Sequence[Line]
    hard: int = 0


def unit_names(visit: Visit, found: Submission) -> dict[str, str]:
    """Unit → name: of enterprises as filed, of those that are not in the file as registered; of tasks as the plan calls them."""
    registered = names_in_register(visit, found.period.end, found.park)
    registered |= {visit.park.code: visit.park.short_name or visit.park.name} if visit.park else {}
    if found.check is None or found.check.observations_blob is None:
        return registered
    frames = observations_of(visit.office.vault, found).frames
    named = registered | names_of_units(frames.get(reserved.BASIC))
    if (tasks := frames.get("tasks")) is not None:
        plan = {str(t.row_no): t.name for t in visit.office.programme.edition_for(found.period).targets}
        units = tasks["unit_id"].drop_nulls().to_list()
        named |= {unit: plan[code] for unit in units if (code := unit.split("|")[0]) in plan}
    return named


def lines_of(visit: Visit, found: Submission) -> list[Line]:
    """Every finding a park has to act on, hard ones first, in the order of the workbook."""
    return lines_and_causes(visit, found)[0]


def lines_and_causes(visit: Visit, found: Submission) -> tuple[list[Line], list[Cause]]:
    """The lines, and their causes: members are numbers of lines."""
    if found.check is None or found.check.findings_blob is None:
        return [], []
    recorded = findings_of(visit.office.vault, found)
    with visit.office.ledger.read() as session:
        told = explanations_of(session, found.number)
        proposed = proposed_values_of(session, found.number)
    texts = proposal_texts(proposed, visit.office.programme.edition_for(found.period))
    return worded(visit, found.period, recorded, unit_names(visit, found), told, texts)


def worded(
    visit: Visit,
    period: Period,
    recorded: pl.DataFrame,
    names: Mapping[str, str],
    told: Mapping[str, Explanation],
    texts: Mapping[tuple[str, str], str] | None = None,
) -> tuple[list[Line], list[Cause]]:
    """Recorded findings as lines, and their causes. ``texts``: what was proposed, by unit and column."""
    frame = to_be_listed(recorded)
    keys = [finding_key(row) for row in frame.iter_rows(named=True)]
    words = listed(frame, names, pages.form_titles(visit, period), texts)
    edition = visit.office.programme.edition_for(period)
    groups = grouped(recorded, frame, words, edition)
    sorts = [sort_of(code) for code in frame["code"]]
    lines = [
        Line(
            one,
            key,
            told.get(key),
            sort,
            with_names(one.found, edition),
            sort == "rule" and key in told and leaves_open(edition, key, told[key].text),
        )
        for one, key, sort in zip(words, keys, sorts, strict=True)
    ]
    return lines, [group.cause for group in groups]


def groups_of(
    lines: Sequence[Line], causes: Sequence[Cause], shown: Collection[Line] | None = None, *, all_of: str = ""
) -> list[Group]:
    """The causes with their lines, of those ``shown``. ``all_of``: the cause shown without a limit."""
    kept = None if shown is None else {id(line) for line in shown}
    groups = []
    for number, cause in enumerate(causes, start=1):
        members = [m for m in cause.members if kept is None or id(lines[m]) in kept]
        if not members:
            continue
        name = str(number)
        hard = sum(lines[m].is_hard for m in members)
        listed_ = members if name == all_of else members[:SHOWN_OF_A_CAUSE]
        groups.append(Group(name, replace(cause, members=tuple(members)), [lines[m] for m in listed_], hard))
    return groups


def sort_of(code: str | None) -> str:
    """The sort of a finding by its stable code."""
    match code or "":
        case "rule":
            return "rule"
        case "undetermined":
            return "unknown"
        case known if known in _MISSING:
            return "missing"
        case known if known in PROBLEMS:
            return "value"
    return "structure"


def filtered(lines: Sequence[Line], form: str, kind: str, unit: str, sort: str = "") -> list[Line]:
    """The lines that the filters of the page leave."""
    return [
        line
        for line in lines
        if (not form or line.words.key[1] == form)
        and (not kind or line.words.kind == kind)
        and (not unit or unit in line.words.unit)
        and (not sort or line.sort == sort)
    ]


def one(visit: Visit) -> Response:
    """The findings page: one state, one next step."""
    found = visit.found
    lines, causes = lines_and_causes(visit, found)
    form, kind, unit, sort = (visit.query(name) for name in ("form", "kind", "unit", "sort"))
    shown = filtered(lines, form, kind if kind in (HARD, SOFT) else "", unit, sort if sort in SORTS else "")
    before = compared(visit.office, found, with_cells=False)
    with visit.office.ledger.read() as session:
        decided = decisions_of(session, found.number)
        newest = submissions(session, park=found.park, period=found.period)[-1]
        asked = queries.queries(session, park=found.park, period=found.period)
        closed = _closed(session, found, visit.now)
        approval = approval_of(session, found.number) if found.state is State.EXPLAINED else None
    titles = pages.form_titles(visit, found.period)
    told = {line.key for line in lines if line.told is not None}
    said = said_before(visit.office, found) if found.state is State.CHECKED and newest.number == found.number else {}
    return pages.page(
        visit, "submission", found=found, lines=lines, shown=shown, titles=titles,
        causes=groups_of(lines, causes, shown, all_of=visit.query("all")),
        forms=sorted({(line.words.key[1], line.words.form) for line in lines}),
        filters={"form": form, "kind": kind, "unit": unit, "sort": sort},
        sorts=[(name, title) for name, title in SORTS.items() if any(line.sort == name for line in lines)],
        hard=sum(line.is_hard for line in lines), soft=sum(not line.is_hard for line in lines),
        told=sum(line.told is not None for line in lines if not line.is_hard),
        change=before.counted() | {"revision": before.before.revision} if before else None,
        decisions=decided, newest=newest, standing=found.state in STANDING,
        marked=list(marked_names(found)), separable=separable(visit, found), park=visit.park,
        waiting=sum(q.state is queries.QueryState.OPEN for q in asked),
        place=visit.portal.examiner.place(found.number), approval=approval, closed=closed,
        has_marks=any(line.is_hard and line.words.cell for line in lines),
        offered=sum(one.is_unchanged and key not in told for key, one in said.items()),
    )  # fmt: skip


def _closed(session: Session, found: Submission, now: datetime) -> bool:
    """Whether its period no longer takes reports of the park."""
    current = rounds(session).get(found.period)
    return current is not None and not current.is_open_for(found.park, now)


def is_closed(visit: Visit) -> bool:
    """Whether the period of the submission no longer takes reports of its park, and a correction has to be asked for."""
    with visit.office.ledger.read() as session:
        return _closed(session, visit.found, visit.now)


def state(visit: Visit) -> Response:
    """How far a submission is, for the page that waits for its check: no figure, no finding."""
    found = visit.found
    return JSONResponse({"state": found.state.value, "before": visit.portal.examiner.place(found.number)})


def marked_names(found: Submission) -> Sequence[str]:
    """Which files may have a marked copy: those of a submission that has not got through."""
    if (
        found.check is None
        or found.state in STANDING
        or not (found.check.blocking + found.check.to_explain or found.check.unreadable)
    ):
        return []
    return [file.name for file in found.files]


def separable(visit: Visit, found: Submission) -> list[str]:
    """Units without which a failed submission could go: all their hard findings stand on forms that block only the unit."""
    if found.state is not State.FAILED or found.channel == COLLATED:
        return []
    edition = visit.office.programme.edition_for(found.period)
    by_unit = [form.code for form in edition.forms.values() if form.blocks == "unit"]
    hard = findings_of(visit.office.vault, found).filter(BLOCKING)
    is_own = pl.col("form").is_in(by_unit) & pl.col("unit_id").is_not_null()
    if hard.filter(~is_own).height:
        return []
    return sorted(hard["unit_id"].unique())


def marked(visit: Visit) -> Response:
    """A file of the park with its findings marked in the cells."""
    books = list(marked_books(visit.office, visit.found).items())
    at = _position(visit, len(books))
    name, data = books[at]
    return pages.download(data, name, pages.XLSX)


def original(visit: Visit) -> Response:
    """A file as it came."""
    file = visit.found.files[_position(visit, len(visit.found.files))]
    return pages.download(visit.office.vault.read(file.sha256), file.name, "application/octet-stream")


def _position(visit: Visit, count: int) -> int:
    text = visit.request.path_params["position"]
    at = int(text) - 1 if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if not 0 <= at < count:
        raise problems.NOT_FOUND
    return at


__all__ = ["Group", "Line", "groups_of", "lines_and_causes", "lines_of", "one", "to_explain"]
