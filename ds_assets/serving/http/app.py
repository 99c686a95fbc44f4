"""The application: routes, and what all of them share.

Belongs here: how a request becomes a reply. The hot routes are asked for tens of thousands of times
a second, so there is no framework, and nothing is made for a request that can be made before. The
interface is RSGI, granian's own: with ASGI a GET takes a tenth more of a processor.
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
from ds_assets.serving.http.auth import Gate
from ds_assets.serving.http.docs_page import page
from ds_assets.serving.http.etag import tag_of
from ds_assets.serving.http.metrics import Figures, Snapshot, exposed
from ds_assets.serving.http.openapi import document
from ds_assets.serving.http.problems import Headers, Refusal, Reply
from ds_assets.serving.http.protocol import Answering, ScoreRequest, UserIds
from ds_assets.serving.http.requests import (
    Request,
    SentHeaders,
    body_of,
    decoded,
    group_of,
    refuse_query,
    user_of,
)
from ds_assets.serving.http.workers import Shared, Workers

MOST_ANSWERS = 16_000
"""Answers that may be under way at once, so that those of a worker are made within their time."""
_SCORED, _EXPLAINED, _PLAYED = 3, 15, 2_500
"""Answers that take as long as one that is scored by features, one with reasons, and a request with
events."""
FRESH_SECONDS = 5
"""So long may a client keep an answer without asking again."""

Opening = Callable[[], AbstractAsyncContextManager[Answering]]
_Q = ParamSpec("_Q")
_A = TypeVar("_A")

_GET, _POST = ("GET", "HEAD"), ("POST",)
_USER, _PREDICTION = "/v1/users/", "/prediction"
_JSON = ("content-type", "application/json")
_KEEP = ("cache-control", f"private, max-age={FRESH_SECONDS}")
_GO = ("connection", "close")
"""Tells a client that its next request needs a connection of its own, which others will answer."""
_FOR_NOW: Headers = [_JSON, ("cache-control", "no-store")]
_TEXT: Headers = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
_HTML: Headers = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
]
_NOT_READY = ("no_data", "leaving")
_FAILED = Refusal(problems.FAILED, "ask again; if it stays, tell who runs the service").reply
_log = logging.getLogger(__name__)


class Exchange(Protocol):
    """What RSGI calls the protocol: the pieces of a request's body, and the way back."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Go through the body."""
        ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer."""
        ...


@dataclass(frozen=True, slots=True)
class _Route:
    """A path.

    Attributes:
        name: The path, as metrics have it.
        methods: What it takes.
        reply: Replies to a request, which came at that time.
    """

    name: str
    methods: tuple[str, ...]
    reply: Callable[[Request, Exchange, float], Awaitable[Reply]]


class App:
    """Answers requests, as an RSGI application.

    Args:
        opening: Opens who answers, for as long as the application lives.
        gate: Who may ask.
        most_at_once: Questions that may be answered at once; one more is refused.
        shared: What the workers have in common.
    """

    def __init__(self, opening: Opening, gate: Gate, most_at_once: int, shared: Shared) -> None:
        self._opening = opening
        self._life = AsyncExitStack()
        self._answering: Answering
        self._gate = gate
        self._most_at_once = most_at_once
        self._at_once = self._answers = 0
        self._figures = Figures()
        self._leaving = shared.leaving
        self._workers = Workers(shared.folder, self._snapshot)
        self._users = msgspec.json.Decoder(UserIds)
        self._to_score = msgspec.json.Decoder(ScoreRequest)
        self._one_user = _Route("/v1/users/{user_id}/prediction", _GET, self._prediction)
        self._routes = {route.name: route for route in self._made_routes()}

    def _made_routes(self) -> list[_Route]:
        api = document()
        return [
            _Route("/v1/predictions", _POST, self._predictions),
            _Route("/v1/score", _POST, self._score),
            _Route("/healthz", _GET, _always(Reply(200, _FOR_NOW, b'{"status":"ok"}'))),
            _Route("/readyz", _GET, self._ready),
            _Route("/metrics", _GET, self._metrics),
            _Route("/openapi.json", _GET, _always(Reply(200, [_JSON], msgspec.json.encode(api)))),
            _Route("/docs", _GET, _always(Reply(200, _HTML, page(api).encode()))),
        ]

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open who answers, before there are requests."""
        loop.run_until_complete(self.open())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close it again, when there will be no more."""
        loop.run_until_complete(self.close())

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        """Answer one request."""
        started = perf_counter()
        route = self._route(request.path, request.method)
        try:
            reply = await route.reply(request, exchange, started)
        except Refusal as refusal:
            reply = refusal.reply
        except Exception:  # noqa: BLE001  # whatever it is, the caller gets an answer
            _log.exception("a request for %s failed", route.name)
            reply = _FAILED
        headers = [*reply.headers, _GO] if self._leaving.value else reply.headers
        exchange.response_bytes(reply.status, headers, reply.body)
        self._figures.count(route.name, reply.status, perf_counter() - started)

    async def open(self) -> None:
        """Open who answers."""
        self._answering = await self._life.enter_async_context(self._opening())
        publishing = asyncio.create_task(self._workers.publish())
        self._life.callback(publishing.cancel)
        gc.freeze()  # what is there now stays: looking through it would hold up requests
        self._life.callback(gc.unfreeze)

    async def close(self) -> None:
        """Close who answers."""
        await self._life.aclose()

    def _route(self, path: str, method: str) -> _Route:
        if path.startswith(_USER) and path.endswith(_PREDICTION):
            route = self._one_user
        else:
            route = self._routes.get(path, _ELSEWHERE)
        return route if method in route.methods else _refusing(route)

    async def _prediction(self, request: Request, _: Exchange, started: float) -> Reply:
        headers = self._let_in(request, started)
        self._refuse_too_much()
        user_id = user_of(request.path[len(_USER) : -len(_PREDICTION)])
        group = group_of(request.query_string)
        answer = await self._asked(1, self._answering.answer_one, user_id, group)
        tag = tag_of(answer)
        if tag in headers.get("if-none-match", ""):
            return Reply(304, [_KEEP, ("etag", tag)], b"")
        return Reply(200, [_JSON, _KEEP, ("etag", tag)], answer.to_json())

    async def _predictions(self, request: Request, exchange: Exchange, started: float) -> Reply:
        body = await self._body(request, exchange, started)
        asked = decoded(self._users, body)
        users, answer = asked.user_ids, self._answering.answer
        return _joined(await self._asked(len(users), answer, users, asked.user_group))

    async def _score(self, request: Request, exchange: Exchange, started: float) -> Reply:
        body = await self._body(request, exchange, started)
        asked = decoded(self._to_score, body)
        try:
            return _joined(await self._asked(_cost(asked), self._answering.score, asked))
        except InputError as error:
            raise Refusal(problems.NOT_ACCEPTED, str(error)) from None

    def _let_in(self, request: Request, now: float) -> SentHeaders:
        headers = request.headers  # made anew each time
        if authorization := headers.get("authorization", ""):
            self._gate.pass_with(authorization, now)
        else:
            self._gate.pass_without(request.client, now)
        return headers

    async def _body(self, request: Request, exchange: Exchange, now: float) -> bytes:
        headers = self._let_in(request, now)
        refuse_query(request.query_string)
        body = await body_of(headers, exchange)
        self._refuse_too_much()  # before any work on it
        return body

    def _refuse_too_much(self) -> None:
        if self._at_once >= self._most_at_once or self._answers >= MOST_ANSWERS:
            raise Refusal(problems.OVERLOADED, "ask again in a second", ("retry-after", "1"))

    async def _asked(
        self, cost: int, answer: Callable[_Q, Awaitable[_A]], *question: _Q.args, **named: _Q.kwargs
    ) -> _A:
        self._at_once += 1
        self._answers += cost
        try:
            return await answer(*question, **named)
        finally:
            self._at_once -= 1
            self._answers -= cost

    async def _ready(self, _request: Request, _exchange: Exchange, _started: float) -> Reply:
        health = self._answering.health()
        status = "degraded" if health.degraded else "ok"
        if health.as_of is None:
            status = "no_data"
        if self._leaving.value:
            status = "leaving"
        body = msgspec.json.encode({"status": status, **msgspec.to_builtins(health)})
        return Reply(503 if status in _NOT_READY else 200, _FOR_NOW, body)

    async def _metrics(self, request: Request, _: Exchange, started: float) -> Reply:
        self._let_in(request, started)
        refuse_query(request.query_string)
        return Reply(200, _TEXT, exposed(self._workers.snapshots()))

    def _snapshot(self) -> Snapshot:
        counts, health = self._answering.counts(), self._answering.health()
        return Snapshot(self._figures, self._at_once, counts, health)


def _always(reply: Reply) -> Callable[[Request, Exchange, float], Awaitable[Reply]]:
    async def same(_request: Request, _exchange: Exchange, _started: float) -> Reply:
        return reply

    return same


def _refusing(route: _Route) -> _Route:
    if route is _ELSEWHERE:
        return route
    methods = ", ".join(route.methods)
    allow = ("allow", methods)
    refusal = Refusal(problems.NOT_ALLOWED, f"{route.name} takes {methods}", allow)
    return _Route(route.name, (), _always(refusal.reply))


def _joined(answers: Sequence[Answer]) -> Reply:
    return Reply(
        200, _FOR_NOW, b'{"predictions":[%b]}' % b",".join([answer.to_json() for answer in answers])
    )


def _cost(asked: ScoreRequest) -> int:
    """How many answers from the cache take as long as what is asked for."""
    has_events = any(one.events for one in asked.users)
    one = _EXPLAINED if asked.reasons else _SCORED
    return one * len(asked.users) + _PLAYED * has_events


_NO_PATH = Refusal(problems.NO_SUCH_PATH, "see /docs for the paths that there are")
_ELSEWHERE = _Route("other", (), _always(_NO_PATH.reply))
"""Every path that there is not."""
