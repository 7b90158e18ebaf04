import errno
import hashlib
import io
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StorageError
from warehouse.vault import BlobRef, Vault

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.open(tmp_path / "vault")


def parts(vault: Vault) -> list[Path]:
    return list((vault.root / "tmp").iterdir())


def test_a_file_is_named_by_its_hash_and_read_back(vault: Vault) -> None:
    assert vault.put(b"abc") == BlobRef(ABC, 3)
    assert vault.path(ABC) == vault.root / "ba" / ABC[2:]
    assert vault.read(ABC) == b"abc"
    assert vault.has(ABC)
    assert not parts(vault)
    assert vault.path(ABC).stat().st_mode & 0o777 == 0o440


def test_a_stream_and_a_file_give_the_same_blob_as_bytes(vault: Vault, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "book.xlsx").write_bytes(content)
    expected = BlobRef(hashlib.sha256(content).hexdigest(), 3_000_000)
    assert vault.put(io.BytesIO(content)) == vault.put_file(tmp_path / "book.xlsx") == vault.put(content) == expected
    assert list(vault.blobs()) == [expected.sha256]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=6))
def test_any_bytes_come_back_and_the_same_bytes_are_kept_once(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    vault = Vault.open(tmp_path_factory.mktemp("vault"))
    refs = [vault.put(content) for content in contents * 2]
    assert [vault.read(ref.sha256) for ref in refs] == contents * 2
    assert len(list(vault.blobs())) == len(set(contents))
    assert vault.scrub(ref.sha256 for ref in refs).is_sound


def test_the_same_bytes_again_mend_a_damaged_file(vault: Vault) -> None:
    vault.put(b"abc")
    vault.path(ABC).chmod(0o600)
    vault.path(ABC).write_bytes(b"abd")
    with pytest.raises(StorageError, match="已损坏"):
        vault.read(ABC)
    assert vault.read(ABC, verify=False) == b"abd"
    vault.put(b"abc")
    assert vault.read(ABC) == b"abc"


def test_a_missing_file_and_a_name_that_is_no_hash_are_refused(vault: Vault) -> None:
    with pytest.raises(StorageError, match="缺少文件"):
        vault.read("0" * 64)
    for name in ("../../etc/passwd", "BA" * 32, "", "ab"):
        with pytest.raises(StorageError, match="不是有效的文件校验值"):
            vault.path(name)


def test_a_scrub_tells_damaged_missing_and_foreign_apart(vault: Vault) -> None:
    refs = {content: vault.put(content).sha256 for content in (b"sound", b"flipped", b"cut", b"lost", b"orphan")}
    for content, damaged in ((b"flipped", b"flippee"), (b"cut", b"")):
        vault.path(refs[content]).chmod(0o600)
        vault.path(refs[content]).write_bytes(damaged)
    vault.path(refs[b"lost"]).unlink()
    (vault.root / "notes.txt").write_text("x")
    (vault.root / "ab").mkdir(exist_ok=True)
    (vault.root / "ab" / "short").write_text("x")
    report = vault.scrub(refs[content] for content in refs if content != b"orphan")
    assert report.damaged == tuple(sorted((refs[b"flipped"], refs[b"cut"])))
    assert report.missing == (refs[b"lost"],)
    assert report.foreign == ("ab/short", "notes.txt")
    assert report.unreferenced == (refs[b"orphan"],)
    assert report.checked == 4
    assert not report.is_sound


def test_every_single_flipped_bit_is_found(vault: Vault) -> None:
    sha256 = vault.put(bytes(range(16))).sha256
    path = vault.path(sha256)
    path.chmod(0o600)
    for bit in range(128):
        flipped = bytearray(range(16))
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(flipped))
        assert vault.scrub([sha256]).damaged == (sha256,)


class Failing:
    """os.fsync and friends that fail at the n-th call."""

    def __init__(self, real: object, at: int, number: int) -> None:
        self.real, self.at, self.number, self.calls = real, at, number, 0

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*args, **kwargs)  # type: ignore[operator]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize(("call", "at"), [("write", 1), ("fsync", 1), ("fsync", 2), ("fsync", 3), ("rename", 1)])
def test_a_disk_fault_is_told_in_chinese_and_leaves_nothing_half_visible(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, call: str, at: int, number: int
) -> None:
    failing = Failing(getattr(os, call), at, number)
    monkeypatch.setattr(os, call, failing)
    with pytest.raises(StorageError, match="写入文件库失败") as refused:
        vault.put(b"abc")
    assert failing.calls == at, "a failed call must not be repeated"
    assert {errno.ENOSPC: "磁盘空间已满", errno.EIO: "磁盘读写出错", errno.EDQUOT: "磁盘配额"}[number] in str(
        refused.value
    )
    monkeypatch.undo()
    assert not parts(vault)
    assert vault.scrub().is_sound  # absent or complete
    assert vault.put(b"abc").sha256 == ABC
    assert vault.read(ABC) == b"abc"


