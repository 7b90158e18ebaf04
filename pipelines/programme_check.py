"""制度检查, whole: what the definitions say of themselves, and whether the methods that read them can use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pipelines.methods.evaluation_scheme import parse_scheme
from schemas.errors import DefinitionError
from schemas.lint import LintReport, Problem, lint
from schemas.model import Edition, Programme


def programme_check(programme: Programme, edition: Edition) -> LintReport:
    """``schemas.lint`` of an edition, with the index systems that the engine cannot score."""
    report = lint(programme, edition)
    return replace(report, problems=(*report.problems, *_unusable(edition)))


def _unusable(edition: Edition) -> Iterator[Problem]:
    for name, definition in edition.schemes.items():
        try:
            parse_scheme(definition)
        except DefinitionError as error:
            where = error.where or definition.line_of("id", name)
            remedy = f";{error.remedy.rstrip('。')}。" if error.remedy else "。"
            yield Problem("error", where, f"{error.message}{remedy}")
