"""The card of a target's model for people, as Markdown.

Scope: the wording. Every number in it is the card's.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import escape

import numpy as np

from ds_assets.core.models.card.model_card import (
    DELIVERED,
    RECENCY,
    CalibrationCard,
    Evaluation,
    GroupCard,
    ModelCard,
)
from ds_assets.core.models.evaluation.drift import DRIFTED
from ds_assets.core.models.evaluation.metrics import Measure, Measures
from ds_assets.core.models.evaluation.spend_measures import SpendMeasures
from ds_assets.core.models.evaluation.survival_measures import SurvivalCheck
from ds_assets.core.models.evaluation.validation_curves import TREATED_SHARE, ValidationCurves
from ds_assets.core.models.learning.early_model import EarlyCard, EarlyCheck
from ds_assets.core.models.learning.spend import SpendCard, SpendComparison
from ds_assets.core.models.learning.survival import SurvivalCard
from ds_assets.core.targets import Target

_CONTENDERS = {
    "delivered": "**this model**",
    "global": "one model for all users",
    "champion": "the champion",
    "challenger": "the challenger",
    "logistic_regression": "logistic regression",
    "early": "buy-till-you-die model",
    "recency": "recency alone",
}
_MEASURES = {
    "auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE",
    "total_ratio": "predicted / observed",
    "lift_1": "lift 1 %",
    "lift_5": "lift 5 %",
    "lift_10": "lift 10 %",
}
_MAX_FEATURES_NAMED = 5
_SURVIVAL_DAYS = (7, 14, 28, 56, 90)


def format_card(target: Target, card: ModelCard) -> str:
    """The card of a target's model as Markdown."""
    return "\n\n".join([_head(target, card), *(_model(card) if card.folds else _lack(card))])


def describe_pictures(target: Target, card: ModelCard) -> dict[str, str]:
    """What the pictures of a card show, a line for each, by the name of the picture."""
    words = {
        "importance": (
            "Mean absolute effect of each family of features on the predictions for users of the "
            "latest snapshot (exact tree SHAP)."
        ),
        "drift_over_days": (
            "Distance of each day's features from those that its model was trained on. Most "
            f"drifted: {_largest(card.drift)}."
        ),
        "survival": "Dashed: beyond the time over which users were followed.",
    }
    evaluation = card.evaluation
    if evaluation is not None and evaluation.curves is not None:
        words |= _describe_curves(target, evaluation, evaluation.curves)
    return words


def _describe_curves(
    target: Target, evaluation: Evaluation, curves: ValidationCurves
) -> dict[str, str]:
    model, rule = (curves.gain(name, TREATED_SHARE) for name in (DELIVERED, RECENCY))
    best = min(TREATED_SHARE / evaluation.base_rate, 1.0)
    positives, users = target.wording.positives, f"{evaluation.users:,} users"
    return {
        "reliability": (
            f"{users} of {evaluation.snapshot}, whose outcomes the model had not seen. Above the "
            "line more came true than was predicted, below it less."
        ),
        "gains": (
            f"The {TREATED_SHARE:.0%} of the users with the highest chance hold {model:.0%} of all "
            f"{positives}; by recency alone {rule:.0%}, at best {best:.0%}."
        ),
        "scores": f"{evaluation.positives:,} of {users} of {evaluation.snapshot} are {positives}.",
    }


def _head(target: Target, card: ModelCard) -> str:
    return (
        f"**{card.target}**: chance of {target.wording.outcome} in the {card.horizon} days after "
        f"{card.as_of}, for {target.users}."
    )


def _lack(card: ModelCard) -> Iterator[str]:
    yield f"There is no trained model: {card.missing}."
    if card.early is not None:
        yield _early(card.early)
        if card.early.check is not None:
            yield _early_check(card.early.check)


def _early(early: EarlyCard) -> str:
    numbers = ", ".join(f"{value:.3g}" for value in early.activity)
    purchases, amounts = "", ""
    if early.purchases is not None:
        share = ", ".join(f"{value:.3g}" for value in early.purchases)
        purchases = f" The share of active days with a purchase is beta ({share})."
        purchases += f" {early.payers:,} of them have bought."
    if early.amounts is not None:
        shapes = ", ".join(f"{value:.3g}" for value in early.amounts)
        amounts = f" Amounts are gamma-gamma (p, q, gamma: {shapes})."
    return (
        f"Until then an early model predicts, `{early.version}`: a buy-till-you-die model (BG/BB) "
        f"of the days on which users came so far. It is fitted to {early.users:,} users who were "
        f"active in {early.window} days (alpha, beta, gamma, delta: {numbers}).{purchases}{amounts}"
    )


def _early_check(check: EarlyCheck) -> str:
    days = "day" if check.horizon == 1 else f"{check.horizon} days"
    intro = (
        f"One that was fitted {check.horizon} open days earlier, compared with what "
        f"{check.users:,} users did in the {days} since then ({check.positives:,} positive):"
    )
    return f"{intro}\n\n{_table(check.contenders)}"


