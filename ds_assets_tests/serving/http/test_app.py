import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ctypes import c_bool
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from ds_assets.infra.lake.shown_offers import ShownOffer
from ds_assets.serving.http.app import App
from ds_assets.serving.http.auth import Authenticator, KeyFile
from ds_assets.serving.http.workers import Shared
from ds_assets_tests.serving.http.clients import client_of
from ds_assets_tests.serving.http.fake import (
    BROKEN,
    IMPOSSIBLE,
    SLOW,
    UNUSABLE,
    FakeBackend,
    fake_app,
    opened,
)

USER = "/v1/users/u1/prediction"
SECRET = "a secret of the service"  # noqa: S105  (what a fault of the fake says)


def run_client(
    app: App, ask: Callable[[httpx.AsyncClient], Awaitable[Any]], client: str = "127.0.0.1"
) -> Any:
    async def whole() -> Any:
        async with client_of(app, client) as http_client:
            return await ask(http_client)

    return asyncio.run(whole())


def alone(*, draining: bool = False) -> Shared:
    """What a single worker shares."""
    return Shared(None, c_bool(draining))


@pytest.fixture
def app(tmp_path: Path) -> App:
    return fake_app(tmp_path / "keys.json", 1_000, 2, alone())


def get(app: App, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply: httpx.Response = run_client(app, lambda client: client.get(path, headers=named))
    return reply


def post(app: App, path: str, body: Any) -> httpx.Response:
    reply: httpx.Response = run_client(app, lambda client: client.post(path, json=body))
    return reply


def problem(reply: httpx.Response) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail"}
    assert body["status"] == reply.status_code
    assert SECRET not in reply.text
    assert "Traceback" not in reply.text
    return reply.status_code, body["type"].removeprefix("/docs#")


@pytest.mark.parametrize("user_id", ["u1", "a/b", "é", "%", "?x=1", " ", '"', "\x00"])
def test_one_user_is_answered(app: App, user_id: str) -> None:
    reply = get(app, f"/v1/users/{quote(user_id, safe='')}/prediction")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["user_id"] == user_id


def test_a_client_can_reuse_an_answer_and_ask_whether_it_is_current(app: App) -> None:
    reply = get(app, USER)
    assert reply.headers["cache-control"] == "private, max-age=5"
    tag = reply.headers["etag"]
    same = get(app, USER, if_none_match=f'"other", {tag}')
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert "cache-control" in same.headers
    assert get(app, USER, if_none_match='W/"other"').status_code == 200


def test_many_users_are_answered_in_their_order_and_repeated_ids_repeatedly(app: App) -> None:
    reply = post(app, "/v1/predictions", {"user_ids": ["b", "a", "b"]})
    assert [prediction["user_id"] for prediction in reply.json()["predictions"]] == ["b", "a", "b"]
    assert reply.headers["cache-control"] == "no-store"
    assert post(app, "/v1/predictions", {"user_ids": []}).json() == {"predictions": []}


def test_users_are_scored(app: App) -> None:
    users = [{"user_id": "a", "features": {"x": 1}}, {"user_id": "b", "events": []}]
    reply = post(app, "/v1/score", {"users": users})
    assert [prediction["user_id"] for prediction in reply.json()["predictions"]] == ["a", "b"]


def test_the_user_group_can_be_sent_with_every_kind_of_request(
    tmp_path: Path,
) -> None:
    behind = FakeBackend()

    @asynccontextmanager
    async def opening() -> AsyncIterator[FakeBackend]:
        yield behind

    app = App(opening, Authenticator(KeyFile(tmp_path / "keys.json"), 1_000), 2, alone())
    get(app, f"{USER}?user_group=country%3DKR")
    post(app, "/v1/predictions", {"user_ids": ["a"], "user_group": "country=JP"})
    user = {"user_id": "a", "features": {"x": 1}, "user_group": "country=BR"}
    post(app, "/v1/score", {"users": [user]})
    get(app, USER)
    assert behind.groups == ["country=KR", "country=JP", "country=BR", ""]


SHOWN = {"user_id": "u1", "assignment_id": "a1", "shown_at": "2026-03-01T10:00:00+09:00"}


def test_offers_that_were_shown_are_stored(tmp_path: Path) -> None:
    behind = FakeBackend()

    @asynccontextmanager
    async def opening() -> AsyncIterator[FakeBackend]:
        yield behind

    app = App(opening, Authenticator(KeyFile(tmp_path / "keys.json"), 1_000), 2, alone())
    reply = post(app, "/v1/outcomes", {"outcomes": [SHOWN, SHOWN]})
    assert (reply.status_code, reply.json()) == (200, {"stored": 2})
    shown_at = dt.datetime(2026, 3, 1, 1, tzinfo=dt.UTC)
    assert behind.shown == [ShownOffer("u1", "a1", shown_at)] * 2
    assert post(app, "/v1/outcomes", {"outcomes": []}).json() == {"stored": 0}


def test_outcomes_that_wait_for_the_lake_keep_no_request_for_answers_out(app: App) -> None:
    async def all_at_once(client: httpx.AsyncClient) -> list[int]:
        body = {"outcomes": [SHOWN | {"user_id": SLOW}]}
        waiting = [asyncio.create_task(client.post("/v1/outcomes", json=body)) for _ in range(5)]
        await asyncio.wait(waiting, timeout=0.05)
        reply = await client.get(USER)
        return [reply.status_code, *(it.status_code for it in await asyncio.gather(*waiting))]

    assert run_client(app, all_at_once) == [200] * 6


@pytest.mark.parametrize(
    ("outcome", "named"),
    [
        (SHOWN | {"shown_at": "2026-03-01T10:00:00"}, "shown_at"),
        (SHOWN | {"user_id": ""}, "user_id"),
        (SHOWN | {"assignment_id": "a" * 65}, "assignment_id"),
        (SHOWN | {"arm": "control"}, "arm"),
        ({"user_id": "u1"}, "assignment_id"),
    ],
)
def test_an_outcome_that_is_none_is_refused_by_name(
    app: App, outcome: dict[str, str], named: str
) -> None:
    reply = post(app, "/v1/outcomes", {"outcomes": [SHOWN, outcome]})
    assert problem(reply) == (422, "not-accepted")
    assert named in reply.json()["detail"]


def test_outcomes_that_cannot_be_stored_are_to_be_sent_again(app: App) -> None:
    reply = post(app, "/v1/outcomes", {"outcomes": [SHOWN | {"user_id": IMPOSSIBLE}]})
    assert problem(reply) == (503, "not-stored")
    assert reply.headers["retry-after"] == "10"
    assert reply.json()["detail"] == (
        "Shown offers cannot be stored in the lake now; send them again: what comes twice counts "
        "once."
    )


def test_a_draining_service_still_answers_and_asks_clients_to_connect_elsewhere(
    tmp_path: Path,
) -> None:
    app = fake_app(tmp_path / "keys.json", 1_000, 2, alone(draining=True))
    reply = get(app, USER)
    assert (reply.status_code, reply.headers["connection"]) == (200, "close")
    ready = get(app, "/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "leaving")
    assert "connection" not in get(fake_app(tmp_path / "none", 1, 2, alone()), USER).headers


def test_users_that_cannot_be_scored_are_refused_with_the_message_of_the_backend(app: App) -> None:
    reply = post(app, "/v1/score", {"users": [{"user_id": IMPOSSIBLE, "features": {}}]})
    assert problem(reply) == (422, "not-accepted")
    assert reply.json()["detail"] == "the feature `age` must be a number"


def test_events_that_cannot_be_used_are_named_with_their_places(app: App) -> None:
    users = [
        {"user_id": "a", "events": [{"type": "visit"}, {}]},
        {"user_id": "b", "features": {}},
        {"user_id": UNUSABLE, "events": [{}, *[{"type": "visit"}] * 3, *[{}] * 30]},
    ]
    reply = post(app, "/v1/score", {"users": users})
    assert problem(reply) == (422, "not-accepted")
    errors = reply.json()["errors"]
    places = ["#/users/0/events/1", "#/users/2/events/0", "#/users/2/events/4"]
    assert [error["pointer"] for error in errors[:3]] == places
    assert {error["detail"] for error in errors} == {"no event type"}
    assert len(errors) == 20
    assert reply.json()["detail"].endswith("; and 12 others")


@pytest.mark.parametrize(
    ("method", "path", "expected", "allowed"),
    [
        ("GET", "/v1", (404, "no-such-path"), None),
        ("GET", "/v1/users/a", (404, "no-such-path"), None),
        ("GET", "/v1/users/prediction", (422, "not-accepted"), None),
        ("GET", "/v1/users/a/prediction/", (404, "no-such-path"), None),
        ("POST", "/healthz", (405, "not-allowed"), "GET, HEAD"),
        ("DELETE", USER, (405, "not-allowed"), "GET, HEAD"),
        ("GET", "/v1/predictions", (405, "not-allowed"), "POST"),
        ("OPTIONS", "/v1/score", (405, "not-allowed"), "POST"),
        ("BREW", "/v1/score", (405, "not-allowed"), "POST"),
        ("GET", f"{USER}?x=1", (422, "not-accepted"), None),
        ("GET", f"{USER}?user_group=a&user_group=b", (422, "not-accepted"), None),
        ("GET", f"{USER}?user_group=%FF", (422, "not-accepted"), None),
        ("GET", f"{USER}?user_group", (422, "not-accepted"), None),
        ("GET", f"{USER}?user_group={'x' * 192}", (422, "not-accepted"), None),
        ("POST", "/v1/predictions?user_group=a", (422, "not-accepted"), None),
        ("GET", "/metrics?x", (422, "not-accepted"), None),
        ("GET", "/v1/users//prediction", (422, "not-accepted"), None),
        ("GET", f"/v1/users/{'x' * 192}/prediction", (422, "not-accepted"), None),
        ("GET", "/v1/users/%FF/prediction", (400, "malformed"), None),
        ("POST", "/v1/predictions", (415, "not-json"), None),
    ],
)
def test_each_invalid_request_gets_its_kind_of_problem(
    app: App, method: str, path: str, expected: tuple[int, str], allowed: str | None
) -> None:
    reply = run_client(app, lambda client: client.request(method, path))
    assert problem(reply) == expected
    assert reply.headers.get("allow") == allowed


def test_an_internal_error_does_not_reveal_its_message(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    assert problem(get(app, f"/v1/users/{BROKEN}/prediction")) == (500, "failed")
    assert SECRET in caplog.text


def test_other_machines_need_a_key_except_for_health_and_documentation(
    tmp_path: Path,
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    app = App(opened, Authenticator(keys, 1_000), 2, alone())

    async def statuses(client: httpx.AsyncClient) -> dict[str, int]:
        paths = (USER, "/metrics", "/healthz", "/readyz", "/docs", "/openapi.json")
        status_codes = {path: (await client.get(path)).status_code for path in paths}
        for path in ("/v1/predictions", "/v1/score", "/v1/outcomes"):
            reply = await client.post(path, json={})
            assert reply.headers["www-authenticate"] == "Bearer"
            status_codes[path] = problem(reply)[0]
        return status_codes

    codes_by_path = run_client(app, statuses, client="192.0.2.7")
    assert {path for path, status in codes_by_path.items() if status == 401} == {
        *(USER, "/metrics", "/v1/predictions", "/v1/score", "/v1/outcomes")
    }
    assert {codes_by_path[path] for path in ("/healthz", "/readyz", "/docs", "/openapi.json")} == {
        200
    }


@pytest.mark.slow
def test_requests_beyond_the_limit_are_refused_at_once_and_the_others_answered(app: App) -> None:
    async def all_at_once(client: httpx.AsyncClient) -> list[httpx.Response]:
        slow = f"/v1/users/{SLOW}/prediction"
        replies = await asyncio.gather(*(client.get(slow) for _ in range(5)), client.get("/readyz"))
        return [*replies, await client.get(USER)]

    *replies, ready, later = run_client(app, all_at_once)
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200, 200, 503, 503, 503]
    assert (ready.status_code, later.status_code) == (200, 200)
    refused = next(reply for reply in replies if reply.status_code == 503)
    assert problem(refused) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"


def test_a_failed_request_does_not_count_as_in_flight_any_more(app: App) -> None:
    async def many(client: httpx.AsyncClient) -> int:
        for _ in range(5):
            await client.get(f"/v1/users/{BROKEN}/prediction")
        return (await client.get(USER)).status_code

    assert run_client(app, many) == 200


def test_readiness_lists_what_is_degraded(app: App) -> None:
    assert get(app, "/healthz").json() == {"status": "ok"}
    reply = get(app, "/readyz")
    assert reply.json() == {
        "status": "degraded",
        "degraded": ["results"],
        "as_of": "2026-01-31",
        "age_seconds": 3_600,
        "lag_days": 0,
        "foreign": [],
        "models": {"churn": "2026-01-31"},
        "breakers": {"cache": "closed", "results": "open"},
    }


@pytest.mark.parametrize(
    ("lag_days", "expected"), [(14, (200, "degraded")), (15, (503, "outdated"))]
)
def test_the_service_is_not_ready_with_predictions_that_are_too_old_and_says_how_old(
    app: App, monkeypatch: pytest.MonkeyPatch, lag_days: int, expected: tuple[int, str]
) -> None:
    monkeypatch.setattr(FakeBackend, "lag_days", lag_days)
    reply = get(app, "/readyz")
    assert (reply.status_code, reply.json()["status"]) == expected
    assert reply.json()["lag_days"] == lag_days
    assert get(app, USER).status_code == 200


def test_metrics_count_requests_by_route(app: App) -> None:
    async def some(client: httpx.AsyncClient) -> str:
        await client.get(USER)
        await client.get("/nowhere")
        reply = await client.get("/metrics")
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
        return reply.text

    text = run_client(app, some)
    name = 'ds_assets_http_requests_total{route="'
    assert f'{name}/v1/users/{{user_id}}/prediction",status="200"' in text
    assert f'{name}other",status="404"' in text
    assert 'ds_assets_answers_total{source="cache"' in text


def test_the_first_page_is_the_documentation(app: App) -> None:
    reply = get(app, "/")
    assert (reply.status_code, reply.headers["location"]) == (307, "/docs")


def test_the_documentation_is_there_for_people_and_programs(app: App) -> None:
    page = get(app, "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert get(app, "/openapi.json").json()["openapi"] == "3.1.0"
