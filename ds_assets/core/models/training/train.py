"""The model of a target: boosted trees, trained on matured snapshots, validated on later ones.

Scope: the procedure as a whole, from snapshots to a model's files and its card.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ds_assets.core.cards import library_versions, sha256_of, version_of
from ds_assets.core.encoding import Encoding
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import (
    AMOUNTS,
    CHOICE_PREFIX,
    GLOBAL,
    MODEL,
    VALIDATION_PREFIX,
    CalibrationCard,
    Decision,
    Evaluation,
    GroupCard,
    ModelCard,
)
from ds_assets.core.models.data.snapshots import FOLDS, LabelledSnapshot, in_order, sampled
from ds_assets.core.models.data.sufficiency import DataShortfall, enough_on, find_shortfalls
from ds_assets.core.models.data.training_rows import (
    NO_FEATURES,
    Rows,
    complete_windows,
    encoding_of,
    rows_of,
)
from ds_assets.core.models.evaluation.drift import distributions
from ds_assets.core.models.learning.calibration import HALF_LIFE, Calibration
from ds_assets.core.models.learning.learner import FittedClassifier, hyper_parameters
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets.core.models.learning.spend import (
    FittedAmounts,
    SpendCard,
    fit_amounts,
    validate_amounts,
)
from ds_assets.core.models.training.challenger import (
    Challenger,
    ValidatedFold,
    make_challenger,
)
from ds_assets.core.models.training.champion import (
    Champion,
    decide,
    leakage_reason,
    score_validation,
    seen_by,
    unfit,
)
from ds_assets.core.models.training.compare import (
    calibration_gain,
    evaluate,
    first_week,
    group_cards,
)
from ds_assets.core.models.training.early import early_contender
from ds_assets.core.models.training.group_models import (
    NO_EARLIER_SNAPSHOT,
    fit_group,
    fit_rows,
)
from ds_assets.core.models.training.survival import make_survival
from ds_assets.core.targets import Target

MAX_ROWS = 300_000
"""Training rows beyond which more of the same users teach next to nothing, and cost as much."""


@dataclass(frozen=True)
class TrainedModel:
    """A card and, where there was enough data, the model as ONNX, and further files by name."""

    card: ModelCard
    onnx: bytes | None
    parts: dict[str, bytes]


def train(
    target: Target,
    as_of: dt.date,
    snapshots: Iterable[LabelledSnapshot],
    *,
    missing: Iterable[dt.date] = (),
    champion: Champion | None = None,
    seed: int = 0,
) -> TrainedModel:
    """Validate a model on the latest snapshots, then train it again on all of them.

    A validation model sees only snapshots whose label windows were over on the day of its
    validation snapshot, as they were known on that day: what it would have seen then. Every choice
    is made on an earlier snapshot than the latest, which is therefore untouched.

    Args:
        target: What is predicted.
        as_of: Training day.
        snapshots: Matured snapshots, in any order; features with the column `user_group`.
        missing: Snapshots that should have been used but are not stored, for the card.
        champion: The model of the days before, which stays where the new one is worse beyond
            noise, or where there is not enough data for a new one.
        seed: Makes training repeatable.

    Returns:
        The card, and the model if there was enough data to train and validate it: a model that
        cannot be validated is not delivered.

    Raises:
        ValueError: a snapshot has not matured on `as_of`, is there twice, or has labels of other
            users than its features.
        InputError: the snapshots' features do not fit together, or the champion is damaged.
    """
    ordered = sampled(in_order(snapshots, target.horizon, as_of), MAX_ROWS)
    plan = _Plan(target, as_of, ordered, tuple(sorted(missing)), seed)
    lack = find_shortfalls(target, as_of, ordered)
    if lack:
        return _without_challenger(plan, lack, champion)
    challenger = make_challenger(ordered, seed, target.max_fit_rows)
    decision, champion_scores = _decide(challenger, champion, plan)
    if champion is not None and champion_scores is not None and decision.kept == "champion":
        return _keep_champion(champion, challenger, decision, champion_scores, plan)
    return _finish(challenger, decision, champion_scores, plan)


@dataclass(frozen=True)
class _Plan:
    """What a model is made from, snapshots ascending."""

    target: Target
    as_of: dt.date
    snapshots: list[LabelledSnapshot]
    missing: tuple[dt.date, ...]
    seed: int


def _decide(
    challenger: Challenger, champion: Champion | None, plan: _Plan
) -> tuple[Decision, Floats | None]:
    """Which model is delivered, and what the champion predicts for the users of the latest fold.

    They are compared on the snapshot on which every choice is made, so that the latest one measures
    whichever is kept.
    """
    if champion is None:
        return _replace(None, "there is no champion of the days before"), None
    version = champion.card.version
    latest = challenger.validated[0].fold.validation
    fault = unfit(champion, plan.target, latest.features) or leakage_reason(champion, latest)
    if fault is not None:
        return _replace(version, fault), None
    champion_scores = score_validation(champion, latest)
    chosen = challenger.choices.fold
    if chosen is None:
        return _replace(version, NO_EARLIER_SNAPSHOT), champion_scores
    fault = leakage_reason(champion, chosen.fold.validation)
    if fault is not None:
        return _replace(version, fault), champion_scores
    return decide(
        version,
        chosen.validation.labels,
        chosen.probabilities,
        score_validation(champion, chosen.fold.validation),
        plan.seed,
    ), champion_scores


def _replace(champion: str | None, reason: str) -> Decision:
    """Deliver the challenger without a comparison."""
    return Decision(kept="challenger", champion=champion, difference=None, reason=reason)


def _without_challenger(
    plan: _Plan, lack: Sequence[DataShortfall], champion: Champion | None
) -> TrainedModel:
    """Yesterday's model where there is one, else only the card that says what is missing."""
    words = tuple(shortfall.words for shortfall in lack)
    features = plan.snapshots[-1].features if plan.snapshots else None
    if champion is not None and unfit(champion, plan.target, features) is None:
        reason = f"there is not enough data for a challenger: {'; '.join(words)}"
        version = champion.card.version
        decision = Decision(kept="champion", champion=version, difference=None, reason=reason)
        return _deliver_again(champion, decision, champion.card.folds, plan)
    rows = _rows(plan.snapshots)
    facts = {"reasons": words, "enough_on": enough_on(lack)}
    return TrainedModel(
        _make_blank_card(plan, plan.snapshots, rows).model_copy(update=facts), None, {}
    )


