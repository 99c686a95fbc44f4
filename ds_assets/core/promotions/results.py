"""Results of promotions as rows: what came out, or what is missing until it can be known.

Scope: from the progress of a version to the rows of `PROMOTION_RESULTS`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ds_assets.core.group_defaults import MAX_USER_GROUPS
from ds_assets.core.models.evaluation.metrics import ALL
from ds_assets.core.promotions.assignment import AS_BEFORE, CONTROL, TREATED
from ds_assets.core.promotions.decisions import Withdrawal
from ds_assets.core.promotions.effects import (
    MIN_USERS_PER_ARM,
    RATIO_ALPHA,
    Effect,
    Moments,
    compare,
    compare_segments,
    mean_of,
    variance_of,
)
from ds_assets.core.promotions.waves import Progress, Wave
from ds_assets.core.promotions.words import (
    Outcome,
    describe_confirmation,
    describe_effect,
    describe_misfit,
    describe_progress,
    describe_shortage,
    describe_shown,
    describe_withdrawals,
)
from ds_assets.core.tables import PROMOTION_RESULTS

ASSIGNED, SHOWN = "assigned", "shown"
COST = "cost"
_MIN_SHOWN = 0.05
"""Smallest share of users who saw an offer, by which an effect is divided."""


@dataclass(frozen=True)
class Version:
    """A version of a promotion, and how far its comparison has come.

    Attributes:
        promotion: Name of the promotion, or `all`.
        name: The version.
        progress: How far its comparison has come.
    """

    promotion: str
    name: str
    progress: Progress


def results_of(
    versions: Iterable[Version],
    outcomes: Mapping[str, Outcome],
    as_of: dt.date,
    withdrawals: Sequence[Withdrawal] = (),
) -> pd.DataFrame:
    """Results of versions as of a day.

    Users count as assigned also where their offers were withdrawn, which the words say.

    Args:
        versions: The versions, each with a wave.
        outcomes: How each outcome is said, in the order of the rows.
        as_of: The last day of assignments whose outcomes are known.
        withdrawals: Of all promotions.

    Returns:
        The columns of `PROMOTION_RESULTS`.
    """
    rows = [
        {"as_of": as_of, "promotion": version.promotion, "version": version.name, **row}
        for version in versions
        for row in _rows_of_version(version.progress, outcomes, as_of)
    ]
    for row in rows:
        row["words"] += _describe_withdrawals(row, withdrawals)
    ordered = pd.DataFrame(rows, columns=PROMOTION_RESULTS.names)
    return ordered.sort_values([*PROMOTION_RESULTS.key], ignore_index=True)


def _describe_withdrawals(row: Mapping[str, Any], withdrawals: Iterable[Withdrawal]) -> str:
    """Which withdrawals ended offers of the users of a row before their horizon was over."""
    if row["segment"] != ALL or row["analysis"] != ASSIGNED:
        return ""
    return describe_withdrawals(
        it.at
        for it in withdrawals
        if it.promotion == row["promotion"]
        and it.first <= row["assigned_until"]
        and row["assigned_from"] < it.end
    )


def headlines_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of `PROMOTION_RESULTS` about all users, as assigned."""
    return rows[(rows["segment"] == ALL) & (rows["analysis"] == ASSIGNED)]


def _rows_of_version(
    progress: Progress, outcomes: Mapping[str, Outcome], as_of: dt.date
) -> Iterator[dict[str, Any]]:
    over, waiting = progress.over, progress.open
    if over is None:
        if waiting is not None:
            yield _without_effect(waiting, TREATED, "not_yet", describe_progress(waiting, as_of))
        return
    after = describe_confirmation(over, waiting, as_of)
    for row in _rows_of_wave(over, outcomes):
        if row["segment"] == ALL and row["outcome"] == over.terms.target:
            row["words"] += after
        yield row


def _rows_of_wave(wave: Wave, outcomes: Mapping[str, Outcome]) -> Iterator[dict[str, Any]]:
    for arm in (TREATED, AS_BEFORE):
        if arm == AS_BEFORE and not wave.count(arm):
            continue
        p_value = wave.ratio_p_value(arm)
        if p_value is not None and p_value < RATIO_ALPHA:
            row = _without_effect(wave, arm, "withheld", describe_misfit(wave, arm, p_value))
            yield row | {"p_value": p_value}
            continue
        for outcome in outcomes.values():
            if wave.of(outcome.name, arm) is not None:
                yield from _rows_of_outcome(wave, arm, outcome)


