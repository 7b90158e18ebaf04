"""From the rules of a round to the audit cells of a template: the code lists and figures they need, then sheet by sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schemas.environment import Environment
from schemas.layout import LISTS_SHEET, SheetLayout
from schemas.model import AuditRule, Edition
from sources.template_audit import AuditSheet, Operands, Workbook, audit_sheet, template_rules
from sources.template_codes import CodeList
from sources.template_operands import nodes_of
from sources.template_owed import owed_lists
from sources.template_prefill import Prefill
from sources.writer import Book


def audited_rules(rules: Sequence[AuditRule], layouts: Sequence[SheetLayout]) -> list[AuditRule]:
    """The rules that may stand in the template, form by form."""
    return [rule for layout in layouts for rule in template_rules(rules, layout.form.code)]


def asked_lists(rules: Sequence[AuditRule], env: Environment, park: str) -> dict[object, tuple[str, ...]]:
    """(list, key) → codes of every code list the rules look into; the key is the park's code, "" for a list without key."""
    found: dict[object, tuple[str, ...]] = {}
    for node in nodes_of(rules, env):
        if node.op != "in_codelist":
            continue
        name = str(node.value)
        if len(node.args) == 1 and name in env.codelists:
            found[(name, "")] = tuple(sorted(env.codelists[name]))
        elif len(node.args) > 1 and name in env.keyed_codelists:
            found[(name, park)] = tuple(sorted(env.keyed_codelists[name].get(park, ())))
    return found


def named_lists(book: Book, asked: Iterable[object], lists: Mapping[object, CodeList]) -> dict[object, str]:
    """List key → defined name of its codes: a formula that is filled down names no other sheet."""
    names: dict[object, str] = {}
    for n, key in enumerate(asked, start=1):
        if key in lists:
            names[key] = f"ytb_codes_{n}"
            book.define(names[key], LISTS_SHEET, lists[key].source.rpartition("!")[2])
    return names


def audit_sheets(
    edition: Edition,
    rules: Sequence[AuditRule],
    env: Environment,
    layouts: Sequence[SheetLayout],
    stated: Mapping[str, Prefill],
    lists: Mapping[object, str],
    operands: Operands,
    park: str,
) -> dict[str, AuditSheet]:
    """Form code → its audit cells. ``lists``: list key → the name of the range of its codes; an empty list is absent."""
    asked = {key: lists.get(key, "") for key in asked_lists(rules, env, park)}
    plain = {key[0]: area for key, area in asked.items() if isinstance(key, tuple) and not key[1]}
    keyed = {key[0]: {key[1]: area} for key, area in asked.items() if isinstance(key, tuple) and key[1]}
    of_units = {name: lists.get((name, ""), "") for name, _ in owed_lists(layouts, env, stated)}
    book = Workbook(edition, env, layouts, stated, rules, park, of_units | plain, keyed, operands)
    return {layout.form.code: audit_sheet(book, layout) for layout in layouts}
