"""The model of a target: boosted trees, trained on matured snapshots, validated on later ones.

Scope: the procedure as a whole, from snapshots to a model's files and its card.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import (
    CHOICE_PREFIX,
    MODEL,
    VALIDATION_PREFIX,
    CalibrationCard,
    Decision,
    Evaluation,
    GroupCard,
)
from ds_assets.core.models.data.snapshots import LabelledSnapshot, folds, in_order
from ds_assets.core.models.data.sufficiency import DataShortfall, enough_on, find_shortfalls
from ds_assets.core.models.learning.calibration import Calibration
from ds_assets.core.models.learning.onnx_export import classifier_onnx
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
    unfit,
)
from ds_assets.core.models.training.compare import (
    calibration_gain,
    evaluate,
    first_week,
    group_card,
    parts_of_fold,
    score_fold,
)
from ds_assets.core.models.training.continuing import (
    add_fold,
    continue_model,
    deliver_again,
    score_champion,
    why_choose,
)
from ds_assets.core.models.training.early import early_contender
from ds_assets.core.models.training.final_fit import FinalFit, Recipe, finish, fit_final
from ds_assets.core.models.training.group_models import NO_EARLIER_SNAPSHOT
from ds_assets.core.models.training.plan import (
    Plan,
    TrainedModel,
    encode_rows,
    make_blank_card,
)
from ds_assets.core.models.training.survival import check_survival, make_survival
from ds_assets.core.targets import Target


def train(
    target: Target,
    as_of: dt.date,
    snapshots: Iterable[LabelledSnapshot],
    revise: Callable[[], Iterable[LabelledSnapshot]] | None = None,
    *,
    champion: Champion | None = None,
    seed: int = 0,
) -> TrainedModel:
    """Validate a model on the latest snapshots, then train it again on all of them.

    A validation model sees only snapshots whose label windows were over on the day of its
    validation snapshot, as they were known on that day: what it would have seen then. Every choice
    is made on an earlier snapshot than the latest, which is therefore untouched. Choices that the
    champion's day made hold for a while; see `continuing`.

    Args:
        target: What is predicted.
        as_of: Training day.
        snapshots: Matured snapshots, in any order; features with the column `user_group`.
        revise: Returns them with what was known on earlier days, which choices need and nothing
            else; none where the snapshots have it.
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
    ordered = in_order(snapshots, target.horizon, as_of)
    plan = Plan(target, as_of, ordered, seed)
    lack = find_shortfalls(target, as_of, ordered)
    if lack:
        return _without_challenger(plan, lack, champion)
    latest = folds(ordered)[0].validation
    reason = why_choose(champion, target, as_of, latest)
    if champion is not None and reason is None:
        return continue_model(champion, latest, plan)
    if revise is not None:
        plan = replace(plan, snapshots=in_order(revise(), target.horizon, as_of))
        lack = find_shortfalls(target, as_of, plan.snapshots)
    if lack:
        return _without_challenger(plan, lack, champion)
    return _choose_again(plan, champion, {"choices_day": as_of, "choices_reason": reason})


def _choose_again(plan: Plan, champion: Champion | None, why: Mapping[str, object]) -> TrainedModel:
    """A model whose choices are made now, or the champion where that is better.

    Args:
        plan: What it is made from.
        champion: The model of the days before.
        why: When and why choices are made, for the card.
    """
    challenger = make_challenger(plan.snapshots, plan.seed, plan.target.max_fit_rows)
    decision, champion_scores = _decide(challenger, champion, plan)
    if champion is not None and decision.kept == "champion":
        folds_of_both = _evaluate_both(champion, challenger, plan)
        return deliver_again(champion, decision, folds_of_both, plan, **why)
    fit = fit_final(_write_recipe(challenger), plan)
    scored = score_fold(challenger.validated[0])
    groups = fit.list_groups(
        group_card(decision, scored, plan.seed) for decision in challenger.choices.contest.decisions
    )
    facts = {
        **why,
        **_describe_choices(challenger, fit, plan),
        "decision": decision,
        "folds": _evaluations(challenger, champion_scores, plan),
        "first_week": first_week(scored, plan.seed),
        "groups": groups,
    }
    return finish(plan, fit, _earlier_files(challenger, groups), facts)


