"""Conditions of promotions: a small part of SQL, with the same meaning on every engine.

Scope: reading a condition and refusing what it may not say, and building it from the column
functions of an engine. The names that it may use are in `condition_names`.

A condition is parsed by sqlglot and limited to the nodes in `_RULES`; it is never passed on as
text. So that engines agree, numbers are doubles, NaN and the result of a division by zero are null,
texts are compared by their characters, and a condition that is null is not met.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from string import ascii_lowercase, ascii_uppercase
from typing import Any, NamedTuple, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from ds_assets.core.game_settings import FEATURES
from ds_assets.core.promotions.condition_names import Kind, StoredValue, find_names
from ds_assets.errors import InputError
from ds_assets.game import Game

MAX_DEPTH = 100
"""Levels of nested parts; engines build a query recursively."""
_ACCEPTED = (
    "a condition has and, or, not, comparisons, in, between, is null, + - * /, abs, coalesce and "
    "lower"
)
_TOO_DEEP = (
    f"it is nested more than {MAX_DEPTH} levels deep; write a list as in x in (1, 2, 3) in place "
    "of many comparisons"
)


class ConditionError(ValueError):
    """A condition that cannot be used; the message names the position and what is accepted."""


class _Row(NamedTuple):
    """What a condition is built from: an engine's column functions, and its columns by name."""

    f: Any
    columns: Mapping[str, Any]

    def number(self, value: float | str) -> Any:
        """A number as a double: DuckDB takes 0.1 for a decimal."""
        return self.f.lit(value).cast("double")

    def without_nan(self, column: Any) -> Any:
        """A column with null in place of NaN."""
        return self.f.nullif(column, self.number("NaN"))


@dataclass(frozen=True)
class _Part:
    """A part of a condition that has been checked.

    Attributes:
        kind: What its value is.
        build: Builds it as a column of an engine.
    """

    kind: Kind
    build: Callable[[_Row], Any]


@dataclass(frozen=True)
class Condition:
    """A condition that has been checked.

    Attributes:
        text: As it is written in the game file.
        names: The names that it uses, with where their values are stored.
        part: The whole of it.
    """

    text: str
    names: Mapping[str, StoredValue]
    part: _Part

    def build(self, f: Any, columns: Mapping[str, Any]) -> Any:
        """Build the condition as a column of an engine: true for users that meet it, else false.

        Args:
            f: The engine's column functions.
            columns: The engine's column of each name that the condition uses.
        """
        return f.coalesce(self.part.build(_Row(f, columns)), f.lit(False))


def read_condition(text: str, names: Mapping[str, StoredValue]) -> Condition:
    """Read a condition, and check it against the names that there are.

    Raises:
        ConditionError: it cannot be parsed, uses a name that does not exist, mixes types, or says
            more than a condition may.
    """
    try:
        tree = _parse(text)
        reader = _Reader(text, names)
        part = reader.expect("boolean", tree, "a condition")
    except RecursionError:
        raise ConditionError(_TOO_DEEP) from None
    return Condition(text, reader.names_used, part)


def read_conditions(game: Game, where: str = "game.yaml") -> dict[str, Condition]:
    """Read the condition of each promotion of a game that has one, by name of the promotion.

    Args:
        game: The game.
        where: The file that it is in, for messages.

    Raises:
        InputError: conditions cannot be used; the message has a line for each of them.
    """
    names = find_names(game) if game.promotions else {}
    conditions: dict[str, Condition] = {}
    mistakes: list[str] = []
    for name, promotion in game.promotions.items():
        if promotion.who is not None:
            try:
                conditions[name] = read_condition(promotion.who, names)
            except ConditionError as error:
                mistakes.append(f"  - promotions.{name}.who: found {promotion.who!r}; {error}")
    if mistakes:
        head = f"{where} has {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}:"
        raise InputError("\n".join([head, *mistakes]))
    return conditions


def _parse(text: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text)
    except ParseError as error:
        raise ConditionError(_describe_parse_error(error)) from None
    except SqlglotError as error:  # of single characters, such as a quote that does not end
        raise ConditionError(f"it cannot be read: {error}") from None


def _describe_parse_error(error: ParseError) -> str:
    details = error.errors[0] if error.errors else {}
    word, line = details.get("highlight") or "", details.get("line") or 1
    place = f"at position {(details.get('col') or 1) - max(len(word) - 1, 0)}"
    place = f"{place} of line {line}" if line > 1 else place
    return (
        f"it cannot be read {place}, {word!r}; {_ACCEPTED}; a text that is a word of SQL is in "
        "quotes, as in country in ('OR', 'AS')"
    )