def test_after_a_failed_fsync_every_byte_is_written_and_synced_again(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", Failing(os.fsync, 3, errno.EIO))
    with pytest.raises(StorageError):
        vault.put(b"abc")
    monkeypatch.undo()
    before = vault.path(ABC).stat().st_ino
    calls: list[str] = []
    real_fsync, real_write = os.fsync, os.write
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(os, "write", lambda fd, content: (calls.append("write"), real_write(fd, content))[1])
    vault.put(b"abc")
    assert calls == ["write", "fsync", "fsync"]
    assert vault.path(ABC).stat().st_ino != before


def test_nothing_is_acknowledged_before_file_and_directories_are_synced(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        order.append("fsync " + Path(f"/proc/self/fd/{descriptor}").readlink().name.replace(ABC[2:], "blob"))
        real_fsync(descriptor)

    def rename(source: object, target: object) -> None:
        order.append("rename")
        real_rename(source, target)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    vault.put(b"abc")
    assert order[0].endswith(".part")
    assert order[1:] == ["fsync vault", "rename", "fsync ba"]


def test_a_client_that_hangs_up_leaves_nothing(vault: Vault) -> None:
    class HangsUp(io.RawIOBase):
        sent = False

        def read(self, size: int = -1) -> bytes:
            if self.sent:
                raise ConnectionResetError(errno.ECONNRESET, "gone")
            self.sent = True
            return b"half of a workbook"

    with pytest.raises(ConnectionResetError):
        vault.put(HangsUp())  # type: ignore[arg-type]
    assert not parts(vault)
    assert not list(vault.blobs())


def test_a_sweep_takes_abandoned_parts_and_leaves_living_ones(vault: Vault) -> None:
    (vault.root / "tmp" / "dead.part").write_bytes(b"half")
    swept: list[int] = []

    class SweepsHalfway(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            swept.append(Vault(vault.root).sweep())
            return super().read(size)

    ref = vault.put(SweepsHalfway(b"abc"))
    assert swept == [1, 0]
    assert vault.read(ref.sha256) == b"abc"


def test_many_threads_may_keep_the_same_and_other_bytes_at_once(vault: Vault) -> None:
    start = threading.Barrier(8)
    refs: list[BlobRef] = []

    def upload(worker: int) -> None:
        start.wait()
        for round_ in range(10):
            refs.append(vault.put(b"same %d" % round_))
            refs.append(vault.put(b"own %d %d" % (worker, round_)))
            vault.sweep()

    workers = [threading.Thread(target=upload, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(refs) == 160
    assert len(list(vault.blobs())) == 90
    assert vault.scrub(ref.sha256 for ref in refs).is_sound


def test_staged_bytes_are_nowhere_until_they_are_kept_and_kept_once(vault: Vault) -> None:
    staged = vault.stage()
    for chunk in (b"ab", b"", b"c"):
        staged.write(chunk)
    assert (staged.sha256, staged.size, staged.read()) == (hashlib.sha256(b"abc").hexdigest(), 3, b"abc")
    assert not list(vault.blobs()) and Vault(vault.root).sweep() == 0
    assert staged.keep() == staged.keep() == vault.put(staged) == BlobRef(staged.sha256, 3)
    staged.close()
    staged.close()
    assert vault.read(staged.sha256) == b"abc" and not parts(vault)


def test_staged_bytes_that_are_let_go_leave_nothing(vault: Vault) -> None:
    staged = vault.stage()
    staged.write(b"abc")
    staged.close()
    assert not parts(vault) and not list(vault.blobs())
    with pytest.raises(ValueError, match="not open"):
        staged.write(b"d")
    with pytest.raises(StorageError, match="没有完成"):
        staged.keep()


def test_a_staged_file_whose_fsync_failed_is_never_synced_again(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = vault.stage()
    staged.write(b"abc")
    monkeypatch.setattr(os, "fsync", Failing(os.fsync, 1, errno.EIO))
    with pytest.raises(StorageError, match="磁盘读写出错"):
        staged.keep()
    monkeypatch.undo()
    with pytest.raises(StorageError, match="没有完成"):
        staged.keep()
    staged.close()
    assert not parts(vault) and not list(vault.blobs())


def test_bytes_that_changed_on_their_way_to_the_disk_are_not_checked(vault: Vault) -> None:
    staged = vault.stage()
    staged.write(b"abc")
    staged.path.chmod(0o640)
    staged.path.write_bytes(b"abd")
    with pytest.raises(StorageError, match="不符"):
        staged.read()
    staged.close()
