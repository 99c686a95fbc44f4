"""Where a value stands in a log line: paths, and values that are made from several fields.

Scope: the syntax and its mistakes. How a path is followed in a file is in `infra.engines`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any, NoReturn

_QUOTED = r'"(?:[^"]|"")+"'
_NAME = re.compile(rf"{_QUOTED}|[^.\"\[\]'\\\n]+")
_NAME_IN_TEXT = re.compile(rf"{_QUOTED}|[^.\"\[\]()'\\\n]+")
_KEY = re.compile(rf"{_QUOTED}|[^\"\[\]()'\\\n]+")
_TEXT = "json("


@dataclass(frozen=True)
class Member:
    """The field of an object, by its name."""

    name: str


@dataclass(frozen=True)
class Entry:
    """The value of a key, in a list of keys and values, of schemas and data, or in a map."""

    key: str


@dataclass(frozen=True)
class JsonText:
    """The JSON that a text holds."""


Step = Member | Entry | JsonText


@dataclass(frozen=True)
class Joined:
    """The texts of several fields, joined by colons; fields without a value are left out."""

    joined: tuple[str, ...]


@dataclass(frozen=True)
class Constant:
    """The same text in every line."""

    constant: str


@dataclass(frozen=True)
class Product:
    """The product of two number fields; no value if one of them has none."""

    product: tuple[str, str]


Paths = str | tuple[str, ...]
"""A path, or paths in order: the first one with a value counts."""


@dataclass(frozen=True)
class Divided:
    """A number divided by another one, as amounts in cents or micros are; no value without it."""

    field: Paths | Product
    divided_by: float


Source = Paths | Joined | Constant | Product | Divided


@cache
def parse_path(path: str) -> tuple[Step, ...]:
    """Parse the path of a value.

    A path is a name, or `json(PATH)`, followed by any number of `.NAME` and `[KEY]`. A name or key
    in double quotes may contain anything, a double quote twice.

    Raises:
        ValueError: the path is wrong; the message is for the author of the game file.
    """
    steps, rest = _parse(path, _NAME)
    if rest:
        raise _mistake(rest)
    return steps


def _parse(path: str, names: re.Pattern[str]) -> tuple[tuple[Step, ...], str]:
    """Parse the beginning of a path. Returns its steps and the text after it."""
    if path.startswith(_TEXT):
        inner, rest = _parse(path.removeprefix(_TEXT), _NAME_IN_TEXT)
        if not rest.startswith((").", ")[")):
            raise ValueError("name a field of the text, as in json(payload).level")
        steps: tuple[Step, ...] = (*inner, JsonText())
        rest = rest.removeprefix(")")
    else:
        name, rest = _take_name(path, names)
        steps = (Member(name),)
    while rest.startswith((".", "[")):
        name, after = _take_name(rest[1:], _KEY if rest.startswith("[") else names)
        if rest.startswith("."):
            step: Step = Member(name)
        elif after.startswith("]"):
            step, after = Entry(name), after.removeprefix("]")
        else:
            raise ValueError("close the bracket after the key, as in event_params[level]")
        steps, rest = (*steps, step), after
    return steps, rest


def _take_name(text: str, names: re.Pattern[str]) -> tuple[str, str]:
    match = names.match(text)
    if match is None:
        raise _mistake(text)
    name = match[0]
    if name.startswith('"'):
        name = name[1:-1].replace('""', '"')
    return name, text[match.end() :]


def quote_name(name: str) -> str:
    """Write a name, or a key, so that it is one step of a path."""
    if _NAME_IN_TEXT.fullmatch(name) and '"' not in name:
        return name
    return '"' + name.replace('"', '""') + '"'


def _mistake(rest: str) -> ValueError:
    """What is wrong where a name or the end of the path was expected."""
    if not rest or rest[0] in ".]":
        return ValueError("use a field name, or names joined by dots for a nested field")
    return ValueError(
        "put a name with quotes, brackets, backslashes or line ends into double quotes as a whole, "
        'as in "user[id]".name'
    )


def first_names(path: str) -> tuple[str, ...]:
    """The names with which a path begins, before any key or text that holds JSON."""
    names: list[str] = []
    for step in parse_path(path):
        if not isinstance(step, Member):
            break
        names.append(step.name)
    return tuple(names)


def later_steps(path: str) -> tuple[Step, ...]:
    """The steps of a path after its first names."""
    return parse_path(path)[len(first_names(path)) :]


def paths_of(source: Source) -> tuple[str, ...]:
    """The paths from which a value is made."""
    match source:
        case str():
            return (source,)
        case Joined(joined=paths) | Product(product=paths):
            return paths
        case Divided(field=field):
            return paths_of(field)
        case Constant():
            return ()
        case _:
            return source


def is_plain(source: Source) -> bool:
    """Whether a value is that of one field, which is named without keys and texts of JSON."""
    return isinstance(source, str) and not later_steps(source)


def read_paths(value: object) -> Paths:
    """Validate one path or a list of paths.

    Raises:
        ValueError: with a message for the author of the game file.
    """
    if isinstance(value, str):
        parse_path(value)
        return value
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("use a field name, or a list of names in the order of preference")
    return tuple(_read_each(value))


def read_event_type(value: object) -> Source:
    """Validate where the type of an event is from: paths, `{joined: […]}` or `{constant: …}`."""
    if isinstance(value, Joined | Constant):
        return value
    if not isinstance(value, dict):
        return read_paths(value)
    match value:
        case {"joined": list() | tuple() as paths, **others} if len(paths) > 1 and not others:
            return Joined(tuple(_read_each(paths)))
        case {"constant": str() as text, **others} if text and not others:
            return Constant(text)
    raise ValueError("use a field, {joined: [FIELD, FIELD]} or {constant: TYPE}")


def read_amount(value: object) -> Source:
    """Validate where an amount is from: paths, a product, or either of them divided by a number."""
    if isinstance(value, Divided):
        return value
    if isinstance(value, dict) and "divided_by" in value:
        return _read_divided(**value) if value.keys() == {"field", "divided_by"} else _no_amount()
    return _read_undivided(value)


def _read_undivided(value: object) -> Paths | Product:
    if isinstance(value, Product):
        return value
    if not isinstance(value, dict):
        return read_paths(value)
    match value:
        case {"product": [_, _] as paths, **others} if not others:
            left, right = _read_each(paths)
            return Product((left, right))
    return _no_amount()


def _read_divided(field: object, divided_by: object) -> Divided:
    if isinstance(divided_by, bool) or not isinstance(divided_by, int | float):
        _no_amount()
    if not 0 < divided_by < inf:
        raise ValueError("divided_by: use a number above 0, such as 100 for amounts in cents")
    return Divided(_read_undivided(field), divided_by)


def _no_amount() -> NoReturn:
    raise ValueError(
        "use a field, {product: [FIELD, FIELD]} for the product of two fields, or "
        "{field: FIELD, divided_by: 100}"
    )


def _read_each(paths: Sequence[Any]) -> Iterator[str]:
    for path in paths:
        if not isinstance(path, str):
            raise ValueError(f"{path!r} is not the name of a field")  # noqa: TRY004
        try:
            parse_path(path)
        except ValueError as error:
            raise ValueError(f"{path!r}: {error}") from None
        yield path


def describe_source(source: Source) -> str:
    """Name the fields of a value in words."""
    if isinstance(source, Divided):
        return describe_source(source.field)
    word = " and " if isinstance(source, Product) else " or "
    return word.join(paths_of(source))