def _model(card: ModelCard) -> Iterator[str]:
    days = f"{card.snapshots[0]} to {card.snapshots[-1]}"
    missing = f" {len(card.missing_snapshots)} were missing." if card.missing_snapshots else ""
    yield (
        f"Version `{card.version}`, trained on what was known at the end of {card.trained}: "
        f"{card.rows:,} rows of {_snapshots(card.snapshots)}, {days}; "
        f"{card.base_rate:.1%} of them positive.{missing} Boosted trees; hyperparameters are in "
        "the card as JSON."
    )
    yield "### Validation"
    for fold in card.folds:
        yield (
            f"Validated on {fold.users:,} users of {fold.snapshot} "
            f"({fold.base_rate:.1%} positive), "
            f"trained on {_snapshots(fold.trained_on)} whose outcomes were known on that day:"
        )
        yield _table(fold.contenders)
    if card.unclustered:
        days = ", ".join(map(str, card.unclustered))
        yield f"There are no stored clusters of {days}: there the model was validated without."
    yield "In brackets: 95 % intervals of the bootstrap over users. " + _choices(card)
    yield from _apart(card)
    if card.spend is not None:
        yield from ("### Expected spend", _spend(card.spend))
    if card.survival is not None:
        yield from ("### When users leave", *_survival(card.survival))
    if card.drift:
        yield from ("### Drift", _drift(card.drift))
    if card.filling:
        yield _filling(card.filling)


def _choices(card: ModelCard) -> str:
    memory = "all snapshots"
    if card.memory is not None and card.memory.snapshots is not None:
        memory = f"the latest {card.memory.snapshots} snapshots, better than all beyond noise"
    calibration = "" if card.calibration is None else _calibration(card.calibration)
    decision = ""
    if card.decision is not None:
        gain = card.decision.difference
        by = (
            ""
            if gain is None
            else f" (log loss of the challenger less the champion's: {_of(gain)})"
        )
        decision = f" The {card.decision.kept} is delivered: {card.decision.reason}{by}."
    mixture = ""
    if card.mixture is not None:
        mixture = f" {card.mixture.linear_share:.0%} of the log-odds are a linear model's"
        if card.mixture.difference is not None:
            alone = _of(card.mixture.difference)
            mixture += f" (log loss of boosted trees alone less the mixture's: {alone})"
        mixture += "."
    chosen = f"{_untouched(card)}{_choices_day(card)}"
    return f"{chosen} It remembers {memory}.{mixture}{calibration}{decision}"


def _choices_day(card: ModelCard) -> str:
    """When choices were made last, and why then."""
    if card.choices_day is None:
        return ""
    return f" Choices are of {card.choices_day}: {card.choices_reason}."


def _calibration(calibration: CalibrationCard) -> str:
    gain = ""
    if calibration.gain is not None:
        gain = f", log loss with calibration less without: {_of(calibration.gain)}"
    line = calibration.line
    return (
        f" Calibrated: {calibration.reason} "
        f"(slope {line.slope:.3f}, intercept {line.intercept:+.3f}{gain})."
    )


def _untouched(card: ModelCard) -> str:
    """On which snapshot choices were made, and which users are therefore untouched by them."""
    if card.chosen_on is None:
        is_of_first_version = card.mixture is None or card.mixture.difference is not None
        return (
            "Choices were made on the latest validation snapshot itself."
            if is_of_first_version
            else "Nothing was chosen: there is no earlier snapshot to choose on."
        )
    return (
        f"Every choice was made on the snapshot {card.chosen_on}, whose outcomes were known on "
        f"{card.twin_trained}, and none on the latter."
    )


def _apart(card: ModelCard) -> Iterator[str]:
    """Users apart: those in their first week, and the groups."""
    week = card.first_week
    if week is not None or card.groups:
        yield "### Some of the users"
    if week is not None:
        result = "too few to validate" if week.measures is None else f"AUC {_of(week.measures.auc)}"
        yield f"Users in their first week: {week.users:,}, {result}."
    if card.groups:
        yield (
            f"User groups ({card.user_groups}) and first days, on the snapshot "
            f"{card.groups[0].snapshot}:"
        )
        head = "| group | users | positive | answered by | why | log loss, own less global | AUC |"
        yield "\n".join([head, _line(7), *map(_group, card.groups)])


def _group(card: GroupCard) -> str:
    auc = None if card.measures is None else card.measures.auc
    return (
        f"| {_cell(card.group)} | {card.users:,} | {card.positives:,} | {card.model} "
        f"| {card.reason} | {_of(card.difference)} | {_of(auc)} |"
    )


