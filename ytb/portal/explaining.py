"""The form for explanations, of a park and of an enterprise: one explanation a cause, another where a finding differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from pipelines.carrying_over import Before, said_before
from pipelines.explaining import earlier_explanations
from pipelines.reporting import explain
from sources.causes import Cause
from warehouse.ledger.states import State
from ytb.portal import pages, problems
from ytb.portal.findings import Group, Line, groups_of, is_closed, lines_and_causes
from ytb.portal.visit import Form, Visit

Told = tuple[str, str]
"""Reason code and words."""
NOTHING: Told = ("", "")
SHOWN_APART = 50
"""Findings of a cause with a field of their own; the others get one on demand. The explanation of the cause is for all."""


@dataclass(frozen=True)
class Field:
    """A finding with its own explanation, where it differs from that of its cause; ``why``: why what was given does not do.
    ``is_offered``: it was said of an earlier revision and waits to be confirmed."""

    line: Line
    own: Told
    why: str
    is_offered: bool = False


@dataclass(frozen=True)
class CauseForm:
    """A cause to explain. ``told``: what is said of all its findings; ``keys``: all of them; ``why``: why that does not do.
    ``is_offered``: ``told`` was said of an earlier revision and waits to be confirmed."""

    id: str
    cause: Cause
    keys: Sequence[str]
    told: Told
    why: str
    fields: Sequence[Field]
    is_offered: bool = False

    @property
    def is_single(self) -> bool:
        """Whether there is only one finding, with the fields of the cause for its own."""
        return len(self.keys) == 1

    @property
    def is_apart(self) -> bool:
        """Whether something stands in a field of a single finding."""
        return any(field.own != NOTHING or field.why for field in self.fields)


def cause_forms(
    lines: Sequence[Line],
    causes: Sequence[Cause],
    visit: Visit,
    weak: Mapping[str, str],
    offered: Mapping[str, Told] | None = None,
) -> list[CauseForm]:
    """The causes with what was typed just now, else with what is on record, else with what is ``offered`` (by finding key)."""
    soft = [line for line in lines if not line.is_hard]
    typed = _typed(visit.form)
    return [
        _cause_form(group, _members(group, lines), visit, typed, weak, offered or {})
        for group in groups_of(lines, causes, soft)
    ]


def _members(group: Group, lines: Sequence[Line]) -> dict[str, Line]:
    """The findings of a cause by key: one explanation is for every place of a finding."""
    found: dict[str, Line] = {}
    for member in group.cause.members:
        found.setdefault(lines[member].key, lines[member])
    return found


def _cause_form(
    group: Group,
    by_key: Mapping[str, Line],
    visit: Visit,
    typed: Mapping[str, Told],
    weak: Mapping[str, str],
    offered: Mapping[str, Told],
) -> CauseForm:
    said = _of_group(visit.form, group.id)
    on_record = {key: (line.told.reason_code, line.told.text) for key, line in by_key.items() if line.told}
    is_posted = visit.request.method == "POST"
    waiting = {} if is_posted else {key: offered[key] for key in by_key if key in offered and key not in on_record}
    on_record |= waiting
    # What is offered for some findings of a cause must not become, by the field for all, the explanation of the others.
    is_for_all = not waiting or len(on_record) == len(by_key)
    if not is_posted and on_record and is_for_all:
        (common, count), *_ = Counter(on_record.values()).most_common(1)
        said = common if count > 1 or len(by_key) == 1 else NOTHING
    own = typed if is_posted else {key: told for key, told in on_record.items() if told != said}
    reasons = {weak[key] for key in by_key if key in weak and typed.get(key, NOTHING) == NOTHING}
    shared = reasons.pop() if len(reasons) == 1 else ""
    fields = [
        Field(
            line,
            own.get(key, NOTHING),
            "" if weak.get(key) == shared else weak.get(key, ""),
            key in waiting and key in own,
        )
        for n, (key, line) in enumerate(by_key.items())
        if n < SHOWN_APART or key in own or visit.query("all") == group.id
    ]
    return CauseForm(group.id, group.cause, list(by_key), said, shared, fields, is_offered=said in waiting.values())


def _typed(form: Form) -> dict[str, Told]:
    """Key → what stands in the fields of single findings."""
    keys, texts, codes = form.all("key"), form.all("text"), form.all("code")
    if not len(keys) == len(texts) == len(codes):
        raise problems.BAD_FORM
    given = {key: (code, text.strip()) for key, code, text in zip(keys, codes, texts, strict=True)}
    return {key: told for key, told in given.items() if told != NOTHING}


def _of_group(form: Form, group: str) -> Told:
    return form.get(f"code-{group}"), form.get(f"text-{group}")


def given_in(form: Form, lines: Sequence[Line], causes: Sequence[Cause]) -> dict[str, Told]:
    """Key → what the form says of a finding: its own words, what it leaves open those of its cause."""
    soft = [line for line in lines if not line.is_hard]
    given = _typed(form)
    for group in groups_of(lines, causes, soft):
        code, text = _of_group(form, group.id)
        for key in _members(group, lines):
            own_code, own_text = given.get(key, NOTHING)
            told = (own_code or code, own_text or text)
            if told != NOTHING:
                given[key] = told
    return given


def proposed(said: Mapping[str, Before]) -> dict[str, Told]:
    """What may stand in the fields for the park to confirm: what it said of findings that have not changed."""
    return {key: (one.told.reason_code, one.told.text) for key, one in said.items() if one.is_unchanged}


def explanations(visit: Visit) -> Response:
    """The form for explanations: one a soft finding, with why an empty phrase does not do."""
    return _explanations(visit, {})


def _explanations(visit: Visit, weak: Mapping[str, str]) -> Response:
    found = visit.found
    lines, causes = lines_and_causes(visit, found)
    codes = visit.office.programme.codelists["reason_code"].rows.select("code", "name").rows()
    closed = is_closed(visit)
    with visit.office.ledger.read() as session:
        before = earlier_explanations(session, found.park, found.period)
    told = {line.key for line in lines if line.told is not None}
    every = said_before(visit.office, found) if found.state is State.CHECKED else {}
    said = {key: one for key, one in every.items() if key not in told}
    return pages.page(
        visit, "explanations", status=422 if weak else 200, found=found,
        groups=cause_forms(lines, causes, visit, weak, proposed(said)), said_before=said,
        codes=codes, weak=weak, is_open=found.state is State.CHECKED and not closed, closed=closed, park=visit.park, before=before,
        base=f"/submissions/{found.number}", start=("/park", "我的报表"),
    )  # fmt: skip


def give_explanations(visit: Visit) -> Response:
    """Enter the explanations; those that say nothing come back with the reason, the others are kept."""
    given = given_in(visit.form, *lines_and_causes(visit, visit.found))
    result = explain(visit.office, visit.found.number, given, now=visit.now, actor=visit.who.name)
    if result.weak:
        return _explanations(visit, result.weak)
    done = (
        f"/submissions/{visit.found.number}/report"
        if not result.left
        else f"/submissions/{visit.found.number}/explanations"
    )
    return pages.go(done, "explained")
