"""Requests read, and refused where they break a limit or make no sense.

Belongs here: from what the server hands over to what is asked. Does not belong here: who may ask.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ds_assets.core.group_defaults import ALL_USERS
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets.serving.http.problems import (
    MALFORMED,
    NOT_ACCEPTED,
    NOT_JSON,
    TOO_LARGE,
    TOO_SLOW,
    Refusal,
)

MOST_BYTES = 4 * 2**20
"""Most bytes of a body; a thousand ids of any characters are less."""
BODY_SECONDS = 10
"""Within so long a body must have arrived."""
_MOST_SWALLOWED = 4 * MOST_BYTES

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What the server makes of bytes in a path that are no UTF-8."""
_T = TypeVar("_T")


class SentHeaders(Protocol):
    """Headers of a request."""

    def get(self, name: str, default: str = "") -> str:
        """A header, by its name in small letters; one that is no text counts as missing."""
        ...


class Request(Protocol):
    """A request, as the server hands it over: what RSGI calls its scope.

    Attributes:
        method: Its method.
        path: Its path, percent-decoded; what is no UTF-8 there has become U+FFFD.
        query_string: What follows the ? of its address, percent-encoded.
        client: Address and port that it comes from.
    """

    method: str
    path: str
    query_string: str
    client: str

    @property
    def headers(self) -> SentHeaders:
        """Its headers."""
        ...


def user_of(piece: str) -> str:
    """The user that a piece of a path names.

    Args:
        piece: The piece, percent-decoded.

    Raises:
        Refusal: it is no id.
    """
    if BROKEN in piece:
        raise Refusal(
            MALFORMED,
            "the user id in the path must be percent-encoded UTF-8; ask for one that has the "
            "character U+FFFD with POST /v1/predictions",
        )
    if not 0 < len(piece) <= KEY_LENGTH:
        raise Refusal(
            NOT_ACCEPTED,
            f"the user id has {len(piece):,} characters; accepted are 1 to {KEY_LENGTH}",
        )
    return piece


def group_of(query: str) -> str:
    """The user group that a query names; the group of everybody where there is no query.

    Raises:
        Refusal: it names something else.
    """
    if not query:
        return ALL_USERS
    try:
        (pair,) = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
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


def refuse_query(query: str) -> None:
    """Refuse whatever follows the ? of an address.

    Raises:
        Refusal: something does.
    """
    if query:
        raise Refusal(NOT_ACCEPTED, "leave out what follows the ? in the address")


async def body_of(headers: SentHeaders, pieces: AsyncIterable[bytes]) -> bytes:
    """The body of a request, whole.

    Raises:
        Refusal: it is not said to be JSON, is too large, or does not arrive in time.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(NOT_JSON, "send the header Content-Type: application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _joined(pieces)
    except TimeoutError:
        raise Refusal(TOO_SLOW, f"send the body within {BODY_SECONDS} seconds") from None


async def _joined(pieces: AsyncIterable[bytes]) -> bytes:
    kept, size = [], 0
    async for piece in pieces:
        size += len(piece)
        if size <= MOST_BYTES:
            kept.append(piece)
        elif (
            size > _MOST_SWALLOWED
        ):  # up to there, for a client that is still sending reads nothing
            break
    if size > MOST_BYTES:
        raise Refusal(TOO_LARGE, f"a body may have {MOST_BYTES:,} bytes; ask in several requests")
    return kept[0] if len(kept) == 1 else b"".join(kept)


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
