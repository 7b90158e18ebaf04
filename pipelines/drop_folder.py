"""The drop folder 投递箱: files laid into ``HOME/inbox`` become submissions; the answer lies in ``outbox``.

``scan`` only looks; ``take`` acts on what a look found and may be called again after any interruption. A file leaves the
inbox only when its bytes are in the vault or it lies in ``quarantine``, and never alone where it belongs to others.

``inbox/<park>/<period>/``: all files of the folder are one submission. Elsewhere the files say whose they are, and those of
one park and period in one folder are one submission. A taken file goes to ``inbox/processed/<date>/<number>/`` with the
receipt beside it; receipt and marked workbook also lie in ``outbox/<number>/``. What cannot be taken in goes to
``quarantine/<date>/`` with the reason. Explanations typed on the sheet 审核结果 of a marked workbook are taken along.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from exports.receipt import receipt_text
from pipelines.checking import IncomingBook, read_books
from pipelines.drop_moves import Clearing, Move, clear, file_hash, finish, notes_folder, write_durably
from pipelines.drop_scan import PROCESSED, Batch, Group, Look, Seen, is_too_large, scan
from pipelines.handing_back import marked_books, typed_explanations
from pipelines.intake import Office, Outcome, submit
from pipelines.letting_in import let_in
from schemas.errors import DefinitionError, RefusalError, StorageError, SubmissionError
from schemas.period import Period
from sources.pool import ChildError, Pool
from warehouse.durable import disk_faults
from warehouse.home import Home, receipt_key
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.parks import parks
from warehouse.ledger.receipts import receipt
from warehouse.ledger.states import State
from warehouse.ledger.submissions import Submission

__all__ = ["Batch", "Group", "Look", "Result", "Seen", "Taken", "scan", "take"]

RECEIPT = "回执.txt"
REASON = "原因.txt"
TOO_LARGE = "文件超过 20 MB,没有读取。请删去与报表无关的图片和工作表后重新投递。"
OUR_FAULT = "系统处理这些文件时出错,不是填报的问题,文件已隔离保存。请联系维护人员,处理后重新投递。"


@dataclass(frozen=True)
class Result:
    """What became of some files: a submission and its state, or the reason why they lie in quarantine."""

    files: tuple[str, ...]
    number: str = ""
    state: str = ""
    is_new: bool = True
    quarantined: str = ""
    park: str = ""
    period: str = ""
    fault: str = ""  # for the maintainers: what went wrong with us


@dataclass(frozen=True)
class Taken:
    """Everything a batch came to. ``left``: files that have changed since the look and stay for the next one; ``faults``:
    groups that failed for a reason of ours and stay in the inbox, one sentence each."""

    results: tuple[Result, ...]
    left: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class _Book:
    seen: Seen
    book: IncomingBook
    sha256: str


def take(
    office: Office,
    home: Home,
    batch: Batch,
    pool: Pool,
    *,
    now: datetime,
    actor: str,
    progress: Callable[[str], None] = lambda _: None,
) -> Taken:
    """Take a batch in, group by group. A group that fails for a reason of ours stays where it is and does not hold up the
    others. Raises StorageError only where nothing could be begun, or another process is at it."""
    results: list[Result] = []
    left: list[str] = []
    faults: list[str] = []
    with _alone(home):
        finish(home)
        for group in batch.groups:
            progress(f"接收 {group.folder or '投递箱'}:{len(group.files)} 个文件")
            try:
                books, changed = _read(home, group)
                left += changed
                if books and not (changed and group.is_submission):
                    results += _take_group(office, home, group, books, pool, now, actor)
            except Exception as fault:  # one bad file must not keep the files of all other parks waiting
                faults.append(f"{group.folder or '投递箱'}:{type(fault).__name__}:{str(fault)[:300]}")
    return Taken(tuple(results), tuple(left), tuple(faults))


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Two at once would move each other's files. The lock goes with the process, however it ends."""
    with disk_faults("打开投递箱"):
        notes_folder(home).mkdir(parents=True, exist_ok=True)
    with (notes_folder(home) / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError("投递箱正由另一个进程处理,请稍后再试。") from None
        yield


def _read(home: Home, group: Group) -> tuple[list[_Book], list[str]]:
    """The files with their bytes, and those that are no longer as the look saw them."""
    books, changed = [], []
    for seen in group.files:
        path = home.inbox / seen.path
        try:
            # What is too large is moved aside, never held in memory.
            book = IncomingBook(path.name, b"" if is_too_large(seen) else path.read_bytes())
            sha256 = file_hash(path) if is_too_large(seen) else book.sha256
            after = path.lstat()
        except FileNotFoundError:
            continue  # taken by an earlier attempt, or taken back by its owner
        if seen.is_same(after.st_size, after.st_mtime_ns):
            books.append(_Book(seen, book, sha256))
        else:
            changed.append(seen.path)
    return books, changed


def _take_group(
    office: Office, home: Home, group: Group, books: Sequence[_Book], pool: Pool, now: datetime, actor: str
) -> list[Result]:
    large = [b for b in books if is_too_large(b.seen)]
    if large:
        away = list(books) if group.is_submission else large
        results = [_quarantine(home, away, TOO_LARGE, now)]
        rest = [b for b in books if b not in away]
        return results + (_take_group(office, home, group, rest, pool, now, actor) if rest else [])
    refused: list[Result] = []
    if infected := _infected(office, books, now, actor):
        if group.is_submission:
            return [_quarantine(home, books, "\n".join(infected.values()), now)]
        refused = [_quarantine(home, [b], infected[b.seen.path], now) for b in books if b.seen.path in infected]
        books = [b for b in books if b.seen.path not in infected]
    return refused + (_take_clean(office, home, group, books, pool, now, actor) if books else [])


def _infected(office: Office, books: Sequence[_Book], now: datetime, actor: str) -> dict[str, str]:
    """The files the scanner does not let in: path → the sentence for its owner. Raises StorageError without a verdict."""
    found = {}
    for one in books:
        try:
            let_in(office, [(one.book.name, one.book.data)], now=now, actor=actor)
        except SubmissionError as refusal:
            found[one.seen.path] = str(refusal)
    return found


def _take_clean(
    office: Office, home: Home, group: Group, books: Sequence[_Book], pool: Pool, now: datetime, actor: str
) -> list[Result]:
    with office.ledger.read() as session:
        known = {p.code for p in parks(session)}
    park = group.park if group.park in known else None
    return [
        _take_submission(office, home, own, pool, of, period, now, actor)
        for of, period, own in _by_submission(office, park, group.period, books, pool)
    ]


def _by_submission(
    office: Office, park: str | None, period: Period | None, books: Sequence[_Book], pool: Pool
) -> list[tuple[str | None, Period | None, list[_Book]]]:
    """Files by park and period: those of the folder where it says both, else those of the file itself. A file that does
    not say whose it is stands alone."""
    if park is not None and period is not None:
        return [(park, period, list(books))]
    readings = read_books([b.book for b in books], office.programme, pool)
    groups: dict[tuple[str, Period], list[_Book]] = {}
    alone: list[tuple[str | None, Period | None, list[_Book]]] = []
    for book, reading in zip(books, readings, strict=True):
        of, when = park or reading.park, period or reading.period
        if of is None or when is None:
            alone.append((of, when, [book]))
        else:
            groups.setdefault((of, when), []).append(book)
    return [*((of, when, own) for (of, when), own in groups.items()), *alone]


def _take_submission(
    office: Office,
    home: Home,
    books: Sequence[_Book],
    pool: Pool,
    park: str | None,
    period: Period | None,
    now: datetime,
    actor: str,
) -> Result:
    """One submission from the vault to the answer; every step may be repeated."""
    incoming = [b.book for b in books]

    def submitted(explanations: Mapping[str, tuple[str, str]]) -> Outcome:
        return submit(
            office, incoming, pool, now=now, actor=actor, park=park, period=period, explanations=explanations, channel="inbox",
        )  # fmt: skip

    try:
        outcome = submitted({})
        # The marked workbook is opened only now: the guard has let it through.
        if outcome.submission.state is State.CHECKED and (
            given := typed_explanations([(b.name, b.data) for b in incoming], pool)
        ):
            outcome = submitted(given)
    except (SubmissionError, RefusalError, DefinitionError) as refusal:
        return _quarantine(home, books, str(refusal), now)
    except ChildError as fault:
        return replace(_quarantine(home, books, OUR_FAULT, now), fault=str(fault))
    found = outcome.submission
    slip = _receipt(office, home, found.number)
    if outcome.gap:
        slip += f"\n提醒:{outcome.gap}\n"
    _answer(office, home, found, slip)
    if found.state is State.UNREADABLE:
        reason = found.check.unreadable if found.check and found.check.unreadable else "文件无法读取。"
        return _quarantine(home, books, reason, now, found, slip)
    target = f"{home.inbox.name}/{PROCESSED}/{now.astimezone(SHANGHAI):%Y-%m-%d}/{found.number}"
    clear(home, Clearing(f"{found.number}-{_digest(books)}", target, {RECEIPT: slip}, _moves(books)))
    return Result(
        tuple(b.seen.path for b in books), found.number, found.state.value, outcome.is_new, "", found.park, str(found.period)
    )  # fmt: skip


def _receipt(office: Office, home: Home, number: str) -> str:
    with office.ledger.read() as session:
        return receipt_text(receipt(session, number, receipt_key(home))) + "\n"


def _answer(office: Office, home: Home, found: Submission, slip: str) -> None:
    """Receipt and marked workbooks into the outbox, over those of an earlier attempt."""
    folder = home.outbox / found.number
    with disk_faults("写发件箱"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in marked_books(office, found).items():
            write_durably(folder / name, data)
        write_durably(folder / RECEIPT, slip.encode())


def _quarantine(
    home: Home,
    books: Sequence[_Book],
    reason: str,
    now: datetime,
    found: Submission | None = None,
    slip: str = "",
) -> Result:
    """Put the files of one submission aside together, with the reason beside them."""
    name = f"{found.number if found else '未编号'}_{_digest(books)}"
    at = now.astimezone(SHANGHAI)
    listed = "\n".join(f"  {b.seen.path}" for b in books)
    text = f"{at:%Y-%m-%d %H:%M}(北京时间)没有接收下列文件:\n{listed}\n\n原因:{reason}\n\n请按原因改正后重新投递。\n"
    texts = {REASON: text} | ({RECEIPT: slip} if slip else {})
    clear(home, Clearing(name, f"{home.quarantine.name}/{at:%Y-%m-%d}/{name}", texts, _moves(books)))
    number, state = (found.number, found.state.value) if found else ("", "")
    return Result(tuple(b.seen.path for b in books), number, state, True, reason)


def _moves(books: Sequence[_Book]) -> tuple[Move, ...]:
    return tuple(Move(b.seen.path, b.sha256, b.book.name) for b in books)


def _digest(books: Sequence[_Book]) -> str:
    """What tells this set of files from others; the same files give the same."""
    lines = sorted(f"{b.sha256} {b.seen.path}" for b in books)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