def _keep_champion(
    champion: Champion,
    challenger: Challenger,
    decision: Decision,
    champion_scores: Floats,
    plan: _Plan,
) -> TrainedModel:
    """Yesterday's model, validated on today's latest snapshot."""
    latest = challenger.validated[0]
    others = {"challenger": latest.probabilities} | _early(latest, plan)
    fold = evaluate(latest, plan.target, champion_scores, others, plan.seed)
    own = {name: contender for name, contender in fold.contenders.items() if name != GLOBAL}
    saw = seen_by(champion, latest.fold.validation)
    fold = fold.model_copy(update={"trained_on": saw, "contenders": own})
    before = (
        evaluation for evaluation in champion.card.folds if evaluation.snapshot != fold.snapshot
    )
    evaluations = sorted([fold, *before], key=lambda evaluation: evaluation.snapshot, reverse=True)
    return _deliver_again(champion, decision, tuple(evaluations[:FOLDS]), plan)


def _deliver_again(
    champion: Champion, decision: Decision, folds: tuple[Evaluation, ...], plan: _Plan
) -> TrainedModel:
    facts = {
        "as_of": plan.as_of,
        "reasons": (),
        "missing_snapshots": plan.missing,
        "decision": decision,
        "folds": folds,
    }
    card = champion.card.model_copy(update=facts)
    return TrainedModel(card, champion.files.onnx, dict(champion.files.parts))


