"""The text of a game file from guesses, with the evidence for each as a comment."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

import yaml

from ds_assets.onboarding.guess import Guess, printable

_WIDTH = 98
_DEFAULTS = """
# What follows has defaults; write a key to change it. The reference of this file lists all keys.
#
# horizons:
#   churn: 14          # days without activity after which a user has left
#   payment: 14        # days within which a user pays
# active_days: 28      # a user is active who was there in this many days
# windows: [1, 3, 7, 14, 28, 90]
# user_groups: clusters
"""


def write_game_text(name: str, guesses: Sequence[Guess], export: str | None) -> str:
    """Write a game file.

    Args:
        name: Name of the game.
        guesses: Its other keys.
        export: The export that the logs are recognized as.
    """
    source = f"recognized as an export of {export}" if export else "by names and values of fields"
    head = f"# What was read from logs, {source}. Look through it, and correct what is wrong."
    lines = [head, "", f"name: {_in_line(name)}"]
    section: tuple[str, ...] = ()
    for guess in guesses:
        *above, key = guess.key.split(".")
        lines += _begin(tuple(above), section)
        section = tuple(above)
        indent = "  " * len(above)
        lines += _comment(guess, indent)
        lines.append(f"{indent}{key}: {_in_line(guess.value)}")
    return "\n".join([*lines, _DEFAULTS])


def _begin(above: tuple[str, ...], before: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys above a key that are not those above the one before it."""
    if above[:1] != before[:1] or not above:
        yield ""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(above, before, strict=False))
    for depth in range(len([*same]), len(above)):
        yield f"{'  ' * depth}{above[depth]}:"


def _comment(guess: Guess, indent: str) -> Iterator[str]:
    text = guess.evidence if guess.is_certain else f"PLEASE CHECK: {guess.evidence}"
    start = f"{indent}# "
    yield from textwrap.wrap(printable(text), _WIDTH, initial_indent=start, subsequent_indent=start)


def _in_line(value: Any) -> str:
    """A value as YAML on one line."""
    text = _dump(value, allow_unicode=True)
    if yaml.safe_load(text) != value:  # as with line ends of Unicode, which are not escaped
        text = _dump(value, allow_unicode=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _dump(value: Any, *, allow_unicode: bool) -> str:
    return str(
        yaml.safe_dump(
            value,
            default_flow_style=True,
            allow_unicode=allow_unicode,
            sort_keys=False,
            width=1 << 20,
        )
    )
