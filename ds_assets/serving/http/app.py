"""The HTTP application: routes, and what every request goes through.

Hot routes get tens of thousands of requests a second, so there is no framework, and nothing is made
for a request that can be made beforehand. The interface is RSGI, granian's own: with ASGI a GET
takes a tenth more processor time.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import ParamSpec, Protocol, TypeVar

import msgspec

from ds_assets.errors import InputError
from ds_assets.serving.answer import Answer
from ds_assets.serving.http import problems
from ds_assets.serving.http.auth import Authenticator
from ds_assets.serving.http.docs_page import CONTENT_SECURITY_POLICY, render_page
from ds_assets.serving.http.etag import tag_of
from ds_assets.serving.http.metrics import RequestMetrics, Snapshot, render_metrics
from ds_assets.serving.http.openapi import build_document
from ds_assets.serving.http.problems import Headers, ProblemError, Reply, RequestError
from ds_assets.serving.http.protocol import (
    Backend,
    OutcomesRequest,
    PredictionsRequest,
    ScoreRequest,
)
from ds_assets.serving.http.requests import (
    Request,
    RequestHeaders,
    check_no_query,
    decode_body,
    parse_user_group,
    parse_user_id,
    read_body,
)
from ds_assets.serving.http.workers import Shared, Workers
from ds_assets.serving.shown_offers import OffersNotStored
from ds_assets.serving.unusable_events import UnusableEventsError

MAX_ANSWERS_IN_FLIGHT = 16_000
"""Answers of one worker that can be under way and still be in time."""
_COST_OF_SCORE, _COST_OF_EXPLAINED_SCORE, _COST_OF_EVENTS = 3, 15, 2_500
"""Processor time of a score from features, of one with reasons, and of a request with raw events,
in answers from the cache."""
MAX_AGE_S = 5
"""Seconds for which a client may reuse an answer without asking again."""

OpenBackend = Callable[[], AbstractAsyncContextManager[Backend]]
_P = ParamSpec("_P")
_R = TypeVar("_R")

_GET, _POST = ("GET", "HEAD"), ("POST",)
_USER_PREFIX, _PREDICTION_SUFFIX = "/v1/users/", "/prediction"
_JSON = ("content-type", "application/json")
_CACHE_5S = ("cache-control", f"private, max-age={MAX_AGE_S}")
_CONNECTION_CLOSE = ("connection", "close")
"""Makes a client open another connection for its next request, which another process accepts."""
_UNCACHED_JSON: Headers = [_JSON, ("cache-control", "no-store")]
_METRICS_TEXT: Headers = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
_HTML: Headers = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", CONTENT_SECURITY_POLICY),
]
_NOT_READY = ("no_data", "outdated", "leaving")
_INTERNAL_ERROR = ProblemError(
    problems.FAILED, "Retry; if the error persists, contact the service operator."
).reply
_log = logging.getLogger(__name__)


class Exchange(Protocol):
    """What RSGI calls the protocol: the chunks of a request's body, and the way to reply."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the body."""
        ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the reply."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    """A path.

    Attributes:
        name: The path as metrics name it.
        methods: Methods that it accepts.
        handle: Replies to a request that arrived at a time.
    """

    name: str
    methods: tuple[str, ...]
    handle: Callable[[Request, Exchange, float], Awaitable[Reply]]


class App:
    """Replies to requests, as an RSGI application.

    Args:
        open_backend: Opens the backend, for as long as the application lives.
        authenticator: Checks API keys.
        max_in_flight: Maximum concurrent requests for answers; beyond it they are refused.
        shared: What the workers have in common.
    """

    def __init__(
        self,
        open_backend: OpenBackend,
        authenticator: Authenticator,
        max_in_flight: int,
        shared: Shared,
    ) -> None:
        self._open_backend = open_backend
        self._resources = AsyncExitStack()
        self._backend: Backend
        self._authenticator = authenticator
        self._max_in_flight = max_in_flight
        self._requests_in_flight = self._answers_in_flight = 0
        self._metrics = RequestMetrics()
        self._is_draining = shared.is_draining
        self._workers = Workers(shared.folder, self._snapshot)
        self._user_ids_decoder = msgspec.json.Decoder(PredictionsRequest)
        self._score_decoder = msgspec.json.Decoder(ScoreRequest)
        self._outcomes_decoder = msgspec.json.Decoder(OutcomesRequest)
        self._one_user = _Route("/v1/users/{user_id}/prediction", _GET, self._get_prediction)
        self._routes = {route.name: route for route in self._make_routes()}

    def _make_routes(self) -> list[_Route]:
        api = build_document()
        openapi = Reply(200, [_JSON], msgspec.json.encode(api))
        docs = Reply(200, _HTML, render_page(api).encode())
        to_docs = Reply(307, [("location", "/docs")], b"")
        alive = Reply(200, _UNCACHED_JSON, b'{"status":"ok"}')
        return [
            _Route("/v1/predictions", _POST, self._post_predictions),
            _Route("/v1/score", _POST, self._post_score),
            _Route("/v1/outcomes", _POST, self._post_outcomes),
            _Route("/healthz", _GET, _always(alive)),
            _Route("/readyz", _GET, self._get_readiness),
            _Route("/metrics", _GET, self._get_metrics),
            _Route("/openapi.json", _GET, _always(openapi)),
            _Route("/docs", _GET, _always(docs)),
            _Route("/", _GET, _always(to_docs)),
        ]

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the backend, before there are requests."""
        loop.run_until_complete(self.open())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close it, when there will be no more."""
        loop.run_until_complete(self.close())

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        """Reply to one request."""
        started = perf_counter()
        route = self._find_route(request.path, request.method)
        try:
            reply = await route.handle(request, exchange, started)
        except ProblemError as error:
            reply = error.reply
        except Exception:  # noqa: BLE001  # whatever it is, the client gets a reply
            _log.exception("a request for %s failed", route.name)
            reply = _INTERNAL_ERROR
        is_draining = self._is_draining.value
        headers = [*reply.headers, _CONNECTION_CLOSE] if is_draining else reply.headers
        exchange.response_bytes(reply.status, headers, reply.body)
        self._metrics.record(route.name, reply.status, perf_counter() - started)

    async def open(self) -> None:
        """Open the backend."""
        self._backend = await self._resources.enter_async_context(self._open_backend())
        publishing = asyncio.create_task(self._workers.publish())
        self._resources.callback(publishing.cancel)
        gc.freeze()  # what exists now stays: collecting through it would delay requests
        self._resources.callback(gc.unfreeze)

    async def close(self) -> None:
        """Close the backend."""
        await self._resources.aclose()

    def _find_route(self, path: str, method: str) -> _Route:
        if path.startswith(_USER_PREFIX) and path.endswith(_PREDICTION_SUFFIX):
            route = self._one_user
        else:
            route = self._routes.get(path, _NOT_FOUND)
        return route if method in route.methods else _method_not_allowed(route)

    async def _get_prediction(self, request: Request, _: Exchange, started: float) -> Reply:
        headers = self._authenticate(request, started)
        self._check_load()
        user_id = parse_user_id(request.path[len(_USER_PREFIX) : -len(_PREDICTION_SUFFIX)])
        group = parse_user_group(request.query_string)
        answer = await self._counted(1, self._backend.answer_one, user_id, group)
        tag = tag_of(answer)
        if tag in headers.get("if-none-match", ""):
            return Reply(304, [_CACHE_5S, ("etag", tag)], b"")
        return Reply(200, [_JSON, _CACHE_5S, ("etag", tag)], answer.to_json())

    async def _post_predictions(
        self, request: Request, exchange: Exchange, started: float
    ) -> Reply:
        body = await self._read_body(request, exchange, started)
        parsed = decode_body(self._user_ids_decoder, body)
        user_ids, answer = parsed.user_ids, self._backend.answer
        return _join(await self._counted(len(user_ids), answer, user_ids, parsed.user_group))

    async def _post_score(self, request: Request, exchange: Exchange, started: float) -> Reply:
        body = await self._read_body(request, exchange, started)
        parsed = decode_body(self._score_decoder, body)
        try:
            return _join(await self._counted(_cost(parsed), self._backend.score, parsed))
        except UnusableEventsError as error:
            errors = _place_errors(error, parsed)
            raise ProblemError(problems.NOT_ACCEPTED, str(error), errors=errors) from None
        except InputError as error:
            raise ProblemError(problems.NOT_ACCEPTED, str(error)) from None

    async def _post_outcomes(self, request: Request, exchange: Exchange, started: float) -> Reply:
        body = await self._read_body(request, exchange, started)
        outcomes = decode_body(self._outcomes_decoder, body).outcomes
        try:
            # Not in flight with requests for answers, which need not wait for the lake.
            await self._backend.store_shown_offers(outcomes)
        except OffersNotStored as error:
            detail = f"{error}; send them again: what comes twice counts once.".capitalize()
            raise ProblemError(problems.NOT_STORED, detail, ("retry-after", "10")) from None
        return Reply(200, _UNCACHED_JSON, b'{"stored":%d}' % len(outcomes))

    def _authenticate(self, request: Request, now: float) -> RequestHeaders:
        headers = request.headers  # made again with each access
        if authorization := headers.get("authorization", ""):
            self._authenticator.authenticate(authorization, now)
        else:
            self._authenticator.admit_local(request.client, now)
        return headers

    async def _read_body(self, request: Request, exchange: Exchange, now: float) -> bytes:
        headers = self._authenticate(request, now)
        check_no_query(request.query_string)
        body = await read_body(headers, exchange)
        self._check_load()  # before any work on it
        return body

    def _check_load(self) -> None:
        if (
            self._requests_in_flight >= self._max_in_flight
            or self._answers_in_flight >= MAX_ANSWERS_IN_FLIGHT
        ):
            raise ProblemError(problems.OVERLOADED, "Retry in a second.", ("retry-after", "1"))

    async def _counted(
        self, cost: int, handle: Callable[_P, Awaitable[_R]], *args: _P.args, **named: _P.kwargs
    ) -> _R:
        """Call the backend, and count the request and its cost as in flight meanwhile."""
        self._requests_in_flight += 1
        self._answers_in_flight += cost
        try:
            return await handle(*args, **named)
        finally:
            self._requests_in_flight -= 1
            self._answers_in_flight -= cost

    async def _get_readiness(self, _request: Request, _exchange: Exchange, _now: float) -> Reply:
        health = self._backend.health()
        status = "degraded" if health.degraded else "ok"
        if health.as_of is None:
            status = "no_data"
        if health.is_outdated:
            status = "outdated"
        if self._is_draining.value:
            status = "leaving"
        body = msgspec.json.encode({"status": status, **msgspec.to_builtins(health)})
        return Reply(503 if status in _NOT_READY else 200, _UNCACHED_JSON, body)

    async def _get_metrics(self, request: Request, _: Exchange, started: float) -> Reply:
        self._authenticate(request, started)
        check_no_query(request.query_string)
        return Reply(200, _METRICS_TEXT, render_metrics(self._workers.snapshots()))

    def _snapshot(self) -> Snapshot:
        counts, health = self._backend.counts(), self._backend.health()
        return Snapshot(self._metrics, self._requests_in_flight, counts, health)


def _always(reply: Reply) -> Callable[[Request, Exchange, float], Awaitable[Reply]]:
    async def handle(_request: Request, _exchange: Exchange, _started: float) -> Reply:
        return reply

    return handle


def _method_not_allowed(route: _Route) -> _Route:
    if route is _NOT_FOUND:
        return route
    methods = ", ".join(route.methods)
    error = ProblemError(
        problems.NOT_ALLOWED, f"{route.name} accepts {methods}.", ("allow", methods)
    )
    return _Route(route.name, (), _always(error.reply))


def _join(answers: Sequence[Answer]) -> Reply:
    members = b",".join([answer.to_json() for answer in answers])
    return Reply(200, _UNCACHED_JSON, b'{"predictions":[%b]}' % members)


def _cost(request: ScoreRequest) -> int:
    """The processor time of a request, in answers from the cache."""
    has_events = any(user.events for user in request.users)
    cost_of_user = _COST_OF_EXPLAINED_SCORE if request.reasons else _COST_OF_SCORE
    return cost_of_user * len(request.users) + _COST_OF_EVENTS * has_events


def _place_errors(error: UnusableEventsError, request: ScoreRequest) -> list[RequestError]:
    """The events that cannot be used, with their places in the request."""
    pointers = [
        f"#/users/{user_index}/events/{index}"
        for user_index, user in enumerate(request.users)
        for index in range(len(user.events or ()))
    ]
    return [RequestError(pointers[position], reason) for position, reason in error.named.items()]


_NOT_FOUND = _Route(
    "other", (), _always(ProblemError(problems.NO_SUCH_PATH, "See /docs for all paths.").reply)
)
"""The route of every unknown path."""
