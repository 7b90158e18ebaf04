"""The antivirus hook: a command of the installation looks at a file before it is taken. No verdict, no file.

The command follows the manner of clamscan and clamdscan: exit status 0 clean, 1 infected, anything else no verdict.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import StorageError, SubmissionError

FILE = "{file}"
INFECTED = 1


@dataclass(frozen=True)
class Scanner:
    """The command, ``{file}`` standing for the file (at the end where it is not named), and what one look may take."""

    command: Sequence[str]
    seconds: float = 60.0
    cpu_seconds: int = 60

    def look_at(self, path: Path, shown: str) -> None:
        """Return where the file is clean. Raises SubmissionError ``infected`` for one that is not, StorageError without a
        verdict: a scanner that does not work lets nothing in."""
        words = [word.replace(FILE, str(path)) for word in self.command]
        if words == list(self.command):
            words.append(str(path))
        status = self._run(words)
        if status == INFECTED:
            raise SubmissionError(
                "infected", f"《{shown}》没有通过病毒检查,没有收下。请在本机查杀病毒,重新填写模板后再上传。"
            )
        if status != 0:
            raise StorageError("病毒检查暂时不能进行。")

    def _run(self, words: Sequence[str]) -> int | None:
        """The exit status; None where it did not start or did not end in time. What it prints is not looked at."""
        with tempfile.TemporaryDirectory(prefix="ytb-scan-") as folder:
            try:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
                    env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"},
                    start_new_session=True,
                )  # fmt: skip
            except OSError:
                return None
            with process:
                self._limit(process.pid)
                try:
                    return process.wait(self.seconds)
                except subprocess.TimeoutExpired:
                    process.kill()
                    return None

    def _limit(self, pid: int) -> None:
        try:
            resource.prlimit(pid, resource.RLIMIT_CPU, (self.cpu_seconds, self.cpu_seconds))
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        except ProcessLookupError:  # it has ended already
            return
