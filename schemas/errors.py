"""Errors, sorted by who can repair them. A message is a full sentence in Chinese that says what to do."""

from __future__ import annotations


class StatisticsError(Exception):
    """Root of all errors this project raises on purpose.

    The message is for everybody. ``command`` is one more sentence for those at the command line (which command or option to
    use), ``page`` one for those at the portal (which page or button); each is told only where it can be followed.
    """

    def __init__(self, message: str = "", *, command: str = "", page: str = "") -> None:
        self.command, self.page = command, page
        super().__init__(message)

    @property
    def at_the_command_line(self) -> str:
        """The message with what helps at the command line."""
        return f"{self}{self.command}"

    @property
    def on_a_page(self) -> str:
        """The message with what helps on the portal."""
        return f"{self}{self.page}"


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

    def __init__(self, code: str, message: str, *, command: str = "", page: str = "") -> None:
        self.code = code
        super().__init__(message, command=command, page=page)


class StorageError(StatisticsError):
    """Disk, lock or database; the operator mends it, and the call may be repeated."""


class RefusalError(StatisticsError):
    """A step that the rules of the house do not permit (an illegal change of state, a decision without a reason, an
    unknown park); who asked for it chooses another. Nothing was changed."""
