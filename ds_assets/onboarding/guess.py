"""What is guessed: a value of the game file, and why."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SHOWN = 40
"""Characters of a value that is shown."""
_LEAST_LETTERS = 3
"""Letters of an abbreviation."""
_VOWELS = frozenset("aeiou")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Guess:
    """A value of the game file.

    Attributes:
        key: Key of the game file, with dots.
        value: Its value.
        evidence: Why it is that value, in words.
        is_certain: Whether nobody needs to look at it.
    """

    key: str
    value: Any
    evidence: str
    is_certain: bool = True


@dataclass(frozen=True)
class Question:
    """What the logs cannot tell.

    Attributes:
        key: Key of the game file that the answer is for.
        text: The question.
        default: The answer that is used if nobody is there to ask.
    """

    key: str
    text: str
    default: str


def show_values(values: Iterable[Any]) -> str:
    """Show some values of a log on a line."""
    return ", ".join(show_value(value) for value in values)


def show_value(value: Any) -> str:
    """Show a value of a log: short, and without what would control a terminal."""
    text = printable(str(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def printable(text: str) -> str:
    """Return a text with blanks in place of what would control a terminal, or end a line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain_name(text: str) -> str:
    """Return a text in lower case without accents, with underscores between its words."""
    return re.sub(r"[^a-z0-9]+", "_", _WORDS.sub("_", without_accents(text)).lower())


def without_accents(text: str) -> str:
    """Return a text with plain letters in place of those with accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def is_abbreviation(name: str, word: str) -> bool:
    """Whether a name is a word's beginning, or some of its letters without vowels, as `ctry`."""
    letters = iter(word)
    return (
        len(name) >= _LEAST_LETTERS
        and name[0] == word[0]
        and (word.startswith(name) or not _VOWELS & {*name[1:]})
        and all(letter in letters for letter in name)
    )
