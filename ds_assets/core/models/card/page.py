"""The numbers that the page of a model shows and plots over days, each with its meaning.

Scope: which numbers of a card are shown, how they are rounded, and what is said about them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ds_assets.core.models.card.model_card import ModelCard

Number = int | float | str

_DIGITS = 4
"""Decimals of a number, which are also those that plots need."""
_INTERVAL_DIGITS = 3
_NO_BREAK = "\u00a0"
"""A space at which the UI does not break the line."""
_MEANINGS: Mapping[str, str] = {
    "state": "ready: a trained model; early: a model without labels; not_enough_data: none",
    "reasons": "what a trained model lacks, and what to do",
    "version": "hash of everything that the model was computed from",
    "snapshots": "weekly snapshots that it was trained on",
    "missing_snapshots": "snapshots that should have been used but are not stored",
    "training_rows": "active users, counted once per snapshot",
    "base_rate": "share of the training rows that are positive",
    "auc": "chance that a positive user is ranked above another one; 0.5 is chance, 1 is perfect",
    "pr_auc": "mean precision over all cut-offs; the share of positives is chance",
    "lift_1": "share of positives in the top 1 % of users, over that of all users",
    "lift_5": "the same in the top 5 %",
    "lift_10": "the same in the top 10 %",
    "log_loss": "penalty for probabilities far from the outcomes; lower is better",
    "brier": "mean squared error of the probabilities; lower is better",
    "ece": "mean distance of predicted and observed share in tenths of the users; 0 is perfect",
    "bias": "mean probability less the observed share; 0 is perfect",
    "total_ratio": "predicted over observed number of positives; 1 is perfect",
    "drift": "largest distance (PSI) of a feature from the training snapshots; above 0.25 is much",
}


class ExplainedNumber(NamedTuple):
    """A row of the table of numbers.

    Attributes:
        number: Its name.
        value: The number as text.
        interval: Its 95 % interval; empty without one.
        meaning: A line about it.
    """

    number: str
    value: str
    interval: str
    meaning: str


def list_numbers(card: ModelCard) -> dict[str, Number]:
    """The numbers of a card by name, rounded; without those that it lacks, and empty texts."""
    numbers: dict[str, Number | None] = {
        "state": card.state if card.early is None else "early",
        "reasons": "; ".join(card.reasons),
        "version": card.version,
        "snapshots": len(card.snapshots),
        "missing_snapshots": len(card.missing_snapshots),
        "training_rows": card.rows,
        "base_rate": card.base_rate,
        "drift": max(card.drift.values(), default=None),
    }
    if card.evaluation is not None:
        measures = {name: it for name, it in card.evaluation.measures if it is not None}
        numbers |= {name: measure.value for name, measure in measures.items()}
    return {name: _rounded(it) for name, it in numbers.items() if it is not None and it != ""}


def explain_numbers(card: ModelCard) -> list[ExplainedNumber]:
    """The same numbers as rows of a table, with their intervals and meanings."""
    numbers = list_numbers(card)
    return [
        ExplainedNumber(name, _show(numbers[name]), _show_interval(card, name), meaning)
        for name, meaning in _MEANINGS.items()
        if name in numbers
    ]


def _rounded(number: Number) -> Number:
    return round(number, _DIGITS) if isinstance(number, float) else number


def _show(number: Number) -> str:
    return number if isinstance(number, str) else f"{number:,}"


def _show_interval(card: ModelCard, name: str) -> str:
    measure = None if card.evaluation is None else getattr(card.evaluation.measures, name, None)
    if measure is None:
        return ""
    ends = (f"{end:.{_INTERVAL_DIGITS}f}" for end in (measure.low, measure.high))
    return f"{_NO_BREAK}to{_NO_BREAK}".join(ends)