def _decide(
    challenger: Challenger, champion: Champion | None, plan: Plan
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
    plan: Plan, lack: Sequence[DataShortfall], champion: Champion | None
) -> TrainedModel:
    """Yesterday's model where there is one, else only the card that says what is missing."""
    words = tuple(shortfall.words for shortfall in lack)
    features = plan.snapshots[-1].features if plan.snapshots else None
    if champion is not None and unfit(champion, plan.target, features) is None:
        reason = f"there is not enough data for a challenger: {'; '.join(words)}"
        version = champion.card.version
        decision = Decision(kept="champion", champion=version, difference=None, reason=reason)
        return deliver_again(champion, decision, champion.card.folds, plan)
    facts = {"reasons": words, "enough_on": enough_on(lack)}
    blank = make_blank_card(plan, plan.snapshots, encode_rows(plan.snapshots))
    return TrainedModel(blank.model_copy(update=facts), None, {})


def _evaluate_both(
    champion: Champion, challenger: Challenger, plan: Plan
) -> tuple[Evaluation, ...]:
    """Yesterday's model, which stays, beside the challenger on today's latest snapshot."""
    latest = challenger.validated[0]
    scored = score_champion(champion, latest.fold.validation)
    linear = parts_of_fold(latest)["logistic_regression"]
    others = {
        "challenger": latest.probabilities,
        **_early(latest, plan),
        "logistic_regression": linear,
    }
    return add_fold(evaluate(plan.target, scored, others, plan.seed), champion.card)


def _write_recipe(challenger: Challenger) -> Recipe:
    choices, validated = challenger.choices, challenger.validated[0].ensemble.groups
    own_shares = {
        group: own.own_share for group, own in choices.contest.winners.items() if group in validated
    }
    linear_share = choices.mixture.linear_share
    return Recipe(choices.memory.snapshots, linear_share, own_shares, challenger.slope)


def _describe_choices(challenger: Challenger, fit: FinalFit, plan: Plan) -> dict[str, Any]:
    """What the card says of choices, and of models that were made in the same way earlier."""
    choices, latest = challenger.choices, challenger.validated[0]
    survival = make_survival(
        plan.target, plan.as_of, plan.snapshots, fit.whole, fit.encoded.encoding
    )
    if survival is not None:
        check = check_survival(plan.target, plan.snapshots, challenger)
        survival = survival.model_copy(update={"check": check})
    return {
        "twin_trained": latest.fold.validation.day,
        "chosen_on": None if choices.fold is None else choices.fold.fold.validation.day,
        "memory": choices.memory,
        "mixture": choices.mixture,
        "calibration": _calibration(challenger, fit.whole.line, plan.seed),
        "spend": None if fit.amounts is None else _spend(latest, fit.amounts, plan.seed),
        "survival": survival,
    }


def _earlier_files(challenger: Challenger, groups: Sequence[GroupCard]) -> dict[str, bytes]:
    """The models of earlier days as ONNX, by file."""
    earlier = {VALIDATION_PREFIX: challenger.validated[0], CHOICE_PREFIX: challenger.choices.fold}
    return {
        f"{prefix}{name}": file
        for prefix, validated in earlier.items()
        if validated is not None
        for name, file in _files_of_fold(validated, groups).items()
    }


def _files_of_fold(validated: ValidatedFold, groups: Sequence[GroupCard]) -> dict[str, bytes]:
    """The models of a fold as ONNX, by the name of the delivered model's file."""
    models = {MODEL: validated.ensemble.whole} | {
        card.file: validated.ensemble.groups[card.group]
        for card in groups
        if card.file is not None and card.group in validated.ensemble.groups
    }
    return {name: classifier_onnx(model) for name, model in models.items()}


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


def _evaluations(
    challenger: Challenger, champion_scores: Floats | None, plan: Plan
) -> tuple[Evaluation, ...]:
    """Evaluate every fold; the champion only on the latest, as it has seen the earlier ones."""
    others = {} if champion_scores is None else {"champion": champion_scores}
    others |= _early(challenger.validated[0], plan)
    return tuple(
        evaluate(
            plan.target,
            score_fold(fold),
            {**({} if number else others), **parts_of_fold(fold)},
            plan.seed,
        )
        for number, fold in enumerate(challenger.validated)
    )


def _early(latest: ValidatedFold, plan: Plan) -> dict[str, Floats]:
    return early_contender(plan.target, latest.fold.validation.features)


def _spend(latest: ValidatedFold, delivered: FittedAmounts, seed: int) -> SpendCard | None:
    """How good amounts are on the latest fold; None where its payers are too few.

    Args:
        latest: The fold.
        delivered: The amounts that are delivered, which the card describes.
        seed: Makes training and intervals repeatable.
    """
    amounts = fit_amounts(latest.training, seed)
    if amounts is None:
        return None
    card = validate_amounts(amounts, latest.validation, latest.probabilities, seed)
    return card.model_copy(update={**delivered.facts, "snapshot": latest.fold.validation.day})
