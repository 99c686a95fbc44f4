"""Online inference: a day's models applied to a few users at request time, without a data frame.

Making a frame of one row takes milliseconds, while the models take microseconds. Here a user is a
mapping, and the result is the same row of `PREDICTIONS` that `batch.py` makes.

Scope: reading and encoding users one by one, and predicting for them.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from operator import attrgetter
from types import NoneType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ds_assets.closed_days import NO_CLOSED_DAYS, Closed
from ds_assets.core.attribute_texts import shorten
from ds_assets.core.encoding import (
    CLUSTER,
    FLOAT32_MAX,
    USER_GROUP,
    USER_ID,
    Encoding,
    Feature,
    FeatureType,
    as_float32,
    is_missing,
    mismatch_of,
)
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.data.populations import PURCHASE_AGO, is_in_population
from ds_assets.core.models.inference.batch import (
    AGO,
    DayModels,
    TargetModel,
    TargetPredictions,
    last_seen,
    predict_with_early,
    target_columns,
)
from ds_assets.core.models.inference.onnx_model import (
    Groups,
    Model,
    PredictionModel,
    amounts_of_rows,
    predict_days_left,
    predict_spend,
    probabilities_of,
    shap_values_of,
)
from ds_assets.core.models.inference.reasons import ReasonPlan, plan_reasons, reasons_of_users
from ds_assets.core.models.learning.early_model import FEATURES
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import (
    BUILT_IN,
    EXPECTED_SPEND,
    SPEND_HIGH,
    SPEND_LOW,
    Target,
    engagement_of,
)
from ds_assets.core.user_groups import NO_GROUPS, group_start
from ds_assets.core.user_targets import TARGETS
from ds_assets.errors import InputError

User = Mapping[str, Any]
"""What is known of a user: `user_id`, and a value for each feature, None where it is missing."""

Record = dict[str, Any]
"""Values by the names of `PREDICTIONS`' columns, and `targets` if the game has its own."""

Matrix = NDArray[np.float32]

_NUMBERS, _TEXTS = {float, int, bool, NoneType}, {str, NoneType}
"""Types that need no second look."""
_REAL = (float, int, Real, np.bool_)
"""Types of numbers, those first that are looked up in an instant."""


class _Loaded(NamedTuple):
    """A model, its columns of the matrix of all models, and its reasons."""

    model: Any
    places: NDArray[np.intp]
    reasons: ReasonPlan