def _finish(
    challenger: Challenger, decision: Decision, champion_scores: Floats | None, plan: _Plan
) -> TrainedModel:
    """The challenger, trained again on all snapshots that it remembers."""
    choices = challenger.choices
    memory = choices.memory.snapshots
    latest = plan.snapshots if memory is None else plan.snapshots[-memory:]
    kept = [snapshot.scale_windows(plan.as_of) for snapshot in latest]
    rows = _rows(kept)
    groups = _with_files(group_cards(challenger, rows.rows, plan.seed))
    share, limit = choices.mixture.linear_share, plan.target.max_fit_rows
    whole = fit_rows(rows.rows, share, plan.seed, limit, challenger.slope)
    onnx, parts = classifier_onnx(whole), _files(challenger, groups, whole, rows.rows, plan)
    amounts = fit_amounts(rows.rows, plan.seed)
    spend = None if amounts is None else _spend(challenger, amounts, plan.seed)
    if amounts is not None and spend is not None:
        parts[AMOUNTS] = as_onnx(amounts.trees.learner)
    survival = make_survival(
        plan.target, plan.as_of, plan.snapshots, whole, rows.encoding, challenger
    )
    facts = {
        "state": "ready",
        "twin_trained": challenger.validated[0].fold.validation.day,
        "folds": _evaluations(challenger, champion_scores, plan),
        "first_week": first_week(challenger.validated[0], plan.seed),
        "chosen_on": None if choices.fold is None else choices.fold.fold.validation.day,
        "memory": choices.memory,
        "mixture": choices.mixture,
        "groups": groups,
        "calibration": _calibration(challenger, whole.line, plan.seed),
        "decision": decision,
        "spend": spend,
        "survival": survival,
        "distributions": distributions(rows.rows.matrix, rows.encoding, complete_windows(kept)),
        "onnx_sha256": sha256_of([onnx]),
        "parts": {name: sha256_of([parts[name]]) for name in sorted(parts)},
    }
    return TrainedModel(_make_blank_card(plan, kept, rows).model_copy(update=facts), onnx, parts)


def _files(
    challenger: Challenger,
    groups: Sequence[GroupCard],
    whole: FittedClassifier,
    rows: Rows,
    plan: _Plan,
) -> dict[str, bytes]:
    """By file, group models and the models of earlier days."""
    earlier = {VALIDATION_PREFIX: challenger.validated[0], CHOICE_PREFIX: challenger.choices.fold}
    parts = {
        f"{prefix}{name}": file
        for prefix, validated in earlier.items()
        if validated is not None
        for name, file in _earlier_files(validated, groups).items()
    }
    for card in groups:
        if card.file is not None:
            own = rows.of_group(card.group)
            own_share = challenger.choices.contest.winners[card.group].own_share
            fitted = fit_group(
                own, whole, own_share, plan.seed, plan.target.max_fit_rows, challenger.slope
            )
            parts[card.file] = classifier_onnx(fitted)
    return parts


def _calibration(challenger: Challenger, line: Calibration, seed: int) -> CalibrationCard:
    """What the calibration of the delivered model comes from."""
    fold, latest = challenger.choices.fold, challenger.validated[0].fold.validation.day
    return CalibrationCard(
        line=line,
        gain=None if fold is None else calibration_gain(fold, seed),
        reason=(
            f"the slope is that of the validation snapshot {latest}, the mean that of the training "
            "snapshots, each of which counts half of the next one"
        ),
    )


def _earlier_files(validated: ValidatedFold, groups: Sequence[GroupCard]) -> dict[str, bytes]:
    """The models of a fold as ONNX, by the name of the delivered model's file."""
    models = {MODEL: validated.ensemble.whole} | {
        card.file: validated.ensemble.groups[card.group]
        for card in groups
        if card.file is not None and card.group in validated.ensemble.groups
    }
    return {name: classifier_onnx(model) for name, model in models.items()}


def _with_files(cards: Sequence[GroupCard]) -> tuple[GroupCard, ...]:
    """A file for each group whose own model answers for it."""
    return tuple(
        card.model_copy(update={"file": f"group_{number}.onnx"}) if card.model == "group" else card
        for number, card in enumerate(cards, start=1)
    )


def _evaluations(
    challenger: Challenger, champion_scores: Floats | None, plan: _Plan
) -> tuple[Evaluation, ...]:
    """Evaluate every fold; the champion only on the latest, as it has seen the earlier ones."""
    others = {} if champion_scores is None else {"champion": champion_scores}
    others |= _early(challenger.validated[0], plan)
    return tuple(
        evaluate(fold, plan.target, fold.probabilities, {} if number else others, plan.seed)
        for number, fold in enumerate(challenger.validated)
    )


def _early(latest: ValidatedFold, plan: _Plan) -> dict[str, Floats]:
    return early_contender(plan.target, latest.fold.validation.features)


