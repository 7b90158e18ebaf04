import hashlib
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from warehouse.home import Home, receipt_key
from warehouse.ledger import trail
from warehouse.ledger.chain_checks import check_whole_trail, last_check
from warehouse.ledger.columns import canonical_json
from warehouse.ledger.migrate import open_ledger
from warehouse.ledger.receipts import receipt
from warehouse.ledger.session import ledger_of
from warehouse.ledger.trail import GENESIS, Head
from warehouse.ledger.verify import referenced_blobs, verify_ledger

COLUMNS = ("at", "actor", "action", "subject", "from_state", "to_state", "reason", "payload", "prev_hash", "hash")


@pytest.fixture
def busy(office: Any) -> Any:
    """An office with a few submissions in several states: 47 links."""
    for n in range(6):
        office.accept(office.reported(b"%d" % n, park=("LBXQ", "LBGX")[n % 2]))
    office.return_(office.reported(b"returned"))
    office.reopen(office.accept(office.reported(b"reopened")).number)
    return office


def tampered(home: Home, statements: list[tuple[str, tuple[object, ...]]]) -> None:
    """Change the ledger as somebody with the file in hand, or with all rights, can: triggers and checks do not stop them."""
    ledger = ledger_of(home)
    if ledger.engine.dialect.name == "postgresql":
        with ledger.engine.connect().execution_options(ledger_write=True) as con:
            con.exec_driver_sql("SET session_replication_role = replica")
            checks = "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
            for table, name in con.exec_driver_sql(checks).all():
                con.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            for statement, values in statements:
                con.exec_driver_sql(statement.replace("?", "%s"), values)
            con.commit()
        ledger.engine.dispose()
        return
    con = sqlite3.connect(home.ledger)
    con.execute("PRAGMA foreign_keys = OFF")
    con.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        con.execute(f"DROP TRIGGER {name}")
    for statement, values in statements:
        con.execute(statement, values)
    con.commit()
    con.close()


def copy_of(office: Any, folder: Path) -> Home:
    office.ledger.engine.dispose()
    shutil.copytree(office.home.root, folder)
    return Home(folder)


def report_of(home: Home, *expected: Head) -> Any:
    ledger = open_ledger(home)
    try:
        with ledger.read() as session:
            return verify_ledger(session, expected=expected)
    finally:
        ledger.engine.dispose()


def test_an_empty_chain_ends_in_its_beginning(office: Any) -> None:
    with office.ledger.read() as session:
        assert trail.head(session).seq == 1  # the parks of the blank home
        first = trail.events(session)[0]
        assert session.scalar(text("SELECT prev_hash FROM trail WHERE seq = 1")) == GENESIS
        assert (first.action, first.actor) == ("parks_recorded", "admin")


def test_a_link_hashes_all_it_says_and_the_link_before(office: Any) -> None:
    with office.ledger.write() as session:
        before = trail.head(session)
        after = trail.append(session, at=office.now, actor="a", action="b", subject="c", payload={"n": 1, "k": "文"})
    spelled = (
        f'[2,"2025-04-01T01:01:00.000000Z","a","b","c",null,null,"","{{\\"k\\":\\"文\\",\\"n\\":1}}","{before.hash}"]'
    )
    assert after == Head(2, hashlib.sha256(spelled.encode()).hexdigest())


def test_an_untouched_ledger_is_sound_and_names_its_blobs(busy: Any) -> None:
    with busy.ledger.read() as session:
        head = trail.head(session)
        report = verify_ledger(session, expected=[head, Head(0, GENESIS)])
        assert report.problems == ()
        assert report.trail.head == head
        # the parks; four steps for each of eight; nine decisions; five superseded
        assert report.trail.links == head.seq == 1 + 8 * 4 + 9 + 5
        uploads = set(busy.vault.blobs())
        assert len(uploads) == 8
        assert referenced_blobs(session) == uploads | {"a" * 64, "b" * 64}