class OnlineScorer:
    """Scores users with the models of a day. Threads may share it.

    Args:
        models: The models.
        declared: The game's features, for the words of the reasons.
        targets: The game's own targets.
        closed_days: The game's closed days, which features do not count.

    Attributes:
        models: The models.
        features: What has to be known of a user.
    """

    def __init__(
        self,
        models: DayModels,
        declared: Iterable[FeatureColumn],
        targets: Iterable[Target] = (),
        closed_days: Closed = NO_CLOSED_DAYS,
    ) -> None:
        self.models, self._declared = models, tuple(declared)
        self._closed_days = closed_days
        self._own_targets = sorted(targets, key=attrgetter("name"))
        loaded = _models_in_use(models, (*BUILT_IN, *self._own_targets))
        used = [model for model in (models.clusters, *loaded.values()) if model is not None]
        encodings = [model.card.encoding for model in used]
        groups = {models.user_groups, *(model.card.user_groups for model in loaded.values())}
        self._early = _early_models_in_use(models, (*BUILT_IN, *self._own_targets))
        self.features = _list_features(encodings, groups, self._own_targets, bool(self._early))
        self._layout = _Layout(self.features, encodings)
        self._clusters = None if models.clusters is None else self._load(models.clusters)
        self._targets = {
            name: self._load(model, engagement_of(model.card.target, model.card.definition))
            for name, model in loaded.items()
        }
        self._same_for_all, self._cluster_names = models.same_for_all, models.cluster_names
        for model in loaded.values():
            _ = model.trees  # worked out now, and not while the first user waits for reasons

    def _load(self, model: Model[Any], engagement: Literal[1, 0, -1] = 0) -> _Loaded:
        encoding = model.card.encoding
        plan = plan_reasons(encoding, self._declared, engagement)
        return _Loaded(model, self._layout.places(encoding), plan)

    def score(
        self, users: Sequence[User], *, reasons: bool, as_of: dt.date | None = None
    ) -> list[Record]:
        """What the models say of users.

        Args:
            users: What is known of each; more than `features` does not matter.
            reasons: Whether to tell reasons; without, they are None.
            as_of: Day of what is known of them; none: the models' day.

        Returns:
            A row of `PREDICTIONS` for each user, in their order, with `targets` if the game has
            targets of its own.

        Raises:
            InputError: a feature is missing or has the wrong type; the message names all of them.
        """
        rows = self._rows(users)
        nothing = [None] * len(users)
        predicted = {
            name: _predict_target(model, rows, reasons) for name, model in self._targets.items()
        }
        predicted |= _predict_early(self._early, rows.users)
        day = as_of or self.models.as_of
        same = self._same_for_all | {"as_of": day}
        columns: dict[str, Iterable[Any]] = {
            **{name: [value] * len(users) for name, value in same.items()},
            "last_seen": last_seen(
                (_number(user.get(AGO)) for user in users), day, self._closed_days
            ),
            USER_ID: [user.get(USER_ID) for user in users],
            **{n: nothing if c is None else c for n, c in target_columns(predicted).items()},
            CLUSTER: rows.clusters,
            "cluster_name": [None if n is None else self._cluster_names[n] for n in rows.clusters],
            USER_GROUP: rows.groups(self.models.user_groups),
        }
        names = PREDICTIONS.names
        if self._own_targets:
            columns[TARGETS] = self._targets_of(rows.users, predicted)
            names = [*names, TARGETS]
        values = zip(*(columns[name] for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in values]

    def _targets_of(
        self, users: Sequence[User], predicted: Mapping[str, TargetPredictions]
    ) -> Iterator[list[dict[str, Any]]]:
        """For each user, what is predicted for the targets whose population the user belongs to."""
        same = {
            target.name: {
                "missing": self.models.missing(target),
                "model": self.models.version(target),
            }
            for target in self._own_targets
        }
        for place, user in enumerate(users):
            yield [
                {
                    "target": target.name,
                    "probability": _value_at(predicted, target, "probabilities", place),
                    "reasons": _value_at(predicted, target, "reasons", place),
                    EXPECTED_SPEND: _value_at(predicted, target, "amounts", place),
                    SPEND_LOW: _value_at(predicted, target, "spend_lows", place),
                    SPEND_HIGH: _value_at(predicted, target, "spend_highs", place),
                    **same[target.name],
                }
                for target in self._own_targets
                if is_in_population(user, target.population)
            ]

    def _rows(self, users: Sequence[User]) -> "_Rows":
        plain_users, matrix = self._layout.read(users)
        clusters = [None] * len(users)
        if self._clusters is not None:
            own = matrix.take(self._clusters.places, axis=1)
            clusters = self._clusters.model.session.run(["cluster"], {"X": own})[0].tolist()
        self._layout.add_clusters(matrix, clusters)
        return _Rows(plain_users, matrix, clusters)


@dataclass(frozen=True)
class _Rows:
    """Users, their rows of the matrix of all models, and their clusters."""

    users: Sequence[User]
    matrix: Matrix
    clusters: Sequence[int | None]

    @cached_property
    def with_clusters(self) -> Sequence[User]:
        """Users with the feature that their cluster is."""
        pairs = zip(self.users, self.clusters, strict=True)
        return [{**user, CLUSTER: cluster} for user, cluster in pairs]

    def groups(self, by: str) -> Groups:
        """What `with_user_groups` says of each."""
        if by == NO_GROUPS:
            return [None] * len(self.users)
        start, column = group_start(by)
        values = self.clusters if column == CLUSTER else [user[column] for user in self.users]
        return [None if value is None else f"{start}{shorten(str(value))}" for value in values]


def _predict_target(loaded: _Loaded, rows: _Rows, with_reasons: bool) -> TargetPredictions:
    model: PredictionModel = loaded.model
    matrix = rows.matrix.take(loaded.places, axis=1)
    groups = rows.groups(model.card.user_groups) if model.groups else ()
    predicted, amounts = probabilities_of(model, matrix, groups), amounts_of_rows(model, matrix)
    spend = predict_spend(model, predicted, amounts)
    amounts_and_ends = (None if values is None else values.tolist() for values in spend)
    reasons = _reasons(loaded, matrix, groups, rows) if with_reasons else None
    days_left = _whole_numbers(predict_days_left(model, predicted))
    by_user = TargetPredictions(predicted.tolist(), reasons, *amounts_and_ends)
    return by_user._replace(days_left=days_left)


def _predict_early(
    models: Mapping[str, TargetModel], users: Sequence[User]
) -> dict[str, TargetPredictions]:
    """What early models say of users, by target."""
    if not models:
        return {}
    values = {name: np.array([_number(user[name]) for user in users]) for name in FEATURES}
    return {
        name: TargetPredictions(*map(_without_nan, predict_with_early(model, values)))
        for name, model in models.items()
    }


def _without_nan(values: Floats | None) -> list[float | None] | None:
    if values is None:
        return None
    return [None if math.isnan(value) else value for value in values.tolist()]


def _whole_numbers(values: Floats | None) -> list[int | None] | None:
    if values is None:
        return None
    return [None if math.isnan(value) else int(value) for value in values.tolist()]


def _reasons(loaded: _Loaded, matrix: Matrix, groups: Groups, rows: _Rows) -> list[str]:
    values = shap_values_of(loaded.model, matrix, groups)
    return reasons_of_users(rows.with_clusters, loaded.reasons, values)


def _models_in_use(models: DayModels, targets: Iterable[Target]) -> dict[str, PredictionModel]:
    """The models of targets as they are defined, by the target's name."""
    target_models = {target.name: models.of(target) for target in targets}
    return {
        name: own.model
        for name, own in target_models.items()
        if own is not None and own.model is not None
    }


def _early_models_in_use(models: DayModels, targets: Iterable[Target]) -> dict[str, TargetModel]:
    """The targets with an early model, by name."""
    early_models = {target.name: models.of(target) for target in targets}
    return {
        name: own for name, own in early_models.items() if own is not None and own.early is not None
    }


def _value_at(
    predicted: Mapping[str, TargetPredictions], target: Target, what: str, place: int
) -> Any:
    column = getattr(predicted.get(target.name), what, None)
    return None if column is None else column[place]


def _list_features(
    encodings: Iterable[Encoding],
    groups: Iterable[str],
    targets: Iterable[Target],
    has_early_models: bool,
) -> tuple[Feature, ...]:
    """Name and type of what has to be known of a user, each once."""
    types: dict[tuple[str, FeatureType], None] = {
        (feature.name, feature.type): None
        for encoding in encodings
        for feature in encoding.features
    }
    types |= {(group_start(by)[1], "text"): None for by in groups if by != NO_GROUPS}
    if any(target.population != "all" for target in targets):
        types[PURCHASE_AGO, "number"] = None
    if has_early_models:
        types |= {(name, "number"): None for name in FEATURES}
    return tuple(Feature(name=name, type=kind) for name, kind in types if name != CLUSTER)


class _Layout:
    """The matrix of all models: each number once, and a column for each way of coding a category.

    Args:
        features: What has to be known of a user.
        encodings: Those of the models.
    """

    def __init__(self, features: Sequence[Feature], encodings: Sequence[Encoding]) -> None:
        self._features = features
        self._numbers = [feature.name for feature in features if feature.type == "number"]
        self._texts = [feature.name for feature in features if feature.type == "text"]
        columns: dict[str | Feature, int] = {name: n for n, name in enumerate(self._numbers)}
        for feature in (feature for encoding in encodings for feature in encoding.features):
            if feature.type != "number":
                columns.setdefault(feature, len(columns))
        self._columns = columns
        self._codes = [
            (place, feature, {text: rank for rank, text in enumerate(feature.categories)})
            for feature, place in columns.items()
            if isinstance(feature, Feature)
        ]

    def places(self, encoding: Encoding) -> NDArray[np.intp]:
        """Columns of a model, in its order."""
        keys = (
            feature.name if feature.type == "number" else feature for feature in encoding.features
        )
        return np.array([self._columns[key] for key in keys], dtype=np.intp)

    def read(self, users: Sequence[User]) -> tuple[Sequence[User], Matrix]:
        """Users as plain values, and encoded, without what needs their cluster.

        Raises:
            InputError: a feature is missing or has the wrong type; the message names all of them.
        """
        plain_users, numbers = users, self._plain_numbers(users)
        if numbers is None:
            plain_users = self._convert(users)
            numbers = np.array(self._values(plain_users, self._numbers), dtype=np.float64)
        matrix = np.full((len(users), len(self._columns)), np.nan, dtype=np.float32)
        shape = len(users), len(self._numbers)
        matrix[:, : len(self._numbers)] = as_float32(numbers.reshape(shape))
        for place, feature, codes in self._codes:
            if feature.name != CLUSTER:
                values = (user[feature.name] for user in plain_users)
                matrix[:, place] = _encode_texts(values, feature, codes)
        return plain_users, matrix

    def add_clusters(self, matrix: Matrix, clusters: Sequence[int | None]) -> None:
        """Fill in what needs the clusters of the rows."""
        for place, feature, codes in self._codes:
            if feature.name == CLUSTER:
                texts = (None if cluster is None else str(cluster) for cluster in clusters)
                matrix[:, place] = _encode_texts(texts, feature, codes)

    def _plain_numbers(self, users: Sequence[User]) -> NDArray[np.float64] | None:
        """Numbers of all users in a row; None where a value of theirs needs a second look."""
        try:
            numbers, texts = (self._values(users, of) for of in (self._numbers, self._texts))
            if _NUMBERS.issuperset(map(type, numbers)) and _TEXTS.issuperset(map(type, texts)):
                return np.array(numbers, dtype=np.float64)
        except (KeyError, OverflowError):  # the latter of a whole number that is beyond all others
            pass
        return None

    @staticmethod
    def _values(users: Sequence[User], names: Sequence[str]) -> list[Any]:
        """Values of the first user, then of the next, and so on."""
        return [user[name] for user in users for name in names]

    def _convert(self, users: Sequence[User]) -> Sequence[User]:
        """Users of which every value is plain, after a second look at all of them."""
        problems: dict[str, list[int]] = defaultdict(list)
        for row, user in enumerate(users, start=1):
            for feature in self._features:
                if (problem := mismatch_of(user, feature)) is not None:
                    problems[f"{feature.name}: {problem}"].append(row)
        if problems:
            raise InputError(_describe_problems(problems, len(users)))
        return [
            {
                **user,
                **{
                    feature.name: _plain(user[feature.name], feature.type)
                    for feature in self._features
                },
            }
            for user in users
        ]


def _encode_texts(
    texts: Iterable[str | None], feature: Feature, codes: Mapping[str, int]
) -> list[float]:
    other = feature.other_code
    return [np.nan if text is None else codes.get(text, other) for text in texts]


def _plain(value: Any, kind: FeatureType) -> float | str | None:
    if is_missing(value):
        return None
    if kind == "text":
        return str(value)
    try:
        return float(value)
    except OverflowError:
        return FLOAT32_MAX if value > 0 else -FLOAT32_MAX


def _describe_problems(problems: Mapping[str, Sequence[int]], users: int) -> str:
    listed = "\n".join(
        f"  - {problem}{_describe_rows(rows, users)}" for problem, rows in problems.items()
    )
    return f"the features do not fit in {len(problems)} of their columns:\n{listed}"


def _describe_rows(rows: Sequence[int], users: int) -> str:
    if users == 1:
        return ""
    more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return f" (user {rows[0]:,}{more})"


def _number(value: object) -> float:
    return float(value) if isinstance(value, _REAL) else math.nan
