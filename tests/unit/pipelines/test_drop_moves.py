"""Files leave the inbox whole, whatever interrupts the move."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import drop_moves
from pipelines.drop_moves import Clearing, Move, clear, finish, notes_folder
from schemas.errors import StorageError
from warehouse.home import Home


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def a_home(root: Path, files: dict[str, bytes]) -> Home:
    home = Home(root)
    for name, content in files.items():
        path = home.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    home.quarantine.mkdir()
    return home


def clearing(files: dict[str, bytes]) -> Clearing:
    moves = tuple(Move(name, sha(content), Path(name).name) for name, content in files.items())
    return Clearing("n1", "inbox/processed/2025-04-02/n1", {"回执.txt": "回执"}, moves)


FILES = {"LBXQ/a.xlsx": b"first", "LBXQ/b.xlsx": b"second"}


def below(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_files_and_receipt_lie_together_afterwards(tmp_path: Path) -> None:
    home = a_home(tmp_path, FILES)
    clear(home, clearing(FILES))
    assert below(home.root) == {
        "inbox/processed/2025-04-02/n1/a.xlsx": b"first",
        "inbox/processed/2025-04-02/n1/b.xlsx": b"second",
        "inbox/processed/2025-04-02/n1/回执.txt": "回执".encode(),
    }
    assert (home.inbox / "LBXQ").is_dir()  # the park's folder stays for its next files


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", range(12))
def test_a_move_killed_at_any_call_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    home = a_home(tmp_path, FILES)
    calls = 0

    def dying(real: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal calls
            if calls == at:
                raise Killed
            calls += 1
            return real(*args, **kwargs)  # type: ignore[operator]

        return call

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "unlink", "mkdir"):
            patched.setattr(Path, name, dying(getattr(Path, name)))
        patched.setattr(drop_moves, "fsync_directory", dying(drop_moves.fsync_directory))
        try:
            clear(home, clearing(FILES))
            finished = True
        except Killed:
            finished = False
    noted = any(notes_folder(home).glob("*.json"))
    left = [name for name in FILES if (home.inbox / name).exists()]
    assert finished or noted or len(left) == 2 or not left
    finish(home)
    assert sorted(b for n, b in below(home.inbox).items() if n.endswith(".xlsx")) == [b"first", b"second"]
    if noted or finished:
        assert not any((home.inbox / name).exists() for name in FILES)
    assert not list(notes_folder(home).glob("*.json"))


def test_a_file_replaced_since_stays_for_the_next_look(tmp_path: Path) -> None:
    home = a_home(tmp_path, FILES)
    (home.inbox / "LBXQ/a.xlsx").write_bytes(b"corrected")
    clear(home, clearing(FILES))
    assert (home.inbox / "LBXQ/a.xlsx").read_bytes() == b"corrected"
    assert not (home.inbox / "LBXQ/b.xlsx").exists()


def test_a_file_replaced_at_the_very_last_moment_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path, FILES)
    real = drop_moves.file_hash
    asked: list[Path] = []

    def hash_then_replaced(path: Path) -> str:
        found = real(path)
        if path.name == "a.xlsx" and not asked:
            asked.append(path)
            path.write_bytes(b"corrected")
        return found

    monkeypatch.setattr(drop_moves, "file_hash", hash_then_replaced)
    clear(home, clearing(FILES))
    assert (home.inbox / "LBXQ/a.xlsx").read_bytes() == b"corrected"


def test_another_file_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    home = a_home(tmp_path, {"x/a.xlsx": b"one", "y/a.xlsx": b"two"})
    moves = (Move("x/a.xlsx", sha(b"one"), "a.xlsx"), Move("y/a.xlsx", sha(b"two"), "a.xlsx"))
    clear(home, Clearing("n1", "inbox/processed/d/n1", {}, moves))
    assert sorted(below(home.inbox).values()) == [b"one", b"two"]
    assert not (home.inbox / "y/a.xlsx").exists()


def test_across_file_systems_the_copy_is_compared_before_the_source_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_home(tmp_path, FILES)
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.parent.name == "LBXQ":
            raise OSError(errno.EXDEV, "cross-device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    clear(home, clearing(FILES))
    assert below(home.inbox / "processed/2025-04-02/n1")["b.xlsx"] == b"second"
    assert not (home.inbox / "LBXQ/b.xlsx").exists()


def test_a_full_disk_is_a_storage_error_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path, FILES)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", full)
        with pytest.raises(StorageError, match="磁盘空间已满"):
            clear(home, clearing(FILES))
    assert finish(home) == ["n1"]
    assert len(below(home.inbox)) == 3


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["a.xlsx", "b.xlsx", "f/a.xlsx", "g/b.xlsx"]), st.binary(max_size=4)))
def test_no_bytes_are_ever_lost(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    home = a_home(tmp_path_factory.mktemp("h"), files)
    moves = tuple(Move(name, sha(content), Path(name).name) for name, content in files.items())
    clear(home, Clearing("n1", "quarantine/d/n1", {}, moves))
    kept = below(home.quarantine / "d" / "n1") if files else {}
    assert set(kept.values()) == set(files.values())
