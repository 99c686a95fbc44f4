"""Delivered days left and survival curves beside when users left, and beside a Cox model.

Scope: the rows of one game.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.controls.cox import cox_scores
from benchmarks.controls.departures import Departures, find_departures
from benchmarks.controls.histories import Floats, read_histories
from benchmarks.controls.strong_baseline import Task
from benchmarks.measuring import say
from benchmarks.quality_rows import NOT_BELOW, value_row
from benchmarks.report import Goal, Row
from benchmarks.validation import Judge, calibration_error
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.evaluation.survival_measures import concordance
from ds_assets.core.models.learning.survival import SurvivalCurve
from ds_assets.core.targets import targets_of

CURVE_DAYS = (14, 28, 56)
CALIBRATED = Goal(comparison="<=", limit=0.05)


def departure_rows(game: str, outcomes: Judge, days: Sequence[dt.date]) -> Iterator[Row]:
    """Concordance, calibration of the curve, and of its median, on days of a game.

    Args:
        game: Name of the game in the rows.
        outcomes: Reads its delivered predictions, and what happened.
        days: Days with weeks of logs after their horizon.

    Raises:
        ValueError: a day's model has no survival curve.
    """
    target = next(it for it in targets_of(outcomes.game).values() if it.days_left_column)
    last = outcomes.game.last_day or max(days)
    histories = read_histories(outcomes.lake, outcomes.game, last)
    for day in days:
        say(f"  when users leave after {day}")
        card = outcomes.card(target.name, day)
        if card is None or card.survival is None:
            raise ValueError(f"the model of {day} has no survival curve")
        rows = outcomes.predictions(day)
        users = histories.places_of(rows.index)
        departures = find_departures(histories, users, day, target.horizon, last)
        chances = rows[target.probability_column].to_numpy(np.float64)
        about = f"when, {game}, {day}"
        scores = {
            "ours": chances,
            "Cox": cox_scores(Task(target.name, target.horizon, day, users), histories),
            "recency": recency_scores(target, outcomes.features(day)),
        }
        yield concordance_row(about, scores, departures)
        yield from curve_rows(about, card.survival.curve, chances, departures)
        yield median_row(about, rows[target.days_left_column].to_numpy(np.float64), departures)
        yield value_row(
            f"{about}: users whose first pause was over before a weekly check",
            departures.in_first_pause,
            "share",
            f"in {departures.followed} days",
        )


def concordance_row(about: str, scores: dict[str, Floats], departures: Departures) -> Row:
    """Harrell's C of our probability of leaving less that of the Cox model."""
    by_name = {
        name: concordance(departures.days, departures.has_left, values)
        for name, values in scores.items()
    }
    return value_row(
        f"{about}: concordance more",
        by_name["ours"] - by_name["Cox"],
        "C",
        ", ".join(f"{name} {value:.4f}" for name, value in by_name.items()),
        NOT_BELOW,
    )


def curve_rows(
    about: str, curve: SurvivalCurve, chances: Floats, departures: Departures
) -> Iterator[Row]:
    """Calibration error of having left after some days, as far as users were followed."""
    for days in CURVE_DAYS:
        if days <= min(departures.followed, curve.longest_days):
            predicted = 1 - curve.survival(chances, np.array([float(days)]))[:, 0]
            has_left = departures.has_left & (departures.days <= days)
            yield value_row(
                f"{about}: calibration error of having left after {days} days",
                calibration_error(has_left, predicted),
                "ECE",
                f"{has_left.mean():.3f} left, {predicted.mean():.3f} predicted",
                CALIBRATED,
            )


def median_row(about: str, days_left: Floats, departures: Departures) -> Row:
    """How far from one half the share of users is that have left by their median.

    Users who have left already, and those whose median lies beyond the log, are left out.
    """
    is_measured = (days_left > 0) & (days_left <= departures.followed)
    by_then = departures.has_left & (departures.days <= days_left)
    share = float(by_then[is_measured].mean())
    return value_row(
        f"{about}: share that has left by days_left, off one half by",
        abs(share - 0.5),
        "share",
        f"{share:.3f} of {is_measured.sum():,} users",
        CALIBRATED,
    )