class _Reader:
    """Turns the nodes of a parsed condition into parts, and refuses what does not fit.

    Attributes:
        names_used: The names that the condition uses, of those that there are.
    """

    def __init__(self, text: str, names: Mapping[str, StoredValue]) -> None:
        self.names_used: dict[str, StoredValue] = {}
        self._text = text
        self._names = names
        self._depth = 0

    def expect(self, kind: Kind, node: exp.Expr, user: str) -> _Part:
        """Read a node that has to be of a kind, for the part that uses it."""
        part = self.read(node)
        if part.kind != kind:
            self._refuse(node, f"is a {part.kind}; {user} needs a {kind}")
        return part

    def read(self, node: exp.Expr) -> _Part:
        """Read a node by its rule."""
        rule = _RULES.get(type(node))
        if rule is None:
            self._refuse(node, f"is not accepted; {_ACCEPTED}")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError(_TOO_DEEP)
        part = rule(self, node)
        self._depth -= 1
        return part

    def connect(self, node: exp.Connector) -> _Part:
        """`and` and `or`."""
        word, is_and = type(node).__name__.lower(), isinstance(node, exp.And)
        parts = [self.expect("boolean", it, word) for it in node.flatten(unnest=False)]
        return _Part(
            "boolean", lambda row: _combine([it.build(row) for it in parts], is_and=is_and)
        )

    def invert(self, node: exp.Not) -> _Part:
        """`not`."""
        part = self.expect("boolean", node.this, "not")
        return _Part("boolean", lambda row: ~part.build(row))

    def compare(self, node: exp.Binary) -> _Part:
        """`=`, `<>`, `<`, `<=`, `>` and `>=`."""
        word, operator = _COMPARISONS[type(node)]
        left, right = self._read_alike([node.left, node.right], word)
        return _Part("boolean", lambda row: operator(left.build(row), right.build(row)))

    def compute(self, node: exp.Binary) -> _Part:
        """`+`, `-`, `*` and `/`."""
        word, operator = _ARITHMETIC[type(node)]
        left, right = (self.expect("number", it, word) for it in (node.left, node.right))
        return _Part(
            "number", lambda row: row.without_nan(operator(row, left.build(row), right.build(row)))
        )

    def negate(self, node: exp.Neg) -> _Part:
        """`-` in front of a number."""
        part = self.expect("number", node.this, "-")
        return _Part("number", lambda row: -part.build(row))

    def absolute(self, node: exp.Abs) -> _Part:
        """`abs`."""
        part = self.expect("number", node.this, "abs")
        return _Part("number", lambda row: row.f.abs(part.build(row)))

    def lower(self, node: exp.Lower) -> _Part:
        """`lower`, of the letters A to Z: of others engines disagree."""
        part = self.expect("text", node.this, "lower")
        letters = (ascii_uppercase, ascii_lowercase)
        return _Part("text", lambda row: row.f.translate(part.build(row), *letters))

    def coalesce(self, node: exp.Coalesce) -> _Part:
        """`coalesce`: the first value that is not null."""
        parts = self._read_alike([node.this, *node.expressions], "coalesce")
        return _Part(parts[0].kind, lambda row: row.f.coalesce(*(it.build(row) for it in parts)))

    def between(self, node: exp.Between) -> _Part:
        """`between`."""
        ends = [node.args["low"], node.args["high"]]
        value, low, high = self._read_alike([node.this, *ends], "between")

        def build(row: _Row) -> Any:
            column = value.build(row)
            return (column >= low.build(row)) & (column <= high.build(row))

        return _Part("boolean", build)

    def find_in_list(self, node: exp.In) -> _Part:
        """`in`, with a list of values."""
        if not node.expressions:
            self._refuse(node, "has no list; write one as in country in (KR, JP)")
        value, *values = self._read_alike([node.this, *map(self._as_text, node.expressions)], "in")
        return _Part(
            "boolean", lambda row: value.build(row).isin(*(it.build(row) for it in values))
        )

    def find_null(self, node: exp.Is) -> _Part:
        """`is null`."""
        if not isinstance(node.expression, exp.Null):
            self._refuse(node, "is not accepted; only null comes after is")
        part = self.read(node.this)
        return _Part("boolean", lambda row: part.build(row).isNull())

    def name(self, node: exp.Column) -> _Part:
        """A name."""
        name = node.name
        if node.table or name not in self._names:
            self._refuse(node, self._describe_missing(name))
        stored = self.names_used[name] = self._names[name]
        if stored.kind != "number":
            return _Part(stored.kind, lambda row: row.columns[name])
        return _Part("number", lambda row: row.without_nan(row.columns[name].cast("double")))

    def literal(self, node: exp.Literal) -> _Part:
        """A text or a number."""
        text = str(node.this)
        if node.is_string:
            return _Part("text", lambda row: row.f.lit(text))
        number = float(text)
        if not math.isfinite(number):
            self._refuse(node, "is too large")
        return _Part("number", lambda row: row.number(number))

    def truth(self, node: exp.Boolean) -> _Part:
        """`true` or `false`."""
        value = bool(node.this)
        return _Part("boolean", lambda row: row.f.lit(value))

    def date(self, node: exp.Cast) -> _Part:
        """`date '2026-01-31'`."""
        if not (node.is_type("date") and node.this.is_string):
            self._refuse(node, f"is not accepted; {_ACCEPTED}")
        return self._read_date(node.this)

    def null(self, node: exp.Null) -> NoReturn:
        """`null` elsewhere than after `is`."""
        self._refuse(node, "is not a value; write x is null, or x is not null")

    def bracket(self, node: exp.Paren) -> _Part:
        """A part in brackets."""
        return self.read(node.this)

    def _read_alike(self, nodes: Sequence[exp.Expr], user: str) -> list[_Part]:
        """Read nodes that have to be of one kind; texts beside dates are read as dates."""
        parts = [self.read(node) for node in nodes]
        if parts[0].kind == "boolean":
            self._refuse(nodes[0], f"is a boolean; {user} needs a number, a text or a date")
        if any(part.kind == "date" for part in parts):
            parts = [
                self._read_date(node) if node.is_string else part
                for node, part in zip(nodes, parts, strict=True)
            ]
        for node, part in zip(nodes, parts, strict=True):
            if part.kind != parts[0].kind:
                self._refuse(node, f"is a {part.kind}; {user} needs a {parts[0].kind} here")
        return parts

    def _read_date(self, node: exp.Expr) -> _Part:
        try:
            day = dt.date.fromisoformat(node.this)
        except ValueError:
            self._refuse(node, "is not a date; write one as in '2026-01-31'")
        return _Part("date", lambda row: row.f.lit(day.isoformat()).cast("date"))

    def _as_text(self, node: exp.Expr) -> exp.Expr:
        """A word in a list as a text, unless there is a name like it."""
        if not isinstance(node, exp.Column) or node.table or node.name in self._names:
            return node
        text = exp.Literal.string(node.name)
        text.meta.update(node.this.meta)
        return text

    def _describe_missing(self, name: str) -> str:
        near = get_close_matches(name, self._names, 3)
        names = f"similar names are {', '.join(near)}" if near else self._describe_names()
        return f"is not a name; {names}; a text is in quotes, as in '{name}'"

    def _describe_names(self) -> str:
        """The names that there are, but of features only how many."""
        features = [
            name
            for name, stored in self._names.items()
            if stored.table == FEATURES and stored.column != f"last_{name}"
        ]
        listed = ", ".join(sorted(self._names.keys() - {*features}))
        return f"the names are {listed}, and {len(features)} features (docs/features.md)"

    def _refuse(self, node: exp.Expr, reason: str) -> NoReturn:
        places = [it.meta for it in node.walk() if "start" in it.meta]
        if not places:
            raise ConditionError(f"{node.sql()} {reason}")
        first, last = min(it["start"] for it in places), max(it["end"] for it in places)
        part = self._text[first : last + 1]
        raise ConditionError(f"{part} at position {first + 1} {reason}")