def _rows_of_outcome(wave: Wave, arm: str, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Rows of all users, of those who saw the offer, and of each segment."""
    arms = _arms_by_segment(wave, arm, outcome)
    comparable = {segment: both for segment, both in arms.items() if _are_comparable(both, outcome)}
    effects = compare_segments({it: both for it, both in comparable.items() if it != ALL})
    if ALL in comparable:
        effects[ALL] = compare(*comparable[ALL])
    for segment, (treated, control) in arms.items():
        row = _row(wave, arm, outcome.name, segment)
        row |= {"users_treated": treated.count(), "users_control": control.count()}
        if segment not in effects:
            words = describe_shortage(treated.count(), control.count())
            yield row | {"state": "withheld", "words": words}
            continue
        effect = effects[segment]
        yield row | _values(effect) | {"words": describe_effect(outcome, effect)}
        if segment == ALL and arm == TREATED:
            yield from _rows_of_shown(wave, outcome, effect, row)


def _rows_of_shown(
    wave: Wave, outcome: Outcome, effect: Effect, row: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The effect on users who saw the offer: that on all of them, divided by their share.

    Comparing those who saw it with control would compare users who came back with all users. An
    offer that is not seen changes nothing; so all of the effect is that on those who saw it, and
    whether there is one is the same question (Angrist, Imbens and Rubin 1996).
    """
    treated, control = (wave.of(SHOWN, arm) for arm in (TREATED, CONTROL))
    if treated is None or control is None or outcome.name == COST:
        return
    share = mean_of(treated) - mean_of(control)
    if share < _MIN_SHOWN:
        return
    of_those = replace(effect.scaled(1 / share), users_treated=round(share * treated.count()))
    yield (
        row
        | _values(of_those)
        | {
            "analysis": SHOWN,
            "users_treated": of_those.users_treated,
            "value_treated": None,
            "value_control": None,
            "words": describe_shown(outcome, of_those, share),
        }
    )


def _arms_by_segment(wave: Wave, arm: str, outcome: Outcome) -> dict[str, tuple[Moments, Moments]]:
    """An arm and control in all users, then in clusters, then in the largest user groups."""
    users = {
        cell.segment: moments.count()
        for cell, moments in wave.cells.items()
        if cell.arm == arm and cell.outcome == outcome.name and cell.segment != ALL
    }
    groups = sorted(users, key=lambda segment: (-users[segment], segment))[:MAX_USER_GROUPS]
    pairs = {
        segment: (wave.of(outcome.name, arm, segment), wave.of(outcome.name, CONTROL, segment))
        for segment in (ALL, *sorted(groups))
    }
    return {
        segment: (treated, control)
        for segment, (treated, control) in pairs.items()
        if treated is not None and control is not None
    }


def _are_comparable(arms: tuple[Moments, Moments], outcome: Outcome) -> bool:
    if min(arm.count() for arm in arms) < MIN_USERS_PER_ARM:
        return False
    return outcome.name == COST or all(variance_of(arm) > 0 for arm in arms)


def _without_effect(wave: Wave, arm: str, state: str, words: str) -> dict[str, Any]:
    row = _row(wave, arm, wave.terms.target, ALL)
    counts = {"users_treated": wave.count(arm), "users_control": wave.count(CONTROL)}
    return row | counts | {"state": state, "words": words}


def _row(wave: Wave, arm: str, outcome: str, segment: str) -> dict[str, Any]:
    return {
        "analysis": ASSIGNED,
        "segment": segment,
        "outcome": outcome,
        "arm": arm,
        "wave": wave.number,
        "assigned_from": wave.first,
        "assigned_until": wave.last,
    }


def _values(effect: Effect) -> dict[str, Any]:
    return {
        "users_treated": effect.users_treated,
        "users_control": effect.users_control,
        "value_treated": effect.treated,
        "value_control": effect.control,
        "effect": effect.value,
        "low": effect.low,
        "high": effect.high,
        "p_value": effect.p_value,
        "state": "result",
    }
