"""Whatever the OpenAPI allows, and much that it does not: no request makes the API fail."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from digest.pipeline import keys
from digest.store.keys import Scope
from digest.web.app import create_app
from digest.wiring import Hall
from tests.integration.web.reading_town import NOW, Town

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12
"""Of each operation; a longer run of hundreds is a matter of changing this number."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_request_makes_the_api_fail(hall: Hall) -> None:
    town = Town(hall.database)
    town.council("aber", "Aber Town Council")
    town.summary()
    secret = keys.create(hall.database, "contract", set(Scope), actor="test", now=NOW)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", create_app(hall))
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def once(case: schemathesis.Case[Any]) -> None:
            nonlocal tried
            tried += 1
            answer = case.call(headers={"Authorization": f"Bearer {secret}"})
            case.validate_response(answer, checks=CHECKS)

        given(operation.as_strategy())(once)()
    assert tried > 100
