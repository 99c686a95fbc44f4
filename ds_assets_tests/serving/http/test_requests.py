import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.serving.http import requests
from ds_assets.serving.http.problems import ProblemError
from ds_assets.serving.http.protocol import PredictionsRequest, ScoreRequest
from ds_assets.serving.http.requests import MAX_BODY_BYTES, decode_body, parse_user_id, read_body

USERS = msgspec.json.Decoder(PredictionsRequest)
TO_SCORE = msgspec.json.Decoder(ScoreRequest)


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def received(*pieces: bytes, kind: str | None = "application/json") -> bytes | int:
    """The body, or the status of the problem."""
    headers = {} if kind is None else {"content-type": kind}
    try:
        return asyncio.run(read_body(httpx.Headers(headers), stream(*pieces)))
    except ProblemError as refusal:
        return refusal.problem.status


def status_of(decoder: msgspec.json.Decoder[Any], body: bytes) -> int:
    with pytest.raises(ProblemError) as caught:
        decode_body(decoder, body)
    assert len(caught.value.reply.body) < 1_000
    return caught.value.problem.status


@given(st.text(st.characters(exclude_characters="\ufffd"), min_size=1, max_size=191))
def test_every_text_can_be_a_user_in_a_path(user_id: str) -> None:
    assert parse_user_id(user_id) == user_id


@pytest.mark.parametrize(
    ("path", "status"),
    [("", 422), ("x" * 192, 422), ("é" * 192, 422), ("\ufffd", 400), ("a\ufffd", 400)],
)
def test_what_is_no_user_id_is_refused(path: str, status: int) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_user_id(path)
    assert caught.value.problem.status == status


def test_an_id_of_many_bytes_is_counted_in_characters() -> None:
    assert parse_user_id("é" * 191) == "é" * 191


def test_a_body_is_put_together_from_its_pieces() -> None:
    assert received(b"ab", b"", b"cd") == b"abcd"
    assert received() == b""
    assert received(b"ab", kind="Application/JSON; charset=utf-8") == b"ab"


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_of_another_kind_is_refused(kind: str | None) -> None:
    assert received(b"{}", kind=kind) == 415


def test_a_body_that_is_too_large_is_refused_and_not_kept() -> None:
    piece = b" " * (MAX_BODY_BYTES // 4)
    assert received(*[piece] * 4) == piece * 4
    assert received(*[piece] * 4, b" ") == 413
    assert received(*[piece] * 10_000) == 413


def test_a_body_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.01)

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    with pytest.raises(ProblemError) as caught:
        asyncio.run(read_body(httpx.Headers({"content-type": "application/json"}), endless()))
    assert caught.value.problem.status == 408


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"user_ids": ["\xff"]}',
        b'{"user_ids": ["\\ud800"]}',
        b'{"user_ids": [NaN]}',
        b'{"user_ids": []} x',
    ],
)
def test_a_body_that_is_no_json_is_malformed(body: bytes) -> None:
    assert status_of(USERS, body) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"1",
        b'{"user_ids": "u1"}',
        b'{"user_ids": [1]}',
        b'{"user_ids": [null]}',
        b'{"user_ids": [""]}',
        b'{"user_ids": ["u1"], "more": 1}',
        b'{"user_ids": ["%b"]}' % (b"x" * 192),
        b'{"user_ids": ["%b"]}' % (b"x" * 1_000_000),
        b'{"user_ids": [%b"u1"]}' % (b'"u1",' * 1_000),
        b'{"user_ids": [1e999]}',
    ],
)
def test_a_body_of_another_form_is_not_accepted(body: bytes) -> None:
    assert status_of(USERS, body) == 422


def test_as_many_users_as_allowed_are_accepted() -> None:
    ids = ["\N{GRINNING FACE}" * 191] * 1_000
    body = msgspec.json.encode({"user_ids": ids})
    assert len(body) < MAX_BODY_BYTES
    assert decode_body(USERS, body).user_ids == ids


def test_users_to_score_come_with_features_or_events() -> None:
    body = (
        b'{"users": [{"user_id": "a", "features": {"days": 3, "country": "KR", "x": null}},'
        b' {"user_id": "b", "events": [{"type": "login", "more": [1]}]}], "reasons": false}'
    )
    request = decode_body(TO_SCORE, body)
    first, second = request.users
    assert first.features == {"days": 3.0, "country": "KR", "x": None}
    assert (first.events, second.features) == (msgspec.UNSET, msgspec.UNSET)
    assert second.events == [{"type": "login", "more": [1]}]
    assert not request.reasons


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"users": [{"user_id": "a"}]}', 422),
        (b'{"users": [{"user_id": "a", "features": {}, "events": []}]}', 422),
        (b'{"users": [{"user_id": "a", "features": null}]}', 422),
        (b'{"users": [{"user_id": "a", "features": {"x": [1]}}]}', 422),
        (b'{"users": [{"user_id": "a", "features": {"x": 1e999}}]}', 422),
        (b'{"users": [{"user_id": "a", "features": {"x": Infinity}}]}', 400),
        (b'{"users": [{"user_id": "a", "features": {"x": %b}}]}' % (b"9" * 5_000), 422),
        (b'{"users": [{"user_id": "a", "events": [1]}]}', 422),
        (b'{"users": [{"user_id": "a", "events": [%b{}]}]}' % (b"{}," * 10_000), 422),
        (b'{"users": [{"user_id": "a", "events": [{"x": %b}]}]}' % (b"[" * 100_000), 400),
    ],
)
def test_what_cannot_be_scored_is_refused(body: bytes, status: int) -> None:
    assert status_of(TO_SCORE, body) == status
