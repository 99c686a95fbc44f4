"""Errors as problem details (RFC 9457), each with what to do about it.

Scope: every problem that a client can get, declared once; the documentation is made from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Headers = list[tuple[str, str]]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A complete HTTP response."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error.

    Attributes:
        name: The end of the URI that is its type.
        status: HTTP status code.
        title: What is wrong, in general.
    """

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """URI of its explanation."""
        return f"/docs#{self.name}"


MALFORMED = Problem("malformed", 400, "Malformed request")
NO_KEY = Problem("no-key", 401, "Missing or invalid API key")
NO_SUCH_PATH = Problem("no-such-path", 404, "Path not found")
NOT_ALLOWED = Problem("not-allowed", 405, "Method not allowed")
TOO_SLOW = Problem("too-slow", 408, "Request timeout")
TOO_LARGE = Problem("too-large", 413, "Request body too large")
NOT_JSON = Problem("not-json", 415, "Request body must be JSON")
NOT_ACCEPTED = Problem("not-accepted", 422, "Unprocessable request")
RATE_LIMITED = Problem("too-often", 429, "Rate limit exceeded")
FAILED = Problem("failed", 500, "Internal server error")
OVERLOADED = Problem("overloaded", 503, "Service overloaded")
NOT_STORED = Problem("not-stored", 503, "Outcomes cannot be stored")

PROBLEMS = (
    *(MALFORMED, NO_KEY, NO_SUCH_PATH, NOT_ALLOWED, TOO_SLOW, TOO_LARGE, NOT_JSON, NOT_ACCEPTED),
    *(RATE_LIMITED, FAILED, OVERLOADED, NOT_STORED),
)
"""All of them."""


class RequestError(msgspec.Struct, frozen=True):
    """One of several mistakes in a request, as in section 3 of RFC 9457."""

    pointer: Annotated[
        str,
        Meta(description="Place in the request: a JSON pointer, such as `#/users/0/events/3`."),
    ]
    detail: Annotated[str, Meta(description="What is wrong there.")]


class ProblemError(Exception):
    """A request that cannot be served.

    Args:
        problem: The kind of error.
        detail: What is wrong with this request, and what to do about it.
        headers: Further headers of the reply.
        errors: The single mistakes in the body of the request.

    Attributes:
        reply: The reply.
    """

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *headers: tuple[str, str],
        errors: Sequence[RequestError] = (),
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        body: dict[str, Any] = {
            "type": problem.type,
            "title": problem.title,
            "status": problem.status,
            "detail": detail,
        }
        if errors:
            body["errors"] = errors
        content_type = ("content-type", "application/problem+json")
        no_store = ("cache-control", "no-store")
        all_headers = [content_type, no_store, *headers]
        self.reply = Reply(problem.status, all_headers, msgspec.json.encode(body))
