"""The tree of parks: what lies below a node, and that an account says which node it acts for."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schemas.errors import RefusalError
from warehouse.home import create_home
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.parks import Park, add_parks
from warehouse.ledger.scopes import Node, covers, nodes, parks_within, require_node
from warehouse.ledger.session import Ledger
from warehouse.ledger.users import add_user, set_contact, user

NOW = datetime(2025, 4, 1, tzinfo=UTC)
DAY = date(2025, 4, 1)
REGISTER = [
    Park("SYQ", "试验区", kind="area"),
    Park("AAA", "甲区", kind="zone", province="甘肃省", city="兰州市", groups="SYQ;ALL"),
    Park("AAA1", "甲一园", kind="sub_park", zone="AAA", province="甘肃省", city="兰州市"),
    Park("BBB", "乙区", kind="zone", province="甘肃省", city="白银市", groups="SYQ"),
    Park("CCC", "丙区", kind="zone", province="贵州省", city="贵阳市", exit_date="2024-12-31"),
    Park("DDD", "丁区", kind="zone", province="贵州省", city="贵阳市"),
    Park("DDD1", "丁基地", kind="base", zone="DDD"),
]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    made = create_ledger(create_home(tmp_path_factory.mktemp("scopes") / "home", now=NOW))
    with made.write() as session:
        add_parks(session, REGISTER, now=NOW, actor="admin")
    return made


@pytest.mark.parametrize(
    ("node", "below"),
    [
        ("甘肃省", {"AAA", "AAA1", "BBB"}),
        ("兰州市", {"AAA", "AAA1"}),
        ("SYQ", {"SYQ", "AAA", "AAA1", "BBB"}),
        ("ALL", {"AAA", "AAA1"}),
        ("AAA", {"AAA", "AAA1"}),
        ("AAA1", {"AAA1"}),
        ("贵阳市", {"DDD", "DDD1"}),
        ("CCC", set()),
        ("", set()),
        ("AA", set()),
    ],
)
def test_what_lies_below_a_node_on_a_day(ledger: Ledger, node: str, below: set[str]) -> None:
    with ledger.read() as session:
        assert parks_within(session, node, DAY) == below


def test_a_park_that_left_was_below_its_city_while_it_was_there(ledger: Ledger) -> None:
    with ledger.read() as session:
        assert covers(session, "贵阳市", "CCC", date(2024, 6, 30))
        assert not covers(session, "贵阳市", "CCC", DAY)
        assert not covers(session, "AAA1", "AAA", DAY)
        assert covers(session, None, "anything", DAY)


def test_the_nodes_to_choose_from_are_those_of_the_register(ledger: Ledger) -> None:
    with ledger.read() as session:
        found = nodes(session, DAY)
        for one in found:
            if one.kind != "area":
                require_node(session, one.key, DAY)
        with pytest.raises(RefusalError, match="没有“兰州”"):
            require_node(session, "兰州", DAY)
    assert [one.key for one in found] == [
        "甘肃省", "贵州省", "兰州市", "白银市", "贵阳市", "SYQ", "AAA", "BBB", "DDD", "AAA1", "DDD1",
    ]  # fmt: skip
    assert found[0] == Node("甘肃省", "甘肃省", "province")


@pytest.mark.parametrize(
    ("role", "park", "said"),
    [("city", None, "须指定"), ("park_approver", "", "须指定"), ("reviewer", "AAA", "不分园区"), ("auditor", "AAA", "不分园区")],
)  # fmt: skip
def test_who_acts_for_a_node_names_it_and_who_acts_for_all_does_not(
    ledger: Ledger, role: str, park: str | None, said: str
) -> None:
    with pytest.raises(RefusalError, match=said), ledger.write() as session:
        add_user(session, "li", title="李", role=role, park=park, now=NOW, actor="admin")


def test_ways_to_reach_a_person_are_kept_and_nonsense_is_not(ledger: Ledger) -> None:
    with ledger.write() as session:
        add_user(session, "wang", title="王", role="city", park="兰州市", email="w@x.gov.cn", now=NOW, actor="admin")
        assert user(session, "wang").email == "w@x.gov.cn"
        for email in ("", "other@x.gov.cn"):
            with pytest.raises(RefusalError, match="须写明原因"):
                set_contact(session, "wang", email=email, telephone="", now=NOW, actor="admin")
        set_contact(
            session, "wang", email="w@x.gov.cn", telephone="13900000000", now=NOW, actor="admin"
        )  # one more needs none
        reason = "换手机,不用邮箱"
        changed = set_contact(session, "wang", email="", telephone="13800000000", now=NOW, actor="admin", reason=reason)
        assert (changed.email, changed.telephone) == ("", "13800000000")
    for email, telephone in (("a@b\nBcc: c@d.e", ""), ("a", ""), ("", "138x"), ("", "1\n2")):
        with pytest.raises(RefusalError, match="无效"), ledger.write() as session:
            set_contact(session, "wang", email=email, telephone=telephone, now=NOW, actor="admin")


@pytest.mark.sqlite
def test_an_old_home_keeps_its_people_and_their_sessions(tmp_path: Path) -> None:
    from sqlalchemy import text

    from warehouse.ledger.migrate import current_revision, upgrade
    from warehouse.ledger.session import ledger_of

    old = ledger_of(create_home(tmp_path / "old", now=NOW))
    upgrade(old, "0008")
    with old.write() as session:
        session.execute(
            text(
                "INSERT INTO users (name, title, role, disabled, created_at, created_by, password_one_time, totp_step)"
                " VALUES ('chen', '陈', 'administrator', 0, '2025-04-01T00:00:00.000000Z', 'admin', 1, 7)"
            )
        )
        session.execute(
            text(
                "INSERT INTO sessions VALUES ('x', 'chen', '2025-04-01T00:00:00.000000Z', '2025-04-01T00:00:00.000000Z',"
                " 'a', 'b', NULL, NULL)"
            )
        )
    upgrade(old)
    assert current_revision(old) != "0008"
    with old.read() as session:
        kept = session.execute(text("SELECT name, role, password_one_time, totp_step, email FROM users")).one()
        assert tuple(kept) == ("chen", "administrator", 1, 7, None)
        assert session.scalar(text("SELECT user FROM sessions")) == "chen"
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []
        triggers = set(
            session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'users'"))
        )
    assert triggers == {
        "users_no_update", "users_no_delete", "users_no_replace", "users_unit_fixed", "users_role_told",
    }  # fmt: skip
