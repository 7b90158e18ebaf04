"""A zip of workbooks as mail programs make it: its members, unpacked under the guard's container rules. Run in ``sources.pool``."""

from __future__ import annotations

from pathlib import PurePosixPath

from schemas.errors import SubmissionError
from sources.guard_limits import MAX_FILE, MIB
from sources.guard_refusals import megabytes
from sources.guard_zip import content, directory

MOST_MEMBERS = 600
MOST_UNPACKED = 128 * MIB


def members(data: bytes) -> list[tuple[str, bytes]]:
    """(name without folders, bytes) of every file, in the order of the archive; folders and what systems add are left out.

    Raises SubmissionError for an archive that breaks a container rule, is encrypted, or holds too much. An archive within
    is a member like any other: nothing follows it.
    """
    entries = [e for e in directory(data) if not e.name.endswith("/") and not _is_of_a_system(e.name)]
    total = sum(entry.size for entry in entries)
    if len(entries) > MOST_MEMBERS or total > MOST_UNPACKED:
        told = f"压缩包里有 {len(entries)} 个文件,共 {megabytes(total)};一次不超过 {MOST_MEMBERS} 个、{megabytes(MOST_UNPACKED)}。请分几次。"
        raise SubmissionError("archive_too_large", told)
    if large := next((e.name for e in entries if e.size > MAX_FILE), None):
        raise SubmissionError("too_large", f"压缩包里的《{_readable(large)}》超过 {megabytes(MAX_FILE)}。")
    return [(PurePosixPath(_readable(entry.name).replace("\\", "/")).name, content(data, entry)) for entry in entries]


def _is_of_a_system(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith((".", "~$")) or parts[-1].lower() in ("thumbs.db", "desktop.ini")


def _readable(name: str) -> str:
    """The name as its sender saw it: Chinese Windows writes GBK where the format says code page 437."""
    try:
        return name.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return name
