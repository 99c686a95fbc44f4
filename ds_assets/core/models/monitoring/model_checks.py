"""Checks of a target's model by its card: better than a rule of thumb, calibrated, not too old.

Scope: the rules and what they say. A model that fails one still predicts.
"""

from ds_assets.core.finding import Finding
from ds_assets.core.models.card.model_card import RECENCY, Evaluation, ModelCard
from ds_assets.core.models.evaluation.validation_curves import ReliabilityBin

TOTAL_RATIOS = (0.8, 1.25)
"""Predicted over observed number of positives that is tolerated, beyond noise."""
TENTH_TOLERANCE, MAX_TENTHS_OFF = 0.02, 2
"""How far the predicted share of a tenth of the users may lie outside the interval of the observed
one, and how many of the tenths may be off: one or two of ten are by chance alone."""
MAX_MODEL_AGE_DAYS = 28
"""Age of a champion beyond which the game has probably changed since it was trained."""


def check_against_rule(card: ModelCard) -> Finding:
    """Compare the model with the order of users by recency alone."""
    if card.evaluation is None:
        return _find_no_model(card)
    own, rule = (card.evaluation.measures.auc, card.evaluation.contenders[RECENCY].auc)
    compared = (
        f"AUC {own.value:.3f} ({own.low:.3f} to {own.high:.3f}) for users of "
        f"{card.evaluation.snapshot}, recency alone {rule.value:.3f}"
    )
    if own.value > rule.value:
        return Finding(compared)
    return Finding(
        compared,
        "the model adds nothing to the rule: look on its page for missing snapshots and for "
        "features that drifted, and order users by last_seen until it passes",
    )


def check_calibration(card: ModelCard) -> Finding:
    """Compare the probabilities with the shares of positives."""
    if card.evaluation is None:
        return _find_no_model(card)
    compared, is_off = _compare_calibration(card.evaluation)
    if not is_off:
        return Finding(compared)
    return Finding(
        compared,
        "use the order of users rather than the probabilities until the next snapshot has "
        "matured; if the game or its prices have changed, this passes once labels show it",
    )


def _compare_calibration(evaluation: Evaluation) -> tuple[str, bool]:
    """What is compared, in words, and whether it is off beyond noise."""
    ratio, curves = evaluation.measures.total_ratio, evaluation.curves
    if ratio is None or curves is None:
        return "the card of an earlier version has no calibration", False
    off = sum(map(_is_off, curves.reliability))
    least, most = TOTAL_RATIOS
    compared = (
        f"predicted over observed total {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) "
        f"for users of {evaluation.snapshot}, tolerated {least:g} to {most:g}; {off} of "
        f"{len(curves.reliability)} tenths of the users off, tolerated {MAX_TENTHS_OFF}"
    )
    return compared, ratio.high < least or ratio.low > most or off > MAX_TENTHS_OFF


def _is_off(tenth: ReliabilityBin) -> bool:
    lowest, highest = tenth.low - TENTH_TOLERANCE, tenth.high + TENTH_TOLERANCE
    return not lowest <= tenth.predicted <= highest


def check_age(card: ModelCard) -> Finding:
    """Compare the day on which the model was trained with the day that it predicts for."""
    if card.evaluation is None:
        return _find_no_model(card)
    age = (card.as_of - card.trained).days
    compared = f"trained {age} days before, on {card.trained}; tolerated {MAX_MODEL_AGE_DAYS}"
    if age <= MAX_MODEL_AGE_DAYS:
        return Finding(compared)
    why = "" if card.decision is None else f" ({card.decision.reason})"
    return Finding(
        compared,
        f"no newer model has replaced it{why}: look at its page for days that snapshots lack, run "
        "or accept these, and compare it with the challenger",
    )


def _find_no_model(card: ModelCard) -> Finding:
    return Finding(f"no trained model: {card.missing}")


MODEL_CHECKS = {
    "beats_recency": (
        check_against_rule,
        "The model ranks users better than recency alone, on the latest validation snapshot.",
    ),
    "is_calibrated": (
        check_calibration,
        "Its probabilities agree with what happened to the users of that snapshot.",
    ),
    "is_recent": (
        check_age,
        f"It was trained at most {MAX_MODEL_AGE_DAYS} days before the day that it predicts for.",
    ),
}
"""By the name of the check: its rule, and what holds where it passes."""
