from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from schemas.errors import RefusalError, StorageError
from schemas.period import Period
from warehouse.home import create_home
from warehouse.ledger import access, release_requests
from warehouse.ledger.columns import SHANGHAI
from warehouse.ledger.migrate import create_ledger
from warehouse.ledger.session import Ledger
from warehouse.ledger.trail import events
from warehouse.ledger.users import add_user
from warehouse.ledger.verify import verify_ledger

NOW = datetime(2025, 4, 1, 9, 0, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    book = create_ledger(create_home(tmp_path / "home", now=NOW))
    with book.write() as session:
        for name, role in (("li", "province_statistician"), ("wang", "publisher")):
            add_user(session, name, title=name, role=role, now=NOW, actor="root")
    return book


def test_five_failures_lock_an_account_for_a_quarter_of_an_hour_and_a_sign_in_forgives(ledger: Ledger) -> None:
    with ledger.write() as session:
        for n in range(5):
            assert not access.is_locked(session, "li", "10.0.0.1", NOW)
            access.record_failure(session, "li", f"10.0.0.{n}", now=NOW)
        assert access.is_locked(session, "li", "10.0.0.9", NOW + 14 * MINUTE)
        assert not access.is_locked(session, "wang", "10.0.0.9", NOW)
        assert not access.is_locked(session, "li", "10.0.0.9", NOW + 15 * MINUTE)
        access.start_session(session, "t" * 43, "li", address="10.0.0.1", agent="", now=NOW)
        assert not access.is_locked(session, "li", "10.0.0.9", NOW)


def test_an_address_is_locked_after_twenty_failures_whatever_names_it_tried(ledger: Ledger) -> None:
    with ledger.write() as session:
        for n in range(20):
            assert not access.is_locked(session, "li", "10.0.0.1", NOW)
            access.record_failure(session, f"guess{n}", "10.0.0.1", now=NOW)
        assert access.is_locked(session, "li", "10.0.0.1", NOW)
        assert not access.is_locked(session, "li", "10.0.0.2", NOW)


def test_what_was_typed_as_an_unknown_name_is_nowhere_since_it_may_be_a_password(ledger: Ledger) -> None:
    with ledger.write() as session:
        access.record_failure(session, "Geheim-2025!", "10.0.0.1", now=NOW)
    with ledger.read() as session:
        assert all("Geheim" not in f"{e.actor}{e.subject}{e.payload}" for e in events(session))
        assert session.execute(text("select account from sign_in_failures")).scalar_one().startswith("?")


def test_a_session_ends_when_idle_too_old_or_ended_and_only_its_hash_is_kept(ledger: Ledger) -> None:
    with ledger.write() as session:
        access.start_session(session, "secret", "li", address="a", agent="b", now=NOW)
    with ledger.read() as session:
        assert access.session_of(session, "secret", NOW + 30 * MINUTE) is not None
        assert access.session_of(session, "secret", NOW + 31 * MINUTE) is None
        assert access.session_of(session, "other", NOW) is None
        assert "secret" not in str(session.execute(text("select * from sessions")).all())
    with ledger.write() as session:
        found = access.session_of(session, "secret", NOW)
        assert found is not None
        access.note_seen(session, found, NOW + 719 * MINUTE)
        assert access.session_of(session, "secret", NOW + 720 * MINUTE) is not None
        assert access.session_of(session, "secret", NOW + 721 * MINUTE) is None
        assert access.end_sessions(session, user="li", now=NOW, actor="root", reason="x") == 1
        assert access.session_of(session, "secret", NOW) is None


def test_a_new_password_ends_the_sessions_and_the_ledger_stays_sound(ledger: Ledger) -> None:
    with ledger.write() as session:
        access.start_session(session, "secret", "li", address="a", agent="b", now=NOW)
        access.set_password(session, "li", "scrypt$x", one_time=True, now=NOW, actor="root")
        assert access.session_of(session, "secret", NOW) is None
        found = access.credentials(session, "li")
        assert found is not None and found.is_one_time and found.password_hash == "scrypt$x"
    with ledger.read() as session:
        assert verify_ledger(session).problems == ()
        assert all("scrypt" not in str(e.payload) for e in events(session))


def test_a_password_is_taken_away_only_with_a_reason_and_the_trail_has_it(ledger: Ledger) -> None:
    with ledger.write() as session:
        access.set_password(session, "li", "first", one_time=True, now=NOW, actor="root")  # nothing is lost by it
        for reason in ("", "  "):
            with pytest.raises(RefusalError, match="原因"):
                access.set_password(session, "li", "second", one_time=True, now=NOW, actor="root", reason=reason)
        access.set_password(session, "li", "second", one_time=True, now=NOW, actor="root", reason="忘记口令")
        access.set_password(session, "li", "own", one_time=False, now=NOW, actor="li")  # one's own needs none
    with ledger.read() as session:
        resets = [one.reason for one in events(session) if one.action == "password_reset"]
    assert resets == ["", "忘记口令"]


def test_a_code_of_the_second_factor_serves_once(ledger: Ledger) -> None:
    with ledger.write() as session:
        access.set_second_factor(session, "li", "nonce", now=NOW, actor="li")
        assert access.use_second_factor(session, "li", 100)
        assert not access.use_second_factor(session, "li", 100)
        assert not access.use_second_factor(session, "li", 99)
        assert access.use_second_factor(session, "li", 101)


def test_a_token_serves_until_it_expires_or_is_revoked_by_its_owner(ledger: Ledger) -> None:
    with ledger.write() as session:
        made = access.add_token(
            session, "tok", "li", label="脚本", scopes=["read"], expires_at=NOW + 60 * MINUTE, now=NOW
        )
        assert access.token_of(session, "tok", NOW) == made
        assert access.token_of(session, "tok", NOW + 60 * MINUTE) is None
        with pytest.raises(RefusalError):
            access.revoke_token(session, "wang", made.id[:16], now=NOW)
        access.revoke_token(session, "li", made.id[:16], now=NOW)
        assert access.token_of(session, "tok", NOW) is None


def test_a_release_needs_two_people_and_one_request_a_period(ledger: Ledger) -> None:
    q1 = Period.parse("2025-Q1")
    with ledger.write() as session:
        asked = release_requests.request_release(session, q1, reason="", now=NOW, actor="li")
        with pytest.raises(RefusalError, match="已有待确认"):
            release_requests.request_release(session, q1, reason="", now=NOW, actor="wang")
        with pytest.raises(RefusalError, match="另一人"):
            release_requests.confirm_release(session, asked.id, now=NOW, actor="li")
        assert release_requests.confirm_release(session, asked.id, now=NOW, actor="wang").state == "running"
        with pytest.raises(RefusalError, match="已处理"):
            release_requests.confirm_release(session, asked.id, now=NOW, actor="wang")
        done = release_requests.finish_release(
            session, asked.id, release="2025-Q1.r1", message="", now=NOW, actor="wang"
        )
        assert (done.state, done.release) == ("done", "2025-Q1.r1")
    with pytest.raises(StorageError), ledger.write() as session:
        session.execute(text("update release_requests set requested_by = 'wang'"))
