"""Why a model predicts what it does for a user: the strongest reasons, as codes and in words.

Features of one topic are said together: five windows of events move a prediction together. Topics
of one family, such as active days, sessions and the trend, are one reason, because a model splits
what it learns between them as it happens, and one of them may even push against the others. The
reason has their summed effect, and the words of the topic that contributes most to it and does not
say the opposite. The topic of each feature is declared in `feature_catalog`.

Scope: summing effects by topic, choosing the strongest, and writing them as JSON. How much each
feature moves a prediction is computed in `tree_shap`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ds_assets.core.encoding import Encoding, FeatureType
from ds_assets.core.engagement import Engagement
from ds_assets.core.feature_columns import FeatureColumn, Topic
from ds_assets.core.topics import MEMBERSHIPS, undeclared_topic
from ds_assets.core.wording import Number

MAX_REASONS = 3

_MAX_LETTERS = 60
"""Of an attribute's value: reasons are read at a glance, and stored for every user."""
_LARGEST = float(np.finfo(np.float32).max)
_ROUND_FROM = 1e15
"""Larger numbers are rounded to three digits."""
_MIN_ROWS_TO_GROUP = 64
"""With fewer rows, finding equal ones takes longer than writing each one."""
_FEW_USERS = 8
"""So many are faster one by one than together."""


@dataclass(frozen=True)
class ReasonPlan:
    """How the reasons of a model are given; to make it takes longer than to use it for a user.

    Attributes:
        reasons: All reasons that the model can have, by code.
        grouping: Sums values of features to those of reasons: sparse, shape (reasons, features).
        families: Places of the reasons of each family, of which one is given.
        family_sums: Sums values of reasons to those of families: sparse, shape (families, reasons).
        family_of: Family of each reason, shape (reasons,).
        engagement: See `plan_reasons`.
    """

    reasons: Sequence["_Reason"]
    grouping: Any
    families: Sequence[Sequence[int]]
    family_sums: Any
    family_of: NDArray[np.intp]
    engagement: Literal[1, 0, -1]


def plan_reasons(
    encoding: Encoding, declared: Iterable[FeatureColumn], engagement: Literal[1, 0, -1]
) -> ReasonPlan:
    """Plan the reasons of a model.

    Args:
        encoding: Features of the model.
        engagement: Whether what the model predicts is likelier for engaged users (1) or less likely
            (-1), by which words that say the opposite of their effect are left out; 0: neither.
        declared: The game's features. Any other feature of the model, which the game declared when
            the model was trained, is a reason of its own under its plain name.
    """
    columns = {feature.name: feature for feature in declared}
    topics = [topic_of(name, columns) for name in encoding.names]
    codes = sorted({topic.code for topic in topics})
    members: dict[str, list[str]] = {code: [] for code in codes}
    for name, topic in zip(encoding.names, topics, strict=True):
        members[topic.code].append(name)
    by_code = {topic.code: topic for topic in topics}
    types = dict(encoding.types)
    reasons = [
        _reason(by_code[code], [columns[name] for name in members[code] if name in columns], types)
        for code in codes
    ]
    grouping = _sums([codes.index(topic.code) for topic in topics], len(codes), np.float32)
    families = pd.Index([by_code[code].family or f"topic {code}" for code in codes])
    family_of, names = families.factorize()
    members_of = [np.flatnonzero(family_of == number).tolist() for number in range(len(names))]
    family_sums = _sums(family_of, len(names), np.float64)
    return ReasonPlan(reasons, grouping, members_of, family_sums, family_of, engagement)


