"""Parsing of requests; those that exceed a limit or make no sense are refused.

Authentication is in `auth.py`.
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
    ProblemError,
)

MAX_BODY_BYTES = 4 * 2**20
"""Maximum size of a body; 1,000 ids of any characters fit."""
BODY_TIMEOUT_S = 10
"""Seconds within which a body must have arrived."""
_MAX_DISCARDED_BYTES = 4 * MAX_BODY_BYTES
"""A body that is too large is read up to here, because a client that still sends reads no reply."""

REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""What the server puts in place of bytes in a path that are not UTF-8."""
_T = TypeVar("_T")


class RequestHeaders(Protocol):
    """Headers of a request."""

    def get(self, name: str, default: str = "") -> str:
        """Get a header by its lower-case name; one that is not text counts as missing."""
        ...


class Request(Protocol):
    """A request as the server hands it over: what RSGI calls its scope.

    Attributes:
        method: The method.
        path: The path, percent-decoded; bytes that are not UTF-8 have become U+FFFD.
        query_string: What follows the ? in the URL, percent-encoded.
        client: Address and port of the client.
    """

    method: str
    path: str
    query_string: str
    client: str

    @property
    def headers(self) -> RequestHeaders:
        """The headers."""
        ...


def parse_user_id(segment: str) -> str:
    """Parse the user id in a path.

    Args:
        segment: Segment of the path, percent-decoded.

    Raises:
        ProblemError: it is not a user id.
    """
    if REPLACEMENT_CHARACTER in segment:
        raise ProblemError(
            MALFORMED,
            "The user id in the path must be percent-encoded UTF-8; use POST /v1/predictions for "
            "an id that contains the character U+FFFD.",
        )
    if not 0 < len(segment) <= KEY_LENGTH:
        raise ProblemError(
            NOT_ACCEPTED,
            f"The user id has {len(segment):,} characters; accepted are 1 to {KEY_LENGTH}.",
        )
    return segment


def parse_user_group(query: str) -> str:
    """Parse the user group in a query string; without one it is the group of all users.

    Raises:
        ProblemError: the query string holds something else.
    """
    if not query:
        return ALL_USERS
    try:
        (pair,) = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:  # of which UnicodeDecodeError is one
        pair = "", ""
    name, group = pair
    if name != "user_group" or len(group) > KEY_LENGTH:
        raise ProblemError(
            NOT_ACCEPTED,
            "The only query parameter is user_group, percent-encoded and of up to "
            f"{KEY_LENGTH} characters.",
        )
    return group


def check_no_query(query: str) -> None:
    """Check that there is no query string.

    Raises:
        ProblemError: there is one.
    """
    if query:
        raise ProblemError(
            NOT_ACCEPTED, "This path has no query parameters; remove what follows the ? in the URL."
        )


async def read_body(headers: RequestHeaders, chunks: AsyncIterable[bytes]) -> bytes:
    """Read the whole body of a request.

    Raises:
        ProblemError: it is not declared as JSON, is too large, or does not arrive in time.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError(NOT_JSON, "Send the header Content-Type: application/json.")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _join(chunks)
    except TimeoutError:
        raise ProblemError(TOO_SLOW, f"Send the body within {BODY_TIMEOUT_S} seconds.") from None


async def _join(chunks: AsyncIterable[bytes]) -> bytes:
    kept, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            kept.append(chunk)
        elif size > _MAX_DISCARDED_BYTES:
            break
    if size > MAX_BODY_BYTES:
        detail = f"A body can have up to {MAX_BODY_BYTES:,} bytes; send several requests."
        raise ProblemError(TOO_LARGE, detail)
    return kept[0] if len(kept) == 1 else b"".join(kept)


def decode_body(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Decode the body of a request.

    Raises:
        ProblemError: it is not JSON, or does not match the schema.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise ProblemError(NOT_ACCEPTED, f"{error}. See /docs for what is accepted.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(MALFORMED, f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise ProblemError(MALFORMED, "The body is nested too deeply.") from None