def _spend(spend: SpendCard) -> str:
    return (
        f"Expected spend: the probability times a likely amount, learnt from {spend.payers:,} rows "
        f"with spend, exact up to {spend.cap:,.2f}.{_spread(spend)} On the validation snapshot "
        f"{spend.predicted:,.2f} per user were expected and {_of(spend.happened)} observed, "
        f"{spend.top_share:.0%} of it from the tenth of users with the highest expectation"
        f"{_spend_measures(spend.measures)}.{_spend_verdict(spend.comparison)}"
    )


def _spread(spend: SpendCard) -> str:
    if spend.spread is None:
        return ""
    return (
        f" Beyond {spend.spread.threshold:.2f} times the expected amount, payers' spend has a "
        f"Pareto tail of index {spend.spread.tail_index:.2f}, which is part of the amounts."
    )


def _spend_measures(measures: SpendMeasures | None) -> str:
    if measures is None:
        return ""
    covered = ""
    if measures.coverage is not None:
        covered = (
            f"; the 80 % intervals that are not 0 alone contained {_of(measures.coverage)} of what "
            "was spent"
        )
    return (
        f" (best possible: {measures.best_top_share.value:.0%}); normalised Gini "
        f"{_of(measures.gini)}; error in tenths {_of(measures.decile_error)} of the mean{covered}"
    )


def _spend_verdict(comparison: SpendComparison | None) -> str:
    if comparison is None:
        return ""
    verdict = comparison.verdict.replace("_", " ")
    return f" Observed over predicted total: {_of(comparison.ratio)}, {verdict}."


def _survival(survival: SurvivalCard) -> Iterator[str]:
    curve = survival.curve
    hazards = "; ".join(
        f"from {it.first_step} on {it.level:.2f}, {it.slope_below:.2f}, {it.slope_above:.2f}"
        for it in curve.hazards
    )
    yield (
        f"When: {survival.leavers:,} of {survival.rows:,} users of snapshots left after their "
        f"snapshot, which were followed over up to {curve.steps} steps of {curve.step_days:.3g} "
        f"open days. Log-odds of leaving in a step, at {curve.knot:.2f} log-odds of the "
        f"probability, and their slopes below and above: {hazards}. "
        "Mean share of the users of the latest snapshot that has not left after so many open days:"
    )
    days = [day for day in _SURVIVAL_DAYS if day <= curve.longest_days]
    mean = np.interp(days, curve.step_ends, survival.mean)
    yield "\n".join(
        [
            f"| {' | '.join(f'{day} days' for day in days)} |",
            _line(len(days)),
            f"| {' | '.join(f'{value:.1%}' for value in mean)} |",
        ]
    )
    if survival.check is not None:
        yield _survival_check(survival.check)


def _survival_check(check: SurvivalCheck) -> str:
    points = "; ".join(
        f"{point.predicted:.1%} and {point.observed:.1%} after {point.days:.3g} days"
        for point in check.points
    )
    return (
        f"A curve that was fitted on {check.snapshot}, compared with {check.users:,} users of that "
        f"day: predicted and observed shares were {points}. Integrated Brier score "
        f"{check.brier:.3f}. Concordance {check.concordance:.3f}, of recency alone "
        f"{check.recency_concordance:.3f}."
    )


def _drift(drift: Mapping[str, float]) -> str:
    return (
        "Drift of the day's features against the training snapshots "
        f"(PSI; above {DRIFTED:g} is much): {_largest(drift)}."
    )


def _largest(drift: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in drift.items())


def _filling(features: Sequence[str]) -> str:
    named, others = features[:_MAX_FEATURES_NAMED], features[_MAX_FEATURES_NAMED:]
    more = f" and {len(others)} more" if others else ""
    return (
        f"Window still filling, so without drift: {', '.join(named)}{more}. No training snapshot "
        "has as many days of logs before it."
    )


def _table(contenders: Mapping[str, Measures]) -> str:
    head = f"| | {' | '.join(_MEASURES.values())} |"
    return "\n".join([head, _line(len(_MEASURES) + 1), *_rows(contenders.items())])


def _rows(contenders: Iterable[tuple[str, Measures]]) -> Iterator[str]:
    for name, measures in contenders:
        cells = (_of(getattr(measures, measure)) for measure in _MEASURES)
        yield f"| {_CONTENDERS[name]} | {' | '.join(cells)} |"


def _snapshots(days: Collection[object]) -> str:
    return "one snapshot" if len(days) == 1 else f"{len(days)} snapshots"


def _line(columns: int) -> str:
    return "|" + "---|" * columns


def _cell(text: str) -> str:
    """A text from the logs as one cell of a table."""
    return escape(" ".join(text.split()), quote=False).replace("|", "&#124;")


def _of(measure: Measure | None) -> str:
    if measure is None:
        return ""
    value, low, high = (f"{it:z.3f}" for it in (measure.value, measure.low, measure.high))
    return f"{value} ({low} to {high})"
