"""What each family of features adds to the models, on snapshots inside the training window.

The project's learner is fitted to the matured snapshots with all features, without those of one
family, and with those of a candidate, which are no features yet. Each fit is measured on later
snapshots of the same training window, whose users it could have predicted for.
"""

import datetime as dt
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
import pandas as pd

from benchmarks.controls.histories import Histories, compute_features, read_histories
from benchmarks.controls.other_learners import Matrix, Rows, rows_of
from benchmarks.measuring import say
from benchmarks.quality_rows import value_row
from benchmarks.report import Row
from benchmarks.validation import TARGETS, Flags, Judge, area
from ds_assets.core.labels import matured_snapshots
from ds_assets.core.models.learning.learner import LINEAR_SHARE, fit_classifier
from ds_assets.core.targets import targets_of

FAMILIES: Mapping[str, str] = {
    "counts and dates of the whole history": r"lifetime_(?!.*gap).*",
    "gaps over the whole history": r".*lifetime_.*gap.*",
    "decayed rates": r".*_rate_\d+d",
    "days with a purchase": r"purchase_days_\d+d",
    "hours since the last activity": r"hours_.*",
}
"""Regular expressions of the names of each family's features."""
EVERY = "all of these families"
CANDIDATE = "candidate: weekdays and hour of the day"
CANDIDATE_COLUMNS = ("weekend", "weekday_1", "weekday_2", "weekday_3", "hour")
"""Columns of the strong baseline: shares and counts of the user's activity."""
SEED = 0


@dataclass(frozen=True)
class Score:
    """How good a set of features is, and what it costs.

    Attributes:
        areas: AUC on each validation snapshot.
        seconds: Processor time of the fits.
    """

    areas: list[float]
    seconds: float


def family_rows(game: str, judge: Judge, day: dt.date) -> Iterator[Row]:
    """Compare the features with fewer and with more of them, for models of a day of a game."""
    histories = read_histories(judge.lake, judge.game, day)
    for target in TARGETS:
        say(f"  families of features for {target} of {game}")
        about = f"families, {game}, {target}"
        rows = rows_of(target, day, judge)
        whole = score_features(rows)
        for family, is_in in find_families(rows.names).items():
            yield _row(f"{about}, {family}", whole, score_features(without_columns(is_in, rows)))
        candidate = candidate_columns(target, day, judge, histories)
        more = replace(rows, matrix=np.hstack([rows.matrix, candidate]))
        yield _row(f"{about}, {CANDIDATE}", score_features(more), whole)


def find_families(names: Sequence[str]) -> dict[str, Flags]:
    """Which features are in each family, and in any of them, by its name."""
    families = {
        family: np.array([re.fullmatch(pattern, name) is not None for name in names])
        for family, pattern in FAMILIES.items()
    }
    return families | {EVERY: np.any(list(families.values()), axis=0)}


def candidate_columns(target: str, day: dt.date, judge: Judge, histories: Histories) -> Matrix:
    """The candidate features of the training rows of a model, shape (rows, columns)."""
    declared = targets_of(judge.game)[target]
    days = matured_snapshots(day, declared.horizon, declared.max_snapshots, judge.game)
    frames = []
    for snapshot in days:
        users = histories.places_of(pd.Index(judge.features(snapshot)["user_id"]))
        features = compute_features(histories, snapshot, users)
        frames.append(features[[*CANDIDATE_COLUMNS]].to_numpy(np.float32))
    return np.concatenate(frames)


def without_columns(left_out: Flags, rows: Rows) -> Rows:
    """The rows without some features."""
    kept = np.flatnonzero(~left_out)
    categories = np.flatnonzero(np.isin(kept, rows.categories)).tolist()
    return replace(rows, matrix=rows.matrix[:, kept], categories=categories)


def score_features(rows: Rows) -> Score:
    """Fit the learner to earlier snapshots, and measure it on later ones."""
    areas, seconds = [], 0.0
    for early, late in rows.folds():
        start = time.process_time()
        fitted = fit_classifier(
            rows.matrix[early],
            rows.labels[early],
            LINEAR_SHARE,
            SEED,
            categories=rows.categories,
        )
        seconds += time.process_time() - start
        areas.append(area(rows.labels[late], fitted.log_odds(rows.matrix[late])))
    return Score(areas, seconds)


def _row(about: str, more: Score, fewer: Score) -> Row:
    """How much better the score with more features is."""
    gains = [high - low for high, low in zip(more.areas, fewer.areas, strict=True)]
    against = (
        f"without ({fmean(fewer.areas):.4f}; {min(gains):+.4f} to {max(gains):+.4f} on "
        f"{len(gains)} snapshots; fitting takes {more.seconds / fewer.seconds:.2f} times as long)"
    )
    return value_row(f"{about}: AUC more", fmean(gains), "AUC", against)
