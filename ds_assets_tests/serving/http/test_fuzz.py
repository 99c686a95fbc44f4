"""Whatever is sent, the answer is one that the OpenAPI document lists."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from ds_assets.serving.http.openapi import build_document
from ds_assets_tests.serving.http.clients import Service
from ds_assets_tests.serving.http.fake import IMPOSSIBLE, PROMOTED

REJECTIONS = ["400", "401", "404", "405", "413", "415", "422", "429"]
"""That a body is too large is one, which the defaults do not count."""
CONFIG = {"checks": {"negative_data_rejection": {"expected-statuses": REJECTIONS}}}
api = schemathesis.openapi.from_dict(build_document(), config=schemathesis.Config.from_dict(CONFIG))


def report(user_id: str) -> dict[str, Any]:
    """Arguments of a request that reports a shown offer."""
    shown = {"user_id": user_id, "assignment_id": "a1", "shown_at": "2026-02-01T10:00:00+09:00"}
    return {"body": {"outcomes": [shown]}, "media_type": "application/json"}


@api.hook
def filter_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Leave out a wrong parameter with an empty list for its value: nothing of it is sent."""
    return [] not in (query or {}).values()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service")) as running_service:
        yield running_service


@pytest.mark.server
@pytest.mark.slow
@api.parametrize()
@settings(suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_is_as_the_document_says(
    case: schemathesis.Case[Any], service: Service
) -> None:
    case.call_and_validate(base_url=service.url, headers=service.headers)


OFFERED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a user with an offer": (
        "/v1/users/{user_id}/prediction",
        "GET",
        {"path_parameters": {"user_id": PROMOTED}},
    ),
    "a user with an offer beside another one": (
        "/v1/predictions",
        "POST",
        {"body": {"user_ids": ["u1", PROMOTED]}, "media_type": "application/json"},
    ),
    "a shown offer": ("/v1/outcomes", "POST", report(PROMOTED)),
    "a shown offer that cannot be stored": ("/v1/outcomes", "POST", report(IMPOSSIBLE)),
}
"""Requests about offers, which no chance finds."""


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("name", OFFERED)
def test_every_answer_about_offers_is_as_the_document_says(name: str, service: Service) -> None:
    path, method, arguments = OFFERED[name]
    case = api[path][method].Case(**arguments)
    reply = case.call(base_url=service.url, headers=service.headers)
    case.validate_response(reply, excluded_checks=[not_a_server_error])
    assert reply.status_code == (503 if "cannot" in name else 200)
    assert ('"promotions"' in reply.text) == ("with an offer" in name)
