"""Versions of targets 目标调整: which version is in force on a day, and the document it rests on.

Source: “十四五” plan 四(四), 目标可合理调整或修订; index_system 9.2: an adjustment needs a document number and a day it takes effect,
and completion is shown by both versions. What was judged before that day stays judged by the version of its own time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from schemas.model import Target, TargetChange


def changes_on(changes: Iterable[TargetChange], day: date) -> dict[int, TargetChange]:
    """Row → the latest change in force on ``day``; rows never changed by then are not there."""
    found: dict[int, TargetChange] = {}
    for change in sorted(changes, key=lambda c: c.effective):
        if change.effective <= day:
            found[change.row_no] = change
    return found


def changed(target: Target, change: TargetChange) -> Target:
    """The target as the change has it; its scope note names the document, so that the printed target says so."""
    note = ";".join(filter(None, (target.scope_note, basis_of(change))))
    return replace(target, target_year=change.target_year, target_value=change.target_value, scope_note=note)


def basis_of(change: TargetChange) -> str:
    """The basis in words: 依据X,自2018-07-01起调整:reason."""
    return f"依据{change.document},自{change.effective.isoformat()}起调整:{change.reason}"