def _sums(group_of: Sequence[int] | NDArray[np.intp], groups: int, kind: type) -> Any:
    """A sparse matrix that sums values by group, shape (groups, values)."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # slow to import

    places = np.arange(len(group_of))
    return csr_array((np.ones(len(places), kind), (group_of, places)), (groups, len(places)))


def topic_of(name: str, declared: Mapping[str, FeatureColumn]) -> Topic:
    """What a feature is about; every name has a topic.

    Args:
        name: The feature.
        declared: The game's features by name.
    """
    if name in declared:
        return declared[name].topic
    return MEMBERSHIPS.get(name) or undeclared_topic(name)


def reasons_of_frame(
    features: pd.DataFrame, plan: ReasonPlan, values: NDArray[np.floating[Any]]
) -> pa.StringArray:
    """The strongest reasons of each prediction.

    An effect is the sum of the SHAP values of the features of a reason's family, rounded. Effects
    are ordered by absolute size, equal ones by code; an effect that rounds to zero is no reason.

    Args:
        features: Features frame, one row per user.
        plan: Reasons of the model.
        values: What `shap_values` returned, shape (rows, features).

    Returns:
        A JSON text per row: a list of at most `MAX_REASONS` objects, each with `code`; `effect` in
        log-odds, above zero where it makes the predicted event more likely; `values`, the user's
        values that the words show, null where missing; and `words`.
    """
    rows = np.arange(len(features))
    chosen, effects = _strongest(
        _effects(plan, values, lambda shown: _column(features, shown, rows))
    )
    none = effects == 0
    pieces = [
        _taken(*_heads(plan.reasons, chosen, none)),
        _taken(*_each(_effect, [effects.ravel()])),
        _taken(*_rests(features, plan.reasons, chosen, none)),
    ]
    size = len(features)
    ranked = [piece[rank * size :][:size] for rank in range(len(chosen)) for piece in pieces]
    return pc.binary_join_element_wise(pa.repeat("[", size), *ranked, "]", "")


def reasons_of_users(
    users: Sequence[Mapping[str, Any]], plan: ReasonPlan, values: NDArray[np.floating[Any]]
) -> list[str]:
    """The same texts as `reasons_of_frame`, user by user: for a few, a frame would take longer.

    Args:
        users: Each user's values of the model's features: a number, a text, or None.
        plan: Reasons of the model.
        values: What `shap_values` returned, shape (users, features).
    """
    strongest = _strongest_of_each if len(users) <= _FEW_USERS else _strongest_of_all
    chosen = strongest(users, plan, values)
    return [_json_of_user(user, own) for user, own in zip(users, chosen, strict=True)]


def _strongest_of_all(
    users: Sequence[Mapping[str, Any]], plan: ReasonPlan, values: NDArray[np.floating[Any]]
) -> Iterator[list[tuple["_Reason", float]]]:
    """The strongest reasons of each user, each with its effect; an effect of zero is none."""
    effects = _effects(
        plan,
        values,
        lambda shown: np.array([_value(user, shown) for user in users], dtype=np.float64),
    )
    ranked = (-np.abs(effects)).argsort(axis=0, kind="stable")[:MAX_REASONS]
    for places, own in zip(ranked.T.tolist(), effects.T.tolist(), strict=True):
        yield [(plan.reasons[place], own[place]) for place in places if own[place]]


def _strongest_of_each(
    users: Sequence[Mapping[str, Any]], plan: ReasonPlan, values: NDArray[np.floating[Any]]
) -> Iterator[list[tuple["_Reason", float]]]:
    """The same, user by user."""
    totals, sizes = _totals_and_sizes(plan, values)
    for user, *own in zip(users, totals.T.tolist(), sizes.T.tolist(), strict=True):
        yield _strongest_of_user(user, plan, *own)


def _strongest_of_user(
    user: Mapping[str, Any], plan: ReasonPlan, totals: list[float], sizes: list[float]
) -> list[tuple["_Reason", float]]:
    """The same of one user.

    To find out whether words contradict an effect takes longest: only those that may be given are
    asked.
    """
    given: list[tuple[float, int]] = []
    for family in sorted(range(len(totals)), key=lambda number: -abs(totals[number])):
        total, members = totals[family], plan.families[family]
        if len(given) >= MAX_REASONS and -abs(total) > given[-1][0]:
            break
        likely = sorted((it for it in members if sizes[it] > 0), key=lambda it: -sizes[it])
        place = next((it for it in likely if not _contradicts_user(user, plan, it, total)), None)
        if place is not None:
            given.append((-abs(total), place))
    strongest = (place for _, place in sorted(given)[:MAX_REASONS])
    return [(plan.reasons[place], totals[plan.family_of[place]]) for place in strongest]


def _contradicts_user(user: Mapping[str, Any], plan: ReasonPlan, place: int, effect: float) -> bool:
    read = partial(_values_of_user, user)
    contradicts = _contradicts(plan.reasons[place], np.array([effect]), plan.engagement, read)
    return bool(contradicts[0])


def _values_of_user(user: Mapping[str, Any], shown: "_ShownValue") -> NDArray[np.float64]:
    return np.array([_value(user, shown)], dtype=np.float64)


def _totals_and_sizes(
    plan: ReasonPlan, values: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The effect of each family, rounded, and how much each reason adds to that of its own.

    Args:
        plan: Reasons of the model.
        values: SHAP values, shape (rows, features).

    Returns:
        Shapes (families, rows) and (reasons, rows).
    """
    topics = (plan.grouping @ values.T).astype(np.float64)
    totals = np.round(plan.family_sums @ topics, 2)
    # Rounded, so that the batch and single users choose the same of equal ones.
    return totals, np.round(topics * np.sign(totals)[plan.family_of], 6)


