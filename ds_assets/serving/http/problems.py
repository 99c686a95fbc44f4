"""Errors as problem details (RFC 9457), each with what to do about it.

Belongs here: every problem that a caller can meet, declared once; the documentation comes from it.
"""

from dataclasses import dataclass

import msgspec

Headers = list[tuple[str, str]]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A whole answer over HTTP."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error.

    Attributes:
        name: Its name, in the address that stands as its type.
        status: Status code.
        title: What is wrong, the same each time.
    """

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """Where the kind of error is explained."""
        return f"/docs#{self.name}"


MALFORMED = Problem("malformed", 400, "The request cannot be read")
NO_KEY = Problem("no-key", 401, "A valid API key is needed")
NO_SUCH_PATH = Problem("no-such-path", 404, "There is no such path")
NOT_ALLOWED = Problem("not-allowed", 405, "The path does not take this method")
TOO_SLOW = Problem("too-slow", 408, "The request did not arrive in time")
TOO_LARGE = Problem("too-large", 413, "The request is too large")
NOT_JSON = Problem("not-json", 415, "The body must be JSON")
NOT_ACCEPTED = Problem("not-accepted", 422, "The request asks for something impossible")
TOO_OFTEN = Problem("too-often", 429, "The API key is used too often")
FAILED = Problem("failed", 500, "The service failed")
OVERLOADED = Problem("overloaded", 503, "The service has too much to do")

PROBLEMS = (
    *(MALFORMED, NO_KEY, NO_SUCH_PATH, NOT_ALLOWED, TOO_SLOW, TOO_LARGE, NOT_JSON, NOT_ACCEPTED),
    *(TOO_OFTEN, FAILED, OVERLOADED),
)
"""All of them."""


class Refusal(Exception):
    """A request that gets a problem for its answer.

    Args:
        problem: Its kind.
        detail: What is wrong with this request, and what to do.
        headers: More headers of the answer.
    """

    def __init__(self, problem: Problem, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(detail)
        self.problem = problem
        body = {
            "type": problem.type,
            "title": problem.title,
            "status": problem.status,
            "detail": detail,
        }
        kind = ("content-type", "application/problem+json")
        keep = ("cache-control", "no-store")
        self.reply = Reply(problem.status, [kind, keep, *headers], msgspec.json.encode(body))
