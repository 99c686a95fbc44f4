"""The model of a day, made in the same way as that of the day before.

Snapshots are a week apart, so choices are made once a week: about how much history counts, the
mixture, the models of groups and the slope of the calibration. On the days between, the model is
fitted again to the snapshots of the day, and is measured on the latest of them by the model that
was validated when choices were made, which has not seen its outcomes.

Scope: how long choices hold, and a model that is made without new ones.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ds_assets.core.models.card.model_card import (
    CHOICE_PREFIX,
    MODEL,
    VALIDATION_PREFIX,
    Decision,
    Evaluation,
    GroupCard,
    ModelCard,
)
from ds_assets.core.models.data.snapshots import FOLDS, LabelledSnapshot
from ds_assets.core.models.evaluation.drift import DRIFTED
from ds_assets.core.models.learning.spend import SpendCard
from ds_assets.core.models.monitoring.model_checks import check_against_rule, check_calibration
from ds_assets.core.models.training.challenger import thin
from ds_assets.core.models.training.champion import (
    Champion,
    leakage_reason,
    score_validation,
    seen_by,
    unfit,
)
from ds_assets.core.models.training.compare import Scored, evaluate, first_week, measure_group
from ds_assets.core.models.training.early import early_contender
from ds_assets.core.models.training.final_fit import FinalFit, Recipe, finish, fit_final
from ds_assets.core.models.training.plan import Plan, TrainedModel
from ds_assets.core.models.training.survival import make_survival
from ds_assets.core.targets import Target

HOLD_DAYS = 7
"""Days that choices hold: until the next snapshot of the same weekday has matured."""


def why_choose(
    champion: Champion | None, target: Target, as_of: dt.date, latest: LabelledSnapshot
) -> str | None:
    """Why choices have to be made, in words; None where those of the days before still hold.

    Args:
        champion: The model of the days before.
        target: What is predicted.
        as_of: Training day.
        latest: The latest validation snapshot.
    """
    if champion is None:
        return "there is no model of the days before"
    checks: Sequence[Callable[[], str | None]] = (
        lambda: unfit(champion, target, latest.features),
        lambda: leakage_reason(champion, latest),
        lambda: _why_outdated(champion.card, as_of),
        lambda: _why_doubtful(champion.card),
    )
    return next((reason for check in checks if (reason := check()) is not None), None)


def _why_outdated(card: ModelCard, as_of: dt.date) -> str | None:
    if card.choices_day is None:
        return "the card of the day before does not say when choices were made"
    if card.chosen_on is None:
        return "there was no earlier snapshot to choose on before"
    if (as_of - card.choices_day).days >= HOLD_DAYS:
        return f"those of {card.choices_day} held for a week"
    return None


def _why_doubtful(card: ModelCard) -> str | None:
    """Name what the checks of the model found, or the features that drifted since choices."""
    for check in (check_against_rule, check_calibration):
        finding = check(card)
        if not finding.is_good:
            return f"the model of the day before failed a check: {finding.compared}"
    drifted = sorted(
        set(_list_drifted(card, card.as_of)) - set(_list_drifted(card, card.choices_day))
    )
    if drifted:
        return f"features drifted since {card.choices_day}: {', '.join(drifted)}"
    return None


def _list_drifted(card: ModelCard, day: dt.date | None) -> Iterator[str]:
    drifts = {} if day is None else card.drifts.get(day, {})
    return (name for name, drift in drifts.items() if drift > DRIFTED)


def continue_model(champion: Champion, latest: LabelledSnapshot, plan: Plan) -> TrainedModel:
    """The model of a day whose choices are those of the days before.

    Args:
        champion: The model of the day before, without a reason to choose again.
        latest: The latest validation snapshot.
        plan: What the model is made from.
    """
    card, validation = champion.card, thin(latest)
    scored = score_champion(champion, validation)
    fold = evaluate(
        plan.target, scored, early_contender(plan.target, validation.features), plan.seed
    )
    folds = add_fold(fold, card)
    decision = card.decision
    if decision is not None and decision.kept == "champion" and decision.difference is not None:
        return deliver_again(champion, decision, folds, plan)  # what it was compared with was worse
    fit = fit_final(_read_recipe(card), plan)
    groups = tuple(
        group.model_copy(update=measure_group(group.group, scored, plan.seed))
        for group in fit.list_groups(card.groups)
    )
    facts = {
        "folds": folds,
        "first_week": first_week(scored, plan.seed),
        "groups": groups,
        "decision": _decide_not(card),
        **_inherit(card, fit, plan),
    }
    return finish(plan, fit, _keep_earlier(champion, groups), facts, same_way_as=card.version)


def score_champion(champion: Champion, validation: LabelledSnapshot) -> Scored:
    """A validation snapshot with the probabilities of a champion that has not seen its outcomes."""
    trained_on = seen_by(champion, validation)
    return Scored(validation, score_validation(champion, validation), trained_on)


def add_fold(fold: Evaluation, card: ModelCard) -> tuple[Evaluation, ...]:
    """The folds of a card with one of a later day, in place of others since choices were made."""
    chosen = card.twin_trained or dt.date.max
    before = (
        evaluation
        for evaluation in card.folds
        if evaluation.snapshot != fold.snapshot and evaluation.snapshot <= chosen
    )
    return tuple(sorted([fold, *before], key=lambda it: it.snapshot, reverse=True)[:FOLDS])


def deliver_again(
    champion: Champion,
    decision: Decision,
    folds: tuple[Evaluation, ...],
    plan: Plan,
    **facts: Any,
) -> TrainedModel:
    """The model of the day before as it is.

    Args:
        champion: That model.
        decision: Why it stays.
        folds: How good it is.
        plan: What a model of the day would be made from.
        facts: What else changes in its card.
    """
    changes = {
        "as_of": plan.as_of,
        "reasons": (),
        "missing_snapshots": (),
        "decision": decision,
        "folds": folds,
        **facts,
    }
    card = champion.card.model_copy(update=changes)
    return TrainedModel(card, champion.files.onnx, dict(champion.files.parts))


def _read_recipe(card: ModelCard) -> Recipe:
    """The way in which the model of a card was made."""
    if card.mixture is None or card.memory is None or card.calibration is None:
        raise ValueError(f"the card of {card.as_of} says nothing of its choices")
    own_shares = {
        group.group: group.own_share for group in card.groups if group.own_share is not None
    }
    slope = card.calibration.line.slope
    return Recipe(card.memory.snapshots, card.mixture.linear_share, own_shares, slope)


def _inherit(card: ModelCard, fit: FinalFit, plan: Plan) -> dict[str, Any]:
    """What the card of the day before says of choices and their validation, with the new fit."""
    names = ("twin_trained", "chosen_on", "choices_day", "choices_reason", "memory", "mixture")
    survival = make_survival(
        plan.target, plan.as_of, plan.snapshots, fit.whole, fit.encoded.encoding
    )
    if survival is not None and card.survival is not None:
        survival = survival.model_copy(update={"check": card.survival.check})
    calibration = card.calibration and card.calibration.model_copy(update={"line": fit.whole.line})
    return {
        **{name: getattr(card, name) for name in names},
        "calibration": calibration,
        "spend": _inherit_spend(card.spend, fit),
        "survival": survival,
    }


def _inherit_spend(spend: SpendCard | None, fit: FinalFit) -> SpendCard | None:
    """How good amounts were when choices were made, with those of the new fit."""
    if spend is None or fit.amounts is None:
        return None
    return spend.model_copy(update=fit.amounts.facts)


def _decide_not(card: ModelCard) -> Decision:
    return Decision(
        kept="challenger",
        champion=card.version,
        difference=None,
        reason=f"it is made in the same way, chosen on {card.choices_day}",
    )


def _keep_earlier(champion: Champion, groups: Sequence[GroupCard]) -> Mapping[str, bytes]:
    """The models of earlier days, by file, without those of groups that have none any more."""
    names = {MODEL, *(card.file for card in groups if card.file is not None)}
    kept = {f"{prefix}{name}" for prefix in (VALIDATION_PREFIX, CHOICE_PREFIX) for name in names}
    return {name: file for name, file in champion.files.parts if name in kept}
