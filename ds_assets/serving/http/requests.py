"""Requests read, and refused where they break a limit or make no sense.

Belongs here: from bytes to what is asked. Does not belong here: who may ask.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from ds_assets.resources.results_schema import KEY_LENGTH
from ds_assets.serving.http.problems import (
    MALFORMED,
    NOT_ACCEPTED,
    NOT_JSON,
    TOO_LARGE,
    TOO_SLOW,
    Refusal,
)
from ds_assets.serving.service import EVERYBODY

MOST_BYTES = 4 * 2**20
"""Most bytes of a body; a thousand ids of any characters are less."""
BODY_SECONDS = 10
"""Within so long a body must have arrived."""
_MOST_SWALLOWED = 4 * MOST_BYTES

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_T = TypeVar("_T")


def user_of(path: bytes) -> str:
    """The user that a piece of a path names.

    Args:
        path: The piece, percent-encoded.

    Raises:
        Refusal: it is no id.
    """
    try:
        user_id = (unquote_to_bytes(path) if b"%" in path else path).decode()
    except UnicodeDecodeError:
        raise Refusal(MALFORMED, "the user id in the path must be percent-encoded UTF-8") from None
    if not 0 < len(user_id) <= KEY_LENGTH:
        raise Refusal(
            NOT_ACCEPTED,
            f"the user id has {len(user_id):,} characters; accepted are 1 to {KEY_LENGTH}",
        )
    return user_id


def group_of(query: bytes) -> str:
    """The user group that a query names; the group of everybody where there is no query.

    Raises:
        Refusal: it names something else.
    """
    if not query:
        return EVERYBODY
    try:
        (pair,) = parse_qsl(
            query.decode(), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError:  # of which UnicodeDecodeError is one
        pair = "", ""
    name, group = pair
    if name != "user_group" or len(group) > KEY_LENGTH:
        raise Refusal(
            NOT_ACCEPTED,
            "after the ? of the address only user_group=… is accepted, percent-encoded and of "
            f"{KEY_LENGTH} characters at most",
        )
    return group


def refuse_query(query: bytes) -> None:
    """Refuse whatever follows the ? of an address.

    Raises:
        Refusal: something does.
    """
    if query:
        raise Refusal(NOT_ACCEPTED, "leave out what follows the ? in the address")


async def body_of(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """The body of a request, whole.

    Raises:
        Refusal: it is not said to be JSON, is too large, or does not arrive in time.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refusal(NOT_JSON, "send the header Content-Type: application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _received(receive)
    except TimeoutError:
        raise Refusal(TOO_SLOW, f"send the body within {BODY_SECONDS} seconds") from None


async def _received(receive: Receive) -> bytes:
    pieces, size, more = [], 0, True
    while more and size <= _MOST_SWALLOWED:  # a client that is still sending reads no answer
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(MALFORMED, "the request ended before its body did")
        piece, more = message.get("body", b""), message.get("more_body", False)
        size += len(piece)
        if size <= MOST_BYTES:
            pieces.append(piece)
    if size > MOST_BYTES:
        raise Refusal(TOO_LARGE, f"a body may have {MOST_BYTES:,} bytes; ask in several requests")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """What a body asks for.

    Raises:
        Refusal: it is no JSON, or not of the declared form.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(NOT_ACCEPTED, f"{error}; see /docs for what is accepted") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(MALFORMED, f"the body is not JSON in UTF-8: {error}") from None
    except RecursionError:
        raise Refusal(MALFORMED, "the body is nested too deeply") from None