@pytest.mark.parametrize("rounds", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_every_random_tampering_with_the_chain_is_found(busy: Any, tmp_path: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    original = copy_of(busy, tmp_path / "original")
    links = read_links(original)
    for round_ in range(rounds):
        forged = [dict(link) for link in links]
        kind = chance.choice(["edit", "edit", "edit and rehash", "delete", "swap", "insert", "renumber"])
        place = chance.randrange(len(forged) - 1)  # not the last: cutting the end needs an outside head
        match kind:
            case "edit" | "edit and rehash":
                column = chance.choice(COLUMNS[:-1] if kind == "edit and rehash" else COLUMNS)
                forged[place][column] = another(forged[place][column], chance)
                if kind == "edit and rehash":
                    forged[place]["hash"] = trail.link_hash(forged[place])
            case "delete":
                del forged[place]
            case "swap":
                forged[place]["seq"], forged[place + 1]["seq"] = forged[place + 1]["seq"], forged[place]["seq"]
            case "insert":
                for link in forged[place + 1 :]:
                    link["seq"] += 1
                forged.insert(place + 1, {**forged[place], "seq": place + 2})
            case "renumber":
                for link in forged[place:]:
                    link["seq"] += 1
        assert chain_problems(original, forged), (round_, kind, place)


def another(value: str | None, chance: random.Random) -> str | None:
    if value is None:
        return "accepted"
    at = chance.randrange(len(value) + 1)
    changed = value[:at] + chance.choice("0a文 ") + value[at + chance.randrange(2) :]
    if len(value) == 64:  # longer hashes are nothing to be found where columns have lengths
        changed = changed[:64]
    return changed if changed != value else "x" + value[1:]


def read_links(home: Home) -> list[dict[str, Any]]:
    ledger = ledger_of(home)
    with ledger.read() as session:
        links = [dict(row) for row in session.execute(text("SELECT * FROM trail ORDER BY seq")).mappings()]
    ledger.engine.dispose()
    return links


def chain_problems(home: Home, links: list[dict[str, Any]], *expected: Head) -> tuple[str, ...]:
    values = [tuple(link[name] for name in ("seq", *COLUMNS)) for link in links]
    insert = f"INSERT INTO trail (seq, {', '.join(COLUMNS)}) VALUES ({', '.join('?' * 11)})"
    tampered(home, [("DELETE FROM trail", ()), *((insert, row) for row in values)])
    ledger = open_ledger(home)
    with ledger.read() as session:
        problems = trail.verify_trail(session, expected=expected).problems
    ledger.engine.dispose()
    return tuple(problems)


def test_a_forged_chain_and_a_cut_one_are_found_by_a_head_kept_outside(busy: Any, tmp_path: Path) -> None:
    with busy.ledger.read() as session:
        printed = receipt(session, "2025Q1-LBXQ-0001", receipt_key(busy.home)).head
        last = trail.head(session)
    home = copy_of(busy, tmp_path / "copy")
    links = read_links(home)
    assert chain_problems(home, links[:-1]) == ()
    assert chain_problems(home, links[:-1], last) == (f"留痕缺少第 {last.seq} 条:末尾记录已被删除",)
    forged = [dict(link) for link in links]
    forged[2]["actor"] = "somebody else"
    for n in range(2, len(forged)):
        forged[n]["prev_hash"] = forged[n - 1]["hash"]
        forged[n]["hash"] = trail.link_hash(forged[n])
    assert chain_problems(home, forged) == ()
    assert "另存的校验值不符" in chain_problems(home, forged, printed)[0]
    assert "另存的校验值不符" in chain_problems(home, forged, last)[0]


def test_a_cell_that_holds_bytes_or_no_number_is_a_changed_link(busy: Any, tmp_path: Path) -> None:
    home = copy_of(busy, tmp_path / "copy")
    tampered(home, [("UPDATE trail SET actor = x'00ff' WHERE seq = 3", ())])
    assert any("第 3 条内容与校验值不符" in problem for problem in report_of(home).problems)


TABLE_CHANGES = [
    "UPDATE submissions SET park = 'LBGX' WHERE number = '2025Q1-LBXQ-0004'",
    "UPDATE submissions SET period = 'nonsense' WHERE number = '2025Q1-LBXQ-0001'",
    "UPDATE submissions SET state = 'accepted' WHERE number = '2025Q1-LBXQ-0004'",
    "UPDATE submissions SET state = 'published' WHERE number = '2025Q1-LBXQ-0001'",
    "UPDATE submissions SET received_at = '2025-03-01T00:00:00.000000Z' WHERE number = '2025Q1-LBXQ-0001'",
    "UPDATE submissions SET received_by = 'wang' WHERE number = '2025Q1-LBXQ-0001'",
    "UPDATE submissions SET edition = '2015' WHERE number = '2025Q1-LBXQ-0001'",
    "UPDATE submissions SET state_at = 'yesterday' WHERE number = '2025Q1-LBXQ-0001'",
    "DELETE FROM submissions WHERE number = '2025Q1-LBXQ-0001'",
    "UPDATE submission_files SET sha256 = '0000' WHERE submission_id = 1",
    "UPDATE submission_files SET name = 'other.xlsx' WHERE submission_id = 1",
    "DELETE FROM submission_files WHERE submission_id = 1",
    "UPDATE checks SET blocking = 5 WHERE submission_id = 1",
    "UPDATE checks SET counts = '{}' WHERE submission_id = 1",
    "UPDATE checks SET findings_blob = NULL WHERE submission_id = 1",
    "UPDATE checks SET checked_at = 'never' WHERE submission_id = 1",
    "UPDATE checks SET trail_seq = 4 WHERE submission_id = 1",
    "UPDATE decisions SET reason = '' WHERE action = 'return'",
    "UPDATE decisions SET action = 'accept' WHERE action = 'return'",
    "DELETE FROM decisions WHERE action = 'reopen'",
    "INSERT INTO decisions SELECT 999, submission_id, action, reason, by, at, trail_seq FROM decisions WHERE id = 1",
    "INSERT INTO decisions SELECT 999, submission_id, action, reason, by, at, 2 FROM decisions WHERE id = 1",
    "UPDATE round_events SET deadline = '2099-01-01T00:00:00.000000Z'",
    'UPDATE unit_events SET attributes = \'{"B07":"0000"}\'',
    "UPDATE unit_events SET effective = '2020-01-01'",
    pytest.param("UPDATE unit_events SET effective = 'x'", marks=pytest.mark.sqlite),  # others have a type for days
    "UPDATE answer_statuses SET status = 5",
    "UPDATE explanations SET text = '核实无误'",
    "UPDATE releases SET manifest = 'x'",
    "UPDATE releases SET withdrawn_at = '2025-04-02T00:00:00.000000Z'",
    "DELETE FROM releases",
    "UPDATE users SET role = 'administrator'",
    "UPDATE users SET park = 'LBXQ'",
    "UPDATE users SET disabled = NOT disabled",
    "DELETE FROM users",
]


@pytest.mark.parametrize("statement", TABLE_CHANGES)
def test_every_change_of_a_table_behind_the_trail_is_found(full_home: Home, tmp_path: Path, statement: str) -> None:
    shutil.copytree(full_home.root, tmp_path / "copy")
    home = Home(tmp_path / "copy")
    tampered(home, [(statement, ())])
    assert report_of(home).problems


def test_the_home_the_changes_are_made_in_is_sound(full_home: Home) -> None:
    assert report_of(full_home).problems == ()


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": 1, "a": ["x", None, True]}) == '{"a":["x",null,true],"b":1}'
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(float("nan"))


def test_a_verification_of_the_whole_is_remembered_and_what_follows_is_cheap(busy: Any, tmp_path: Path) -> None:
    with busy.ledger.read() as session:
        assert last_check(session) is None
        end = trail.head(session)
    made = check_whole_trail(busy.ledger, now=busy.now, actor="auditor")
    assert (made.links, made.head, made.problems, made.found) == (end.seq, end, 0, ())
    with busy.ledger.write() as session:
        trail.append(session, at=busy.now, actor="x", action="viewed", subject="s")
    with busy.ledger.read() as session:
        assert last_check(session) == made
        since = trail.verify_trail(session, after=made.head)
        assert (since.links, since.head.seq, since.problems) == (2, end.seq + 2, ())  # the check itself, and the view
        assert trail.verify_trail(session, after=made.head, most=1).head.seq == end.seq + 1
        assert verify_ledger(session).is_sound
    for n, (statement, told) in enumerate(
        {
            "UPDATE trail SET actor = 'y' WHERE seq = 3": "",  # below what was verified: only the whole shows it
            f"UPDATE trail SET hash = '{'0' * 64}' WHERE seq = {end.seq}": "与核验时的不同",
        }.items()
    ):
        home = copy_of(busy, tmp_path / str(n))
        tampered(home, [(statement, ())])
        ledger = open_ledger(home)
        with ledger.read() as session:
            found = ";".join(trail.verify_trail(session, after=made.head).problems)
        assert told in found and bool(found) is bool(told)
        again = check_whole_trail(ledger, now=busy.now, actor="auditor")
        assert again.problems > 0 and again.found
        ledger.engine.dispose()
