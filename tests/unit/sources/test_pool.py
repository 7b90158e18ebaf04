"""Whatever happens in a child, the caller gets a result or an error it can handle."""

from __future__ import annotations

import os
import pickle
import random
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import SubmissionError
from sources.grid import read_grids
from sources.guard import Inspection, inspect
from sources.guard_facts import Area
from sources.pool import ChildError, Limits, Pool
from sources.pool_wire import function_path, pack, unpack
from tests.unit.sources.attacks import ATTACKS, row12, xlsb
from tests.unit.sources.books import biff, ods, ordinary, record


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=2) as opened:
        yield opened


def test_a_workbook_is_read_in_a_child(pool: Pool) -> None:
    grids = pool.run(read_grids, ordinary(), "a.xlsx")
    assert [grid.sheet for grid in grids] == ["财务状况", "_meta"]
    assert grids == read_grids(ordinary(), "a.xlsx")


def test_a_refusal_comes_back_with_its_code(pool: Pool) -> None:
    with pytest.raises(SubmissionError) as refused:
        pool.run(read_grids, b"", "a.xlsx")
    assert refused.value.code == "empty"


@pytest.mark.parametrize("path", ["os:abort", "ctypes:string_at"])
def test_a_parser_that_dies_is_a_refusal_and_the_pool_lives(pool: Pool, path: str) -> None:
    with pytest.raises(SubmissionError) as refused:
        pool.run(path, *((0,) if path == "ctypes:string_at" else ()))
    assert refused.value.code == "unreadable"
    assert "E-SIG" in str(refused.value)
    assert pool.run(inspect, ordinary(), "a.xlsx").format == "xlsx"


def test_memory_time_and_files_are_limited() -> None:
    limits = Limits(memory=256 << 20, cpu_seconds=1, wall_seconds=3, file_size=1 << 20)
    with Pool(1, limits, preload=()) as narrow:
        for path, args, code in (
            ("builtins:bytearray", (1 << 30,), "too_costly"),
            ("time:sleep", (60,), "too_costly"),
            ("builtins:pow", (3, 10**9), "too_costly"),
        ):
            with pytest.raises(SubmissionError) as refused:
                narrow.run(path, *args)
            assert refused.value.code == code, path
        with pytest.raises((ChildError, SubmissionError)):
            narrow.run("tests.unit.sources.pool_jobs:write_a_large_file")
        assert narrow.run("math:isqrt", 81) == 9


def test_a_panic_of_a_rust_parser_is_a_refusal(pool: Pool) -> None:
    with pytest.raises(SubmissionError) as refused:
        pool.run("tests.unit.sources.pool_jobs:panic")
    assert refused.value.code == "unreadable"


def test_our_own_mistake_is_not_blamed_on_the_file(pool: Pool) -> None:
    with pytest.raises(ChildError, match="ZeroDivisionError"):
        pool.run("operator:truediv", 1, 0)
    with pytest.raises(ChildError, match="ModuleNotFoundError"):
        pool.run("no_such_module:f")


def test_children_have_a_directory_of_their_own_and_no_network(pool: Pool) -> None:
    first = pool.run("os:getcwd")
    assert first != str(Path.cwd())
    assert pool.run("tests.unit.sources.pool_jobs:leave_a_file") == []
    assert pool.run("tests.unit.sources.pool_jobs:leave_a_file") == []
    with pytest.raises(ChildError, match=r"OSError|ConnectionRefusedError"):
        pool.run("socket:create_connection", ("127.0.0.1", 9), 1.0)


def test_children_are_replaced_after_their_share_and_their_directories_removed() -> None:
    with Pool(1, Limits(jobs=2), preload=()) as short:
        seen = [short.run("os:getcwd") for _ in range(4)]
        assert len(set(seen)) == 2
    assert not any(Path(directory).exists() for directory in seen)
    with pytest.raises(ChildError):
        short.run("os:getpid")


def test_a_round_of_files_keeps_its_order_and_yields_refusals_as_values(pool: Pool) -> None:
    good = ordinary(5)
    jobs = [(good, "a.xlsx") if i % 3 else (b"%PDF-1.7", "a.pdf") for i in range(20)]
    results = list(pool.map(inspect, iter(jobs)))
    assert len(results) == 20
    for number, result in enumerate(results):
        if number % 3:
            assert isinstance(result, Inspection)
        else:
            assert isinstance(result, SubmissionError)
            assert result.code == "pdf"


