"""The interface for programs under generated requests: no fault of ours, and every answer as the document says.

``SCHEMATHESIS_EXAMPLES=2000 HYPOTHESIS_PROFILE=fresh`` looks longer and anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.served_portal import serving
from tests.unit.ytb.portal_office import UNIT, Installation, installation, user_of
from ytb.portal.limits import BodyLimits

schemathesis = pytest.importorskip("schemathesis")
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
KNOWN = {"park": "LBGX", "period": "2015-Q1", "number": "2015Q1-LBGX-0001", "unit": UNIT}
RETURN = f"2015Q1-LBGX-{UNIT}-01"
BOUNDED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def inst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = installation(tmp_path_factory.mktemp("fuzzed") / "home", limits=BodyLimits(size=1 << 20))
    made.submission("LBGX", hard=2, soft=1)
    made.submission("LBJJ", hard=1)
    made.returned("LBGX", UNIT, hard=1, soft=1)
    yield made


@pytest.fixture(scope="module")
def document(inst: Installation) -> Iterator[Any]:
    with serving(inst.app) as address:
        yield schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")


@pytest.fixture(scope="module")
def head(inst: Installation) -> dict[str, dict[str, str]]:
    """The token of a park, and of an enterprise for what is an enterprise's."""
    return {
        role: {"Authorization": f"Bearer {inst.token(user_of(role), 'read', 'submit')}"}
        for role in ("park_reporter", "enterprise")
    }


def is_an_enterprises(case: Any) -> bool:
    return "/enterprises/" in case.path or "/returns/" in case.path


def known(case: Any) -> dict[str, str]:
    of = KNOWN | ({"number": RETURN} if is_an_enterprises(case) else {})
    return {name: of[name] for name in case.path_parameters or {}}


def require_conforming(case: Any, head: dict[str, dict[str, str]]) -> int:
    """Ask, and hold the answer to the document: status, media type, schema; never a fault of ours."""
    own = head.get("enterprise" if is_an_enterprises(case) else "park_reporter", {})
    answer = case.call(headers=own, timeout=100)
    case.validate_response(
        answer,
        checks=[
            schemathesis.checks.not_a_server_error,
            schemathesis.specs.openapi.checks.content_type_conformance,
            schemathesis.specs.openapi.checks.response_schema_conformance,
            schemathesis.specs.openapi.checks.status_code_conformance,
        ],
    )
    return int(answer.status_code)


def for_every_operation(document: Any, look: Callable[[Any], None]) -> int:
    """Generated requests of every operation through ``look``; how many operations."""
    count = 0
    for result in document.get_all_operations():
        # Not its pytest plug-in, which wants another pytest than ours.
        BOUNDED(given(case=result.ok().as_strategy())(lambda case: look(case)))()
        count += 1
    return count


def test_whatever_is_asked_the_answer_is_one_of_the_document(document: Any, head: dict[str, dict[str, str]]) -> None:
    assert for_every_operation(document, lambda case: require_conforming(case, head) and None) == 9


def test_what_is_there_is_answered_as_the_document_says(document: Any, head: dict[str, dict[str, str]]) -> None:
    met: set[int] = set()

    def look(case: Any) -> None:
        case.path_parameters = known(case)
        met.add(require_conforming(case, head))

    for_every_operation(document, look)
    assert 200 in met and not met & {401, 403, 404}


def test_without_a_token_nothing_is_answered(document: Any) -> None:
    def look(case: Any) -> None:
        case.path_parameters = known(case)
        assert require_conforming(case, {}) == 401

    for_every_operation(document, look)