def _effects(
    plan: ReasonPlan,
    values: NDArray[np.floating[Any]],
    read: Callable[["_ShownValue"], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """The effect of each family at the place of the reason that is given for it.

    Args:
        plan: Reasons of the model.
        values: SHAP values, shape (rows, features).
        read: Returns the values that words show.

    Returns:
        Shape (reasons, rows); 0 for a reason that is not given.
    """
    totals, sizes = _totals_and_sizes(plan, values)
    effects, rows = np.zeros(sizes.shape), np.arange(sizes.shape[1])
    for total, members in zip(totals, plan.families, strict=True):
        own = sizes[members]
        for place, size in zip(members, own, strict=True):
            size[_contradicts(plan.reasons[place], total, plan.engagement, read)] = 0
        best = own.argmax(axis=0)
        is_given = own[best, rows] > 0
        effects[np.array(members)[best], rows] = np.where(is_given, total, 0)
    return effects


def _contradicts(
    reason: "_Reason",
    effects: NDArray[np.float64],
    engagement: int,
    read: Callable[["_ShownValue"], NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """For which rows a reason's words say the opposite of an effect."""
    if reason.engagement is None or not engagement:
        return np.zeros(len(effects), dtype=np.bool_)
    directions = reason.engagement(*map(read, reason.shown))
    return directions * engagement * effects < 0


class _ShownValue(NamedTuple):
    """A value that words show; without a feature, that of one which the model does not use."""

    feature: str | None
    is_text: bool
    decimals: int


class _Reason(NamedTuple):
    code: str
    shown: tuple[_ShownValue, ...]
    words: Callable[..., str]
    engagement: Engagement | None


def _reason(
    topic: Topic, members: Sequence[FeatureColumn], types: Mapping[str, FeatureType]
) -> _Reason:
    """How a topic is given as a reason.

    Args:
        topic: The topic.
        members: Those of its features that the model uses and the game declares.
        types: Type of each feature of the model.
    """
    phrase = topic.phrase(members)
    shown = (
        _ShownValue(name if name in types else None, types.get(name) == "text", decimals)
        for name, decimals in phrase.shown
    )
    return _Reason(topic.code, tuple(shown), phrase.words, phrase.engagement)


def _strongest(
    effects: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places and sizes of the strongest effects, each of shape (ranks, rows); size 0 is no effect.

    Args:
        effects: Effects of all reasons, shape (reasons, rows).
    """
    left, rows = np.abs(effects), np.arange(effects.shape[1])
    chosen = np.empty((min(MAX_REASONS, len(effects)), len(rows)), dtype=np.intp)
    sizes = np.empty(chosen.shape)
    for rank, places in enumerate(chosen):
        left.argmax(axis=0, out=places)  # the first of equal ones, and codes ascend
        sizes[rank] = np.where(left[places, rows] > 0, effects[places, rows], 0)
        left[places, rows] = 0
    return chosen, sizes


def _taken(texts: Sequence[str], places: NDArray[np.intp]) -> pa.StringArray:
    return pa.array(texts, pa.string()).take(pa.array(places.ravel()))


def _heads(
    reasons: Sequence[_Reason], chosen: NDArray[np.intp], none: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.intp]]:
    """Beginnings of the chosen reasons' JSON: different texts, and which of them each one is."""
    codes = [f'{{"code":{_as_json(reason.code)},"effect":' for reason in reasons]
    places = chosen.copy()
    places[1:] += len(codes)
    places[none] = 2 * len(codes)
    return [*codes, *("," + code for code in codes), ""], places


def _rests(
    features: pd.DataFrame,
    reasons: Sequence[_Reason],
    chosen: NDArray[np.intp],
    none: NDArray[np.bool_],
) -> tuple[list[str], NDArray[np.intp]]:
    """Ends of the chosen reasons' JSON, from `values` on, in the same way."""
    texts, places = [""], np.zeros(chosen.shape, dtype=np.intp)
    for number in np.unique(chosen[~none]).tolist():
        ranks, rows = np.nonzero((chosen == number) & ~none)
        reason = reasons[number]
        columns = [_column(features, value, rows) for value in reason.shown]
        own, place = _each(partial(_values_and_words, reason.words), columns)
        places[ranks, rows] = place + len(texts)
        texts += own
    return texts, places


def _column(features: pd.DataFrame, shown: _ShownValue, rows: NDArray[np.intp]) -> NDArray[Any]:
    """Values of some rows as words show them; NaN or None where missing."""
    if shown.feature is None:
        return np.full(len(rows), np.nan)
    column = features[shown.feature].array
    if shown.is_text:
        texts = np.array(column[rows], dtype=object)
        texts[pd.isna(texts)] = None
        return texts
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)[rows]
    clipped = np.clip(numbers, -_LARGEST, _LARGEST)
    return np.where(np.isfinite(numbers), np.round(clipped, shown.decimals), np.nan)


def _json_of_user(user: Mapping[str, Any], strongest: Iterable[tuple[_Reason, float]]) -> str:
    """The JSON of one user's reasons."""
    objects = []
    for reason, effect in strongest:
        rest = _values_and_words(reason.words, *(_value(user, name) for name in reason.shown))
        objects.append(f'{{"code":{_as_json(reason.code)},"effect":{effect!r}{rest}')
    return f"[{','.join(objects)}]"


def _value(user: Mapping[str, Any], shown: _ShownValue) -> float | str | None:
    """A user's value as words show it: what `_column` gives for many."""
    value = None if shown.feature is None else user[shown.feature]
    if value is None or shown.is_text:
        return value
    number = float(value)
    if not isfinite(number):
        return None
    scale = 10.0**shown.decimals
    return round(min(max(number, -_LARGEST), _LARGEST) * scale) / scale


def _each(
    write: Callable[..., str], columns: Sequence[NDArray[Any]]
) -> tuple[list[str], NDArray[np.intp]]:
    """Write equal rows of the columns once: the texts, and which of them each row has."""
    places = np.arange(len(columns[0]))
    first = places
    if len(places) >= _MIN_ROWS_TO_GROUP:
        codes = np.zeros(len(places), dtype=np.int64)
        for column in columns:
            own, different = pd.factorize(column)  # -1 where missing
            codes = pd.factorize(codes * (len(different) + 1) + own + 1)[0]
        first = np.empty(codes.max() + 1, dtype=np.intp)
        first[codes[::-1]] = places[::-1]
        places = codes
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    return [write(*row) for row in rows], places


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _effect(effect: float) -> str:
    return repr(effect) if effect else ""


def _values_and_words(words: Callable[..., str], *values: object) -> str:
    """The end of a reason's JSON."""
    plain = [_plain(value) for value in values]
    listed = ",".join(_json_of(value) for value in plain)
    return f',"values":[{listed}],"words":{_as_json(words(*plain))}}}'


def _json_of(value: Number | str) -> str:
    if value is None:
        return "null"
    return _as_json(value) if isinstance(value, str) else repr(value)


def _plain(value: Any) -> Number | str:
    """A value as JSON takes it: text shortened, and whole numbers without a point."""
    if value is None or value != value:  # noqa: PLR0124  # only NaN is not itself
        return None
    if isinstance(value, float):
        if abs(value) >= _ROUND_FROM:
            return float(f"{value:.2e}")
        return int(value) if value.is_integer() else value
    text = str(value).encode(errors="replace").decode()  # half of a character pair is none
    return text if len(text) <= _MAX_LETTERS else text[: _MAX_LETTERS - 1] + "…"
