"""Whatever is sent, the answer is one that the OpenAPI document lists."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from ds_assets.serving.http.openapi import build_document
from ds_assets_tests.serving.http.clients import Service

REJECTIONS = ["400", "401", "404", "405", "413", "415", "422", "429"]
"""That a body is too large is one, which the defaults do not count."""
CONFIG = {"checks": {"negative_data_rejection": {"expected-statuses": REJECTIONS}}}
api = schemathesis.openapi.from_dict(build_document(), config=schemathesis.Config.from_dict(CONFIG))


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