def _divide(row: _Row, left: Any, right: Any) -> Any:
    return left / row.f.nullif(right, row.number(0.0))


_COMPARISONS: Mapping[type[exp.Expr], tuple[str, Callable[[Any, Any], Any]]] = {
    exp.EQ: ("=", lambda left, right: left == right),
    exp.NEQ: ("<>", lambda left, right: left != right),
    exp.GT: (">", lambda left, right: left > right),
    exp.GTE: (">=", lambda left, right: left >= right),
    exp.LT: ("<", lambda left, right: left < right),
    exp.LTE: ("<=", lambda left, right: left <= right),
}
_ARITHMETIC: Mapping[type[exp.Expr], tuple[str, Callable[[_Row, Any, Any], Any]]] = {
    exp.Add: ("+", lambda _, left, right: left + right),
    exp.Sub: ("-", lambda _, left, right: left - right),
    exp.Mul: ("*", lambda _, left, right: left * right),
    exp.Div: ("/", _divide),
}
_RULES: Mapping[type[exp.Expr], Callable[[_Reader, Any], _Part]] = {
    exp.And: _Reader.connect,
    exp.Or: _Reader.connect,
    exp.Not: _Reader.invert,
    **dict.fromkeys(_COMPARISONS, _Reader.compare),
    **dict.fromkeys(_ARITHMETIC, _Reader.compute),
    exp.Neg: _Reader.negate,
    exp.Abs: _Reader.absolute,
    exp.Lower: _Reader.lower,
    exp.Coalesce: _Reader.coalesce,
    exp.Between: _Reader.between,
    exp.In: _Reader.find_in_list,
    exp.Is: _Reader.find_null,
    exp.Column: _Reader.name,
    exp.Literal: _Reader.literal,
    exp.Boolean: _Reader.truth,
    exp.Cast: _Reader.date,
    exp.Null: _Reader.null,
    exp.Paren: _Reader.bracket,
}
"""Everything that a condition may say."""


def _combine(columns: Sequence[Any], *, is_and: bool) -> Any:
    """Combine truth values pairwise, so that the result is not nested deeply."""
    if len(columns) == 1:
        return columns[0]
    half = len(columns) // 2
    left, right = (_combine(part, is_and=is_and) for part in (columns[:half], columns[half:]))
    return left & right if is_and else left | right
