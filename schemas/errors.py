"""Errors, sorted by who can repair them. A message is a full sentence in Chinese that says what to do."""

from __future__ import annotations


class StatisticsError(Exception):
    """Root of all errors this project raises on purpose."""


class DefinitionError(StatisticsError):
    """A form, rule, table or system is wrong; its author mends it, and nothing starts before.

    ``where`` names file and line, ``message`` what is wrong, ``remedy`` says what to do.
    """

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        self.where, self.message, self.remedy = where, message, remedy
        said = ":".join(part for part in (where, message) if part)
        pause = "" if not remedy else "" if said.endswith((";", "。", "!", "?", ":")) else ";"
        super().__init__(said + pause + remedy)


class SubmissionError(StatisticsError):
    """A file cannot be taken in; it goes back to the park. ``code`` is stable, the message is for the clerk."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class StorageError(StatisticsError):
    """Disk, lock or database; the operator mends it, and the call may be repeated."""


class RefusalError(StatisticsError):
    """A step that the rules of the house do not permit (an illegal change of state, a decision without a reason, an
    unknown park); who asked for it chooses another. Nothing was changed."""