def _spend(challenger: Challenger, delivered: FittedAmounts, seed: int) -> SpendCard | None:
    """How good amounts are on the latest fold; None where its payers are too few.

    Args:
        challenger: The validated folds.
        delivered: The amounts that are delivered, which the card describes.
        seed: Makes training and intervals repeatable.
    """
    latest = challenger.validated[0]
    amounts = fit_amounts(latest.training, seed)
    if amounts is None:
        return None
    card = validate_amounts(amounts, latest.validation, latest.probabilities, seed)
    facts = {
        "payers": delivered.payers,
        "cap": delivered.cap,
        "factor": delivered.factor,
        "spread": delivered.spread,
        "snapshot": latest.fold.validation.day,
    }
    return card.model_copy(update=facts)


@dataclass(frozen=True)
class _Encoded:
    encoding: Encoding
    rows: Rows


def _rows(snapshots: Sequence[LabelledSnapshot]) -> _Encoded:
    if not snapshots:
        nothing = Rows(
            np.empty((0, 0), np.float32),
            np.empty(0, bool),
            np.empty(0, object),
            None,
            np.empty(0, np.intp),
        )
        return _Encoded(NO_FEATURES, nothing)
    encoding = encoding_of(snapshots)
    return _Encoded(encoding, rows_of(snapshots, encoding))


def _make_blank_card(plan: _Plan, kept: Sequence[LabelledSnapshot], encoded: _Encoded) -> ModelCard:
    """The card as far as it is known before anything is learnt."""
    rows = encoded.rows
    all_rows = encoded if len(kept) == len(plan.snapshots) else _rows(plan.snapshots)
    made_from: dict[str, Any] = {
        "target": plan.target.name,
        "as_of": plan.as_of,
        "horizon": plan.target.horizon,
        "user_groups": plan.target.user_groups,
        "seed": plan.seed,
        "hyper_parameters": {
            **hyper_parameters(_fit_rows(plan, len(rows.labels))),
            "level_half_life": HALF_LIFE,
        },
        "data_fingerprint": _fingerprint(plan.snapshots, all_rows),
        "libraries": library_versions(),
    }
    return ModelCard(
        **made_from,
        definition=plan.target.definition,
        version=version_of(**made_from, **_definition(plan)),
        state="not_enough_data",
        reasons=(),
        encoding=encoded.encoding,
        trained=plan.as_of,
        snapshots=tuple(snapshot.day for snapshot in kept),
        missing_snapshots=plan.missing,
        rows=len(rows.labels),
        positives=int(rows.labels.sum()),
        base_rate=float(rows.labels.mean()) if len(rows.labels) else None,
        onnx_sha256=None,
    )


def _definition(plan: _Plan) -> dict[str, str]:
    """What sets a custom target apart; nothing for a built-in one, whose versions stay the same."""
    return {} if plan.target.definition is None else {"definition": plan.target.definition}


def _fit_rows(plan: _Plan, rows: int) -> int:
    limit = plan.target.max_fit_rows
    return rows if limit is None else min(rows, limit)


def _fingerprint(snapshots: Sequence[LabelledSnapshot], encoded: _Encoded) -> str:
    sizes = ",".join(f"{snapshot.day}:{len(snapshot.labels)}" for snapshot in snapshots)
    # What stands for other categories follows from the matrix.
    columns = encoded.encoding.model_dump_json(exclude={"features": {"__all__": {"other"}}})
    rows = encoded.rows
    spend = b"" if rows.spend is None else rows.spend.data
    groups = json.dumps(rows.groups.tolist()).encode()
    numbers = (rows.matrix.data, rows.labels.data, spend)
    revisions = _revision_hashes(snapshots)
    return sha256_of([sizes.encode(), columns.encode(), groups, *numbers, *revisions])


def _revision_hashes(snapshots: Sequence[LabelledSnapshot]) -> Iterator[bytes]:
    """Hashes of what was known on earlier days, which decides choices and measures."""
    for snapshot in snapshots:
        for day, revision in sorted(snapshot.revisions.items()):
            frame = revision.columns.assign(labels=revision.labels, spend=revision.spend)
            yield str(day).encode()
            yield pd.util.hash_pandas_object(frame).to_numpy().tobytes()
