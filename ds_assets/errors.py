"""Mistakes of the people who use this software, told without a traceback.

Belongs here: the one error type that a command line or an asset shows as a plain sentence.
"""

import re
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

_PASSWORD = re.compile(r"://[^/]*@")


class InputError(Exception):
    """A mistake in a file, a setting or a request; the message says what to do about it."""


def describe_mistakes(
    where: str, error: ValidationError, rename: Callable[[str], str] = str
) -> str:
    """All mistakes that a validation found, a line each: the key, what was found, what is accepted.

    Args:
        where: What was validated, to open the message.
        error: What the validation raised.
        rename: Turns a key of the model into the name that its user knows.
    """
    mistakes = error.errors(include_url=False)
    head = f"{where} has {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}:"
    return "\n".join([head, *(f"  - {_describe(mistake, rename)}" for mistake in mistakes)])


def _describe(mistake: Any, rename: Callable[[str], str]) -> str:
    key = rename(".".join(str(part) for part in mistake["loc"])) or "the whole"
    accepted = str(mistake["msg"]).removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    if mistake["type"] == "missing":
        return f"{key}: missing, and needed"
    if not mistake["loc"]:
        return accepted
    return f"{key}: found {_shortened(mistake['input'])}; {accepted}"


def _shortened(value: object, limit: int = 80) -> str:
    text = _PASSWORD.sub("://…@", repr(value))
    return text if len(text) <= limit else f"{text[:limit]}…"
