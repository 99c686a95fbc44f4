"""Delivered predictions beside those of the strong baseline, for the same users and outcomes.

Scope: the rows of one game: difference in AUC, log loss, calibration and totals on each day.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd

from benchmarks.controls.bg_nbd import Forecast, forecast
from benchmarks.controls.histories import read_histories
from benchmarks.controls.strong_baseline import Task, baseline_probabilities
from benchmarks.measuring import say
from benchmarks.quality_rows import NOT_BELOW, difference_row, value_row
from benchmarks.report import Goal, Row
from benchmarks.validation import (
    Flags,
    Floats,
    Judge,
    area,
    area_difference,
    calibration_error,
    normalized_gini,
    share_of_best,
    truth,
)
from ds_assets.core.first_days import FIRST_DAYS, is_new
from ds_assets.core.models.evaluation.metrics import log_losses
from ds_assets.core.targets import Target, targets_of

MIN_CALIBRATED_USERS = 5_000
CALIBRATED = Goal(comparison="<=", limit=0.02)
LEVEL = Goal(comparison="<=", limit=0.1)
MIN_OUTCOMES = 30
"""Of each kind: with fewer the noise of an AUC is larger than any difference of interest."""
ALL_USERS = Goal(comparison="=", limit=1)


@dataclass(frozen=True)
class Contest:
    """One target on one day; an item per user with a delivered probability.

    Attributes:
        labels: What happened to the users.
        ours: The delivered probabilities.
        baseline: Those of the baseline.
        bg_nbd: What a fitted BG/NBD with gamma-gamma says.
    """

    labels: Flags
    ours: Floats
    baseline: Floats
    bg_nbd: Forecast


def baseline_rows(
    game: str,
    outcomes: Judge,
    days: Sequence[dt.date],
    *,
    truth_of: Path | None = None,
    mean_goal: Goal = NOT_BELOW,
) -> Iterator[Row]:
    """Compare the predictions of some days of a game with the baseline's.

    Args:
        game: Name of the game in the rows.
        outcomes: Reads its delivered predictions, and what happened.
        days: Days whose outcomes are known.
        truth_of: Folder of a simulated game with the best possible predictions.
        mean_goal: Goal of the mean difference in AUC over targets and days.
    """
    differences = []
    for target in targets_of(outcomes.game).values():
        for day in days:
            about = f"baseline, {game}, {target.name}, {day}"
            is_predicted = np.isfinite(outcomes.probabilities(target.name, day))
            yield value_row(
                f"{about}: users with a probability",
                float(is_predicted.mean()),
                "share",
                f"{len(is_predicted):,} users",
                ALL_USERS,
            )
            if is_predicted.any():
                say(f"  the baseline of {target.name} on {day}")
                contest = run_contest(target, day, outcomes)
                difference = area_difference(contest.labels, contest.ours, contest.baseline)
                differences.append(difference.value)
                against = f"the baseline, {area(contest.labels, contest.baseline):.4f}"
                yield difference_row(about, difference, against, "high")
                yield combined_row(about, contest)
                fitted = contest.bg_nbd.probabilities
                beside = area_difference(contest.labels, contest.ours, fitted)
                against = f"a fitted BG/NBD, {area(contest.labels, fitted):.4f}"
                yield difference_row(f"{about}, BG/NBD", beside, against, "high")
                if truth_of is not None:
                    best = truth(truth_of, target.name, day)[is_predicted]
                    yield share_row(about, contest, best)
                yield from level_rows(about, contest)
                users = outcomes.features(day)[is_predicted].reset_index(drop=True)
                yield from first_days_rows(about, contest, users)
                if target.amount_column is not None:
                    expected = outcomes.predictions(day)[target.amount_column].to_numpy(np.float64)
                    spend = outcomes.spend(target.name, day)
                    yield from spend_rows(
                        f"{about}: {target.amount_column}",
                        spend[is_predicted],
                        expected[is_predicted],
                        contest.bg_nbd.spend,
                    )
    if differences:
        name = f"baseline, {game}: mean AUC more"
        yield value_row(name, fmean(differences), "AUC", "the baseline", mean_goal)


def run_contest(target: Target, day: dt.date, outcomes: Judge) -> Contest:
    """Predict with the baseline for the users that have a delivered probability."""
    ours = outcomes.probabilities(target.name, day)
    is_predicted = np.isfinite(ours)
    histories = read_histories(outcomes.lake, outcomes.game, day)
    users = histories.places_of(outcomes.predictions(day).index[is_predicted])
    task = Task(target.name, target.horizon, day, users)
    return Contest(
        labels=outcomes.labels(target.name, day)[is_predicted],
        ours=ours[is_predicted],
        baseline=baseline_probabilities(task, histories),
        bg_nbd=forecast(task, histories),
    )


def share_row(about: str, contest: Contest, best: Floats) -> Row:
    """The share of the best possible AUC that both reach."""
    ours, theirs = (
        share_of_best(contest.labels, probabilities, best)
        for probabilities in (contest.ours, contest.baseline)
    )
    against = f"the truth (the baseline {theirs:.4f})"
    return value_row(f"{about}: share of the best AUC", ours, "share", against)


def first_days_rows(about: str, contest: Contest, users: pd.DataFrame) -> Iterator[Row]:
    """The difference in AUC among users in their first days, where enough show either outcome."""
    for name in FIRST_DAYS:
        places = np.flatnonzero(is_new(name, users))
        labels = contest.labels[places]
        if min(labels.sum(), (~labels).sum()) >= MIN_OUTCOMES:
            theirs = contest.baseline[places]
            difference = area_difference(labels, contest.ours[places], theirs)
            against = f"the baseline, {area(labels, theirs):.4f}, {len(places):,} users"
            yield difference_row(f"{about}, {name}", difference, against, "high")


def combined_row(about: str, contest: Contest) -> Row:
    """How much better than the baseline the mean of both is.

    Models that know different things gain from each other; two that know the same, and are as far
    from what can be known, do not.
    """
    both = (contest.ours + contest.baseline) / 2
    difference = area_difference(contest.labels, both, contest.baseline)
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    name = f"{about}: AUC more of the mean of both"
    return value_row(name, difference.value, "AUC", f"the baseline ({interval})")


def level_rows(about: str, contest: Contest) -> Iterator[Row]:
    """Log loss, calibration error and total of the probabilities."""
    labels, ours, baseline = contest.labels, contest.ours, contest.baseline
    loss, their_loss = (float(np.mean(log_losses(labels, p))) for p in (ours, baseline))
    yield value_row(f"{about}: log loss", loss, "nats", f"the baseline, {their_loss:.4f}")
    yield value_row(
        f"{about}: calibration error",
        calibration_error(labels, ours),
        "ECE",
        f"the baseline, {calibration_error(labels, baseline):.4f}",
        CALIBRATED if len(labels) >= MIN_CALIBRATED_USERS else None,
    )
    yield total_row(f"{about}: probabilities", float(ours.sum()), float(labels.sum()))


def spend_rows(about: str, spend: Floats, ours: Floats, bg_nbd: Floats) -> Iterator[Row]:
    """How well expected spend ranks users, and its total."""
    theirs = normalized_gini(spend, bg_nbd)
    yield value_row(
        f"{about}: normalised Gini",
        normalized_gini(spend, ours),
        "Gini",
        f"BG/NBD with gamma-gamma, {theirs:.4f}, total {bg_nbd.sum() / spend.sum():.3f}",
    )
    yield total_row(about, float(ours.sum()), float(spend.sum()))


def total_row(about: str, predicted: float, realised: float) -> Row:
    """How far a predicted total is from the realised one."""
    ratio = predicted / realised
    return value_row(
        f"{about}: distance of predicted over realised total from 1",
        abs(ratio - 1),
        "share",
        f"what happened ({ratio:.3f})",
        LEVEL,
    )
