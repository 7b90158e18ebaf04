"""The plain port beside an encrypted portal."""

from __future__ import annotations

import pytest

from tests.unit.ytb.portal_browser import HOST, Browser
from ytb.portal.redirecting import ToHttps


@pytest.mark.parametrize(
    ("port", "path", "onward"),
    [
        (443, "/", f"https://{HOST}/"),
        (8443, "/park?next=%2Fa&x=1", f"https://{HOST}:8443/park?next=%2Fa&x=1"),
        (443, "//evil.example/a", f"https://{HOST}/evil.example/a"),
        (443, "/submissions/2015Q1-LBGX-0001", f"https://{HOST}/submissions/2015Q1-LBGX-0001"),
    ],
)
def test_who_only_looks_is_led_to_the_same_address_by_https(port: int, path: str, onward: str) -> None:
    answer = Browser(ToHttps({HOST}, port)).get(path)
    assert (answer.status, answer.location) == (308, onward)
    assert answer.set_cookies == []


def test_a_form_is_refused_and_a_foreign_host_is_led_nowhere() -> None:
    browser = Browser(ToHttps({HOST}, 443))
    refused = browser.post("/sign-in", {"name": "li", "password": "secret"})
    assert refused.status == 403 and "更改口令" in refused.text and not refused.location
    foreign = browser.get("/", Host="evil.example")
    assert foreign.status == 400 and not foreign.location
