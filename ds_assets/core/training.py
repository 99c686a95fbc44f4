"""Churn and payment models: boosted trees, trained on matured snapshots, judged out of time.

Belongs here: which snapshots may train and which may judge, how much data is enough, the learner,
and its ONNX file. The rule of this file: a label is used only once its window is over, and a model
is never judged by a day that it, or its labels, have seen.
Does not belong here: features and labels themselves, and where models lie.
"""

import datetime as dt
import warnings
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.encoding import (
    USER_ID,
    Encoding,
    encode,
    fit_encoding,
)
from ds_assets.core.evaluation import Target, measure, recency_scores
from ds_assets.core.model_card import (
    Evaluation,
    ModelCard,
    library_versions,
    sha256_of,
    version_of,
)

MIN_TRAINING_USERS = 50
"""Users of each outcome. Fewer cannot fill two leaves of trees that ask for 20 rows a leaf."""
MIN_JUDGING_USERS = 20
"""Users of each outcome. With fewer, the interval of the AUC is wider than from useless to good."""
MIN_LEAF_ROWS = 20
LEAF_SHARE = 200
"""A leaf holds at least one in so many rows: snapshots repeat their users, so that rows are fewer
independent facts than they seem."""
FEW_ROWS = 100_000
"""Below, threads save little, and on a busy machine wait for each other longer than they work."""

HYPER_PARAMETERS: dict[str, bool | int | float] = {
    "learning_rate": 0.05,
    "max_iter": 120,
    "max_leaf_nodes": 12,
    "max_depth": 5,
    "l2_regularization": 5.0,
    "max_features": 0.5,
    # its validation rows would be drawn at random, from the same users and days as the others
    "early_stopping": False,
}
"""Many small, slow, regularised trees: out of time they beat larger and faster ones on few users,
lose nothing on many, and cost little to run and to explain."""

_OPSET = {"": 18, "ai.onnx.ml": 3}
_NOUNS: dict[Target, tuple[str, str]] = {
    "churn": ("users who left", "users who stayed"),
    "payment": ("users who paid", "users who did not pay"),
}


@dataclass(frozen=True)
class LabelledSnapshot:
    """Features of a day and what happened afterwards.

    Attributes:
        day: Day of the features.
        features: Features frame, one row a user.
        labels: One boolean a user of the features, indexed by user_id.
        matured_on: Day at whose end the labels were known: end of the label window, and grace.
    """

    day: dt.date
    features: pd.DataFrame
    labels: pd.Series
    matured_on: dt.date


@dataclass(frozen=True)
class TrainedModel:
    """A card and, where there was enough data, the model as ONNX."""

    card: ModelCard
    onnx: bytes | None


def train(  # each is a fact that the card states
    target: Target,
    as_of: dt.date,
    snapshots: Iterable[LabelledSnapshot],
    *,
    horizon: int,
    missing: Iterable[dt.date] = (),
    seed: int = 0,
) -> TrainedModel:
    """Judge a model on the latest snapshot, then train it again on all of them.

    The judged model sees only snapshots whose label windows were over on the day of the snapshot
    that it is judged by: what was known on that day, as it will be known on `as_of`.

    Args:
        target: What the labels say.
        as_of: Training day.
        snapshots: Matured snapshots, in any order.
        horizon: Length of the label window, in days.
        missing: Snapshots that were wanted and not there, for the card.
        seed: Makes training repeatable.

    Returns:
        The card, and the model where there was enough data to train and to judge it: a model that
        nobody can judge is not delivered.

    Raises:
        ValueError: a snapshot has not matured on `as_of`, is there twice, or has labels of other
            users than its features.
        InputError: the snapshots' features do not fit together.
    """
    ordered = [_sorted_by_user(one) for one in sorted(snapshots, key=lambda one: one.day)]
    _refuse_wrong_days(ordered, horizon, as_of)
    rows = _training_rows(ordered)
    reasons = _lacks(target, ordered)
    evaluation = onnx = None
    if not reasons:
        evaluation = _judge(target, ordered, seed)
        onnx = _as_onnx(_fit(rows, seed))
    card = _card(ordered, rows, target=target, as_of=as_of, horizon=horizon, seed=seed)
    card = card.model_copy(
        update={
            "state": "not_enough_data" if reasons else "ready",
            "reasons": tuple(reasons),
            "missing_snapshots": tuple(sorted(missing)),
            "evaluation": evaluation,
            "onnx_sha256": None if onnx is None else sha256_of([onnx]),
        }
    )
    return TrainedModel(card, onnx)


