"""User-facing errors: commands and assets show their message without a traceback."""

import datetime as dt
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

NEEDS_A_PERSON, INPUT_ERROR, UNAVAILABLE = 1, 2, 3
"""Exit codes of commands; that of a mistake in an option is 2 as well.

The first is that of a command that did its work, and leaves or shows something to decide.

A server that refuses the account, its password or its rights is available: a corrected setting
helps, repeating the command does not. So its error is an `InputError` for every server.
"""

_ADDRESS = re.compile(r"(?<=://).+|(?<=AccountKey=).+|(?<=SharedAccessSignature=).+", re.DOTALL)
"""The part of an address that may contain a password: everything after the scheme, and in a
connection string of Azure from the key on."""
_SCHEME = re.compile(r"[a-z][a-z0-9+]*://")
_ACCEPTED = {
    "extra_forbidden": "unknown key",
    "missing": "required",
    "dict_type": "must be keys with values",
    "frozen_set_type": "must be a list",
    "model_type": "must be keys with values",
    "too_short": "must have at least one entry",
    "tuple_type": "must be a list",
}
"""Replacements for messages of pydantic that are not in the words of the file's author."""


class InputError(Exception):
    """A mistake in a file, a setting or a request; the message says what to do about it."""


class Unavailable(Exception):
    """A server cannot be used at the moment; the message names it and its setting.

    The same call may succeed later, so it is worth retrying, which an `InputError` is not.
    """


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with one sentence and an exit code on an error made for users.

    Raises:
        SystemExit: the code is `INPUT_ERROR` or `UNAVAILABLE`.
    """
    try:
        yield
    except (InputError, Unavailable) as error:
        print(f"ds-assets: {error}", file=sys.stderr)  # noqa: T201  (what the user reads)
        sys.exit(INPUT_ERROR if isinstance(error, InputError) else UNAVAILABLE)


def describe_mistakes(
    where: str,
    error: "ValidationError",
    rename: Callable[[str], str] = str,
    secrets: Collection[str] = (),
) -> str:
    """Describe all mistakes, one line each: the key, what was found and what is accepted.

    Args:
        where: What was validated; the first words of the message.
        error: The validation error.
        rename: Turns a key of the model into the name that the user knows.
        secrets: Keys whose values must not be shown.
    """
    mistakes = error.errors(include_url=False)
    head = f"{where} has {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}:"
    lines = (f"  - {_describe(mistake, rename, secrets)}" for mistake in mistakes)
    return "\n".join([head, *lines])


def _describe(mistake: Any, rename: Callable[[str], str], secrets: Collection[str]) -> str:
    path = ".".join(str(part) for part in mistake["loc"])
    accepted = _ACCEPTED.get(mistake["type"], str(mistake["msg"]).removeprefix("Value error, "))
    if not path:
        return accepted
    if mistake["type"] in {"extra_forbidden", "missing"}:
        return f"{rename(path)}: {accepted}"
    show = _veil if path in secrets else _shorten
    return f"{rename(path)}: found {show(mistake['input'])}; {accepted}"


def _veil(value: object) -> str:
    scheme = _SCHEME.match(str(value))
    return f"{scheme[0]}…" if scheme else "a value that is not shown, as it may contain a password"


def _shorten(value: object, limit: int = 80) -> str:
    try:
        text = _ADDRESS.sub("…", str(value) if isinstance(value, dt.date) else repr(value))
    except (ValueError, RecursionError):  # too many digits, too deep
        return f"a value of type {type(value).__name__}, too large to show"
    return text if len(text) <= limit else f"{text[:limit]}…"