def test_one_dead_child_costs_one_file_only(pool: Pool) -> None:
    results = list(pool.map("tests.unit.sources.pool_jobs:die_if_odd", [(i,) for i in range(6)]))
    assert [r if isinstance(r, int) else "dead" for r in results] == [0, "dead", 2, "dead", 4, "dead"]


def test_many_threads_may_share_a_pool(pool: Pool) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda n=n: found.append(pool.run("math:isqrt", n * n))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(12))


def test_frames_and_dataclasses_come_through_as_data() -> None:
    frame = pl.DataFrame({"F01": [1, None], "F02": [None, "x"]}, schema={"F01": pl.Int64, "F02": pl.String})
    decimal = pl.Series("K", ["1.50"]).cast(pl.Decimal(18, 2))
    value = {
        "frame": frame,
        "series": decimal,
        "areas": (Area(0, 0, 1, 1),),
        "set": frozenset({(1, 2)}),
        "dtype": pl.Int64,
    }
    back = unpack(pack(value))
    assert back["frame"].equals(frame)
    assert back["frame"].schema == frame.schema
    assert back["series"].dtype == pl.Decimal(18, 2)
    assert back["series"].name == "K"
    assert back["areas"] == value["areas"]
    assert back["set"] == value["set"]
    assert back["dtype"] == pl.Int64


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.system, ("true",)


@dataclass(frozen=True)
class _Foreign:
    number: int


@pytest.mark.parametrize("value", [_Evil(), _Foreign(1), len, Path("/etc"), random.Random(1)])
def test_a_reply_can_name_nothing_but_data(value: object) -> None:
    with pytest.raises((pickle.UnpicklingError, pickle.PicklingError)):
        unpack(pickle.dumps(value, protocol=5))


def test_a_reply_cannot_call_a_function_of_ours() -> None:
    crafted = b"csources.pool_wire\nresolved\n(Vos:getpid\ntR."
    with pytest.raises(pickle.UnpicklingError, match="not data"):
        unpack(crafted)


def test_only_importable_functions_can_be_sent() -> None:
    assert function_path(read_grids) == "sources.grid:read_grids"
    with pytest.raises(ValueError, match="cannot be imported"):
        function_path(lambda: 1)


def _mutants() -> Iterator[tuple[bytes, str]]:
    dice = random.Random(20_261_122)
    cells = b"".join(record(0x203, struct.pack("<HHHd", r, c, 0, r * 1.5)) for r in range(40) for c in range(5))
    sheet = b"".join(
        row12(r) + b"".join(bytes([5, 16]) + struct.pack("<IId", c, 0, 1.0) for c in range(5)) for r in range(40)
    )
    row = (
        "<table:table-row>"
        + '<table:table-cell office:value-type="float" office:value="1"/>' * 5
        + "</table:table-row>"
    )
    originals = ((ordinary(), "a.xlsx"), (biff(cells), "a.xls"), (xlsb(sheet), "a.xlsb"), (ods(row * 40), "a.ods"))
    for original, name in originals:
        assert read_grids(original, name)[0].rows
        for _ in range(60):
            mutant = bytearray(original)
            for _ in range(dice.choice([1, 1, 2, 5, 20])):
                place = dice.randrange(len(mutant))
                match dice.randrange(4):
                    case 0:
                        mutant[place] = dice.randrange(256)
                    case 1:
                        mutant[place] ^= 1 << dice.randrange(8)
                    case 2:
                        del mutant[place : place + dice.randrange(1, 40)]
                    case _:
                        mutant[place:place] = mutant[dice.randrange(len(mutant)) :][: dice.randrange(1, 40)]
            yield bytes(mutant), name


def test_random_damage_ends_in_data_or_a_refusal(pool: Pool) -> None:
    results = list(pool.map(read_grids, _mutants()))
    assert len(results) == 240
    for result in results:
        assert isinstance(result, list | SubmissionError), result
    assert any(isinstance(result, list) for result in results)
    assert any(isinstance(result, SubmissionError) for result in results)


def test_every_attack_is_refused_in_the_child_too(pool: Pool) -> None:
    names = sorted(ATTACKS)
    attacks = [ATTACKS[name]() for name in names]
    results = pool.map(read_grids, [(data, file_name) for file_name, data, _ in attacks])
    for name, (_, _, code), result in zip(names, attacks, results, strict=True):
        assert isinstance(result, SubmissionError), name
        assert result.code == code, name


def test_a_pool_that_is_closed_twice_is_closed_once() -> None:
    pool = Pool(workers=2)
    pool.close()
    ended = threading.Thread(target=pool.close, daemon=True)
    ended.start()
    ended.join(timeout=30)
    assert not ended.is_alive()