def judging_split(
    snapshots: Sequence[LabelledSnapshot],
) -> tuple[list[LabelledSnapshot], LabelledSnapshot]:
    """The snapshots that may train the judged model, and the latest one, which judges it.

    Args:
        snapshots: At least one, ascending by day.
    """
    latest = snapshots[-1]
    return [one for one in snapshots if one.matured_on <= latest.day], latest


@dataclass(frozen=True)
class _TrainingRows:
    encoding: Encoding
    matrix: NDArray[np.float32]
    labels: NDArray[np.bool_]


def _sorted_by_user(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    """The same snapshot with rows in the order of user ids, labels beside them."""
    features = snapshot.features.sort_values(USER_ID, ignore_index=True)
    users, labels = features[USER_ID], snapshot.labels
    if not users.is_unique or not labels.index.is_unique or set(users) != set(labels.index):
        raise ValueError(
            f"snapshot {snapshot.day} needs one row and one label for each of its users; "
            f"found {len(users)} rows and {len(labels)} labels"
        )
    aligned = labels.reindex(pd.Index(users)).astype(bool)
    return LabelledSnapshot(snapshot.day, features, aligned, snapshot.matured_on)


def _refuse_wrong_days(snapshots: Sequence[LabelledSnapshot], horizon: int, as_of: dt.date) -> None:
    for one in snapshots:
        if one.matured_on > as_of:
            raise ValueError(
                f"labels of snapshot {one.day} mature on {one.matured_on}, after the training "
                f"day {as_of}; they cannot be used"
            )
        if one.matured_on < one.day + dt.timedelta(days=horizon):
            raise ValueError(
                f"labels of snapshot {one.day} cannot have matured on {one.matured_on}: "
                f"their horizon is {horizon} days"
            )
    if len({one.day for one in snapshots}) < len(snapshots):
        raise ValueError("each snapshot can be given once")


def _training_rows(snapshots: Sequence[LabelledSnapshot]) -> _TrainingRows:
    if not snapshots:
        nothing = np.empty((0, 0), dtype=np.float32)
        return _TrainingRows(Encoding(features=()), nothing, np.empty(0, dtype=bool))
    encoding = fit_encoding([one.features for one in snapshots])
    matrix = np.concatenate([encode(one.features, encoding) for one in snapshots])
    return _TrainingRows(encoding, matrix, np.concatenate([_outcomes(one) for one in snapshots]))


def _outcomes(snapshot: LabelledSnapshot) -> NDArray[np.bool_]:
    return snapshot.labels.to_numpy(dtype=bool)


def _lacks(target: Target, snapshots: Sequence[LabelledSnapshot]) -> list[str]:
    """What is missing for a model that can be trained and judged, in words."""
    if len(snapshots) < 2:  # noqa: PLR2004  # one to train on, one to judge by
        found = f"{len(snapshots)} matured snapshots, 2 are needed"
        return [f"{found}: one to train on and a later one to judge by"]
    earlier, latest = judging_split(snapshots)
    if not earlier:
        needed = latest.day - (latest.matured_on - latest.day)
        unjudged = (
            f"no snapshot whose labels were known on {latest.day}, day of the judging snapshot"
        )
        return [
            *_lacking(target, snapshots, "the training snapshots", MIN_TRAINING_USERS),
            f"{unjudged}; one of {needed} or before is needed",
        ]
    until = f"the training snapshots up to {earlier[-1].day}"
    return [
        *_lacking(target, earlier, until, MIN_TRAINING_USERS),
        *_lacking(target, [latest], f"the judging snapshot {latest.day}", MIN_JUDGING_USERS),
    ]


def _lacking(
    target: Target, snapshots: Sequence[LabelledSnapshot], where: str, needed: int
) -> list[str]:
    found = zip(_NOUNS[target], _users_of_each_outcome(snapshots), strict=True)
    return [
        f"{count} {noun} in {where}, {needed} are needed" for noun, count in found if count < needed
    ]


def _users_of_each_outcome(snapshots: Sequence[LabelledSnapshot]) -> tuple[int, int]:
    """Users, not rows: the same user leaving in seven snapshots teaches little more than in one."""
    positive: set[str] = set()
    negative: set[str] = set()
    for one in snapshots:
        positive.update(one.labels.index[one.labels])
        negative.update(one.labels.index[~one.labels])
    return len(positive), len(negative)


def _judge(target: Target, snapshots: Sequence[LabelledSnapshot], seed: int) -> Evaluation:
    earlier, latest = judging_split(snapshots)
    rows = _training_rows(earlier)
    model = _fit(rows, seed)
    labels = _outcomes(latest)
    matrix = encode(latest.features, rows.encoding)
    with _few_threads(len(labels)):
        probabilities = model.predict_proba(matrix)[:, 1]
    return Evaluation(
        snapshot=latest.day,
        trained_on=tuple(one.day for one in earlier),
        rows=len(labels),
        base_rate=float(labels.mean()),
        measures=measure(labels, probabilities, recency_scores(target, latest.features), seed),
    )


def _hyper_parameters(rows: int) -> dict[str, bool | int | float]:
    return {**HYPER_PARAMETERS, "min_samples_leaf": max(MIN_LEAF_ROWS, rows // LEAF_SHARE)}


def _fit(rows: _TrainingRows, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  # slow to import

    learner = HistGradientBoostingClassifier(
        **_hyper_parameters(len(rows.labels)), random_state=seed
    )
    with _few_threads(len(rows.labels)):
        return learner.fit(_without_empty_columns(rows.matrix), rows.labels)


def _few_threads(rows: int) -> AbstractContextManager[object]:
    """One thread for few rows, else all there are; the same trees come of any number."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    limits: AbstractContextManager[object] = threadpool_limits(1 if rows < FEW_ROWS else None)
    return limits


def _without_empty_columns(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """A column without any value made constant: no tree splits there, and binning needs a value."""
    empty = np.isnan(matrix).all(axis=0)
    return np.where(empty, np.float32(0), matrix) if empty.any() else matrix


def _as_onnx(model: Any) -> bytes:
    """The model as ONNX: input X (rows, features) float32, outputs label and probabilities."""
    from skl2onnx import to_onnx  # noqa: PLC0415  # slow to import

    example = np.zeros((1, model.n_features_in_), dtype=np.float32)
    with warnings.catch_warnings():
        # the converter writes False for a leaf's 0, which protobuf takes, with a warning, below 7
        warnings.filterwarnings("ignore", ".*Expected an int, got a boolean", DeprecationWarning)
        converted = to_onnx(
            model, example, options={"zipmap": False}, target_opset=_OPSET, name="boosted_trees"
        )
    return bytes(converted.SerializeToString(deterministic=True))


def _card(  # each is a fact that the card states
    snapshots: Sequence[LabelledSnapshot],
    rows: _TrainingRows,
    *,
    target: Target,
    as_of: dt.date,
    horizon: int,
    seed: int,
) -> ModelCard:
    """The card as far as it is known before training."""
    made_from: dict[str, Any] = {
        "target": target,
        "as_of": as_of,
        "horizon": horizon,
        "seed": seed,
        "hyper_parameters": _hyper_parameters(len(rows.labels)),
        "data_fingerprint": _fingerprint(snapshots, rows),
        "libraries": library_versions(),
    }
    return ModelCard(
        **made_from,
        version=version_of(**made_from),
        state="not_enough_data",
        reasons=(),
        encoding=rows.encoding,
        snapshots=tuple(one.day for one in snapshots),
        missing_snapshots=(),
        rows=len(rows.labels),
        positives=int(rows.labels.sum()),
        base_rate=float(rows.labels.mean()) if len(rows.labels) else None,
        evaluation=None,
        onnx_sha256=None,
    )


def _fingerprint(snapshots: Sequence[LabelledSnapshot], rows: _TrainingRows) -> str:
    sizes = ",".join(f"{one.day}:{len(one.labels)}" for one in snapshots)
    columns = rows.encoding.model_dump_json()
    return sha256_of([sizes.encode(), columns.encode(), rows.matrix.data, rows.labels.data])
