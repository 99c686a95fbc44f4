"""The order of snapshots in time: which train, and which validate."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.data.snapshots import (
    FOLDS,
    LabelledSnapshot,
    Revision,
    choice_day,
    folds,
    in_order,
    sampled,
    validation_days,
)
from ds_assets_tests.core.factories import FIRST_DAY, make_snapshot, make_snapshots, make_target


def weeks(count: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(weeks=count)


AS_OF = weeks(8)


def bare(day: dt.date, maturity_days: int) -> LabelledSnapshot:
    """A snapshot of nobody."""
    matured = day + dt.timedelta(days=maturity_days)
    return LabelledSnapshot(day, pd.DataFrame(), pd.Series(dtype=bool), matured)


def days_of(snapshots: Sequence[LabelledSnapshot]) -> list[dt.date]:
    return [snapshot.day for snapshot in snapshots]


def test_a_label_is_known_after_the_horizon_and_the_grace() -> None:
    assert make_target(horizon=14, grace=3).maturity_days == 17


offsets = st.sets(st.integers(0, 200), min_size=1, max_size=30)


@given(offsets, st.integers(1, 60), st.integers(0, 10))
def test_a_model_is_never_validated_on_days_that_its_labels_have_seen(
    offsets: set[int], horizon: int, grace: int
) -> None:
    days = [FIRST_DAY + dt.timedelta(days=offset) for offset in sorted(offsets)]
    wait = dt.timedelta(days=horizon + grace)
    snapshots = [bare(day, horizon + grace) for day in days]
    validation_folds = folds(snapshots)
    for fold in validation_folds:
        training, validation = days_of(fold.training), fold.validation.day
        label_days = {day + dt.timedelta(days=n) for day in training for n in range(horizon + 1)}
        judged = {validation + dt.timedelta(days=n) for n in range(1, horizon + 1)}
        assert not label_days & judged
        assert max(training) < validation
        assert training == [day for day in days if day + wait <= validation]
    validated = [fold.validation.day for fold in validation_folds]
    assert validated == sorted(validated, reverse=True)
    assert validated[:FOLDS] == [day for day in reversed(days[-FOLDS:]) if days[0] + wait <= day]


@given(offsets, st.integers(1, 60))
def test_choices_are_made_on_outcomes_that_were_known_on_the_latest_validation_day(
    offsets: set[int], horizon: int
) -> None:
    days = [FIRST_DAY + dt.timedelta(days=offset) for offset in sorted(offsets)]
    matured_on = {day: day + dt.timedelta(days=horizon) for day in days}
    chosen_on = choice_day(matured_on)
    matured_days = [day for day in days if matured_on[day] <= days[-1]]
    assert chosen_on == (matured_days[-1] if matured_days else None)
    if chosen_on is not None:
        assert chosen_on in validation_days(matured_on)
        looks = validation_days(matured_on)
        assert looks[days[-1]] is None
        assert looks[chosen_on] == days[-1]
        assert set(looks) == {*days[-FOLDS:], chosen_on}


def test_without_snapshots_there_is_nothing_to_choose_on() -> None:
    assert choice_day({}) is None
    assert validation_days({}) == {}


def revised(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    """On its own day and two weeks later other labels and clusters were known."""
    users = pd.Index(snapshot.features["user_id"])
    columns = pd.DataFrame({"cluster": pd.array([7] * len(users), "Int64")}, index=users)
    revision = Revision(columns, ~snapshot.labels, None)
    return replace(
        snapshot,
        features=snapshot.features.assign(cluster=pd.array([1] * len(users), "Int64")),
        revisions={snapshot.day: revision, snapshot.day + dt.timedelta(weeks=2): revision},
    )


def test_a_fold_trains_on_what_was_known_on_its_day() -> None:
    snapshots = [revised(make_snapshot(weeks(n), users=5)) for n in range(3)]
    (fold,) = folds(snapshots)
    assert set(fold.training[0].features["cluster"]) == {7}
    assert fold.training[0].labels.equals(~snapshots[0].labels)


def test_a_snapshot_validates_with_the_clusters_of_its_day_and_the_latest_outcomes() -> None:
    snapshots = [revised(make_snapshot(weeks(n), users=5)) for n in range(3)]
    (fold,) = folds(snapshots)
    assert set(fold.validation.features["cluster"]) == {7}
    assert fold.validation.labels.equals(snapshots[2].labels)


def test_revisions_are_put_in_the_order_of_the_users_and_selected_with_them() -> None:
    snapshot = revised(make_snapshot(FIRST_DAY, users=20))
    shuffled = {
        day: Revision(
            revision.columns.sample(frac=1, random_state=1),
            revision.labels.sample(frac=1, random_state=2),
        )
        for day, revision in snapshot.revisions.items()
    }
    (ordered_snapshot,) = ordered([replace(snapshot, revisions=shuffled)])
    some = ordered_snapshot.rows(np.arange(20) < 5).as_known_on(FIRST_DAY)
    assert list(some.labels.index) == list(some.features["user_id"])
    assert some.labels.tolist() == (~snapshot.labels[:5]).tolist()


def test_snapshots_of_less_than_a_label_window_have_no_fold() -> None:
    snapshots = [bare(weeks(n), 14) for n in range(2)]
    assert folds(snapshots) == []
    assert folds([]) == []
    (fold,) = folds([*snapshots, bare(weeks(2), 14)])
    assert (days_of(fold.training), fold.validation.day) == ([weeks(0)], weeks(2))


def test_folds_begin_with_the_latest_snapshot() -> None:
    validation_folds = folds([bare(weeks(n), 14) for n in range(6)])
    assert [fold.validation.day for fold in validation_folds] == [weeks(5), weeks(4), weeks(3)]
    assert [len(fold.training) for fold in validation_folds] == [4, 3, 2]


def ordered(snapshots: Sequence[LabelledSnapshot], as_of: dt.date = AS_OF) -> list[Any]:
    return in_order(snapshots, 14, as_of)


def test_snapshots_and_their_users_are_put_in_order() -> None:
    earlier, later = make_snapshots(2, users=20, pays=True)
    shuffled = replace(
        later,
        features=later.features.sample(frac=1, random_state=1),
        labels=later.labels.sample(frac=1, random_state=2),
        spend=None if later.spend is None else later.spend.sample(frac=1, random_state=3),
    )
    first, second = ordered([shuffled, earlier])
    assert days_of([first, second]) == [weeks(0), weeks(1)]
    pd.testing.assert_frame_equal(second.features, later.features)
    pd.testing.assert_series_equal(second.labels, later.labels, check_names=False)
    assert later.spend is not None
    pd.testing.assert_series_equal(second.spend, later.spend, check_names=False)
    np.testing.assert_array_equal(second.outcomes, later.labels)


def test_who_is_not_in_the_spend_spent_nothing() -> None:
    snapshot = make_snapshot(FIRST_DAY, 5)
    users = snapshot.features["user_id"]
    spend = pd.Series([3.0, 9.0], index=pd.Index([users[1], "somebody else"]))
    (ordered_snapshot,) = ordered([replace(snapshot, spend=spend)])
    assert ordered_snapshot.spend.tolist() == [0.0, 3.0, 0.0, 0.0, 0.0]


def test_what_was_given_stays_as_it_was() -> None:
    snapshot = make_snapshot(FIRST_DAY, 20)
    turned = replace(snapshot, features=snapshot.features[::-1])
    before = turned.features.copy(deep=True)
    ordered([turned])
    pd.testing.assert_frame_equal(turned.features, before)


def test_labels_that_have_not_matured_are_refused() -> None:
    snapshots = make_snapshots(5, users=5)
    last = snapshots[-1].matured_on
    assert len(ordered(snapshots, as_of=last)) == 5
    with pytest.raises(ValueError, match=f"snapshot {weeks(4)} mature on {last}, after"):
        ordered(snapshots, as_of=last - dt.timedelta(days=1))


def test_labels_that_claim_to_be_known_within_their_window_are_refused() -> None:
    early = replace(make_snapshot(FIRST_DAY, 5), matured_on=FIRST_DAY + dt.timedelta(days=13))
    with pytest.raises(ValueError, match="cannot have matured on 2024-01-14"):
        ordered([early])


def test_a_snapshot_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        ordered([make_snapshot(FIRST_DAY, 5), make_snapshot(FIRST_DAY, 5)])


@pytest.mark.parametrize("keep", [slice(1, None), [0, *range(30)]])
def test_labels_of_other_users_than_the_features_are_refused(keep: Any) -> None:
    snapshot = make_snapshot(FIRST_DAY, 30)
    with pytest.raises(ValueError, match="one label for each of its users"):
        ordered([replace(snapshot, labels=snapshot.labels.iloc[keep])])


def test_a_user_who_is_twice_in_a_snapshot_is_refused() -> None:
    snapshot = make_snapshot(FIRST_DAY, 30)
    doubled = pd.concat([snapshot.features, snapshot.features[:1]])
    with pytest.raises(ValueError, match="found 31 rows and 30 labels"):
        ordered([replace(snapshot, features=doubled)])


def test_some_users_of_a_snapshot_keep_all_that_is_known_of_them() -> None:
    snapshot = make_snapshot(FIRST_DAY, 30, pays=True)
    some = snapshot.rows(np.arange(30) % 3 == 0)
    assert list(some.labels.index) == list(some.features["user_id"])
    assert some.spend is not None
    assert snapshot.spend is not None
    assert list(some.spend) == list(snapshot.spend)[::3]
    assert (some.day, some.matured_on, len(some.labels)) == (snapshot.day, snapshot.matured_on, 10)
    assert make_snapshot(FIRST_DAY, 30).rows(np.ones(30, dtype=bool)).spend is None


def test_a_sample_has_the_same_users_in_each_snapshot() -> None:
    snapshots = make_snapshots(4, users=2_000)
    samples = sampled(snapshots, 2_000)
    users = [set(sample.features["user_id"]) for sample in samples]
    assert all(user == users[0] for user in users)
    assert sum(map(len, users)) == pytest.approx(2_000, rel=0.2)
    assert days_of(samples) == days_of(snapshots)


def test_a_sample_of_few_rows_is_all_of_them() -> None:
    snapshots = make_snapshots(2, users=50)
    assert sampled(snapshots, 100) == snapshots
    assert sampled([], 100) == []


def test_a_sample_does_not_depend_on_who_else_is_there_that_day() -> None:
    snapshot = make_snapshot(FIRST_DAY, 1_000)
    (some,) = sampled([snapshot], 500)
    half = snapshot.rows(np.arange(1_000) < 500)
    (of_half,) = sampled([half], 250)
    assert set(of_half.features["user_id"]) == set(some.features["user_id"][:1_000]) & set(
        half.features["user_id"]
    )


def filling_snapshot(week: int, logged_days: int) -> LabelledSnapshot:
    """Users with an event on each day of the logs."""
    features = pd.DataFrame(
        {
            "user_id": ["a", "b"],
            "events_7d": [float(min(7, logged_days))] * 2,
            "events_28d": [float(min(28, logged_days))] * 2,
            "tenure_days": [logged_days - 1.0] * 2,
        }
    )
    return replace(
        make_snapshot(weeks(week), users=2),
        features=features,
        sums={"events_7d": 7, "events_28d": 28},
        logged_days=logged_days,
    )


@given(st.integers(1, 60), st.integers(0, 60))
def test_users_who_do_not_change_look_the_same_however_many_days_of_logs_a_window_has(
    logged_days: int, later: int
) -> None:
    earlier = filling_snapshot(0, logged_days)
    now = filling_snapshot(0, logged_days + later)
    scaled = earlier.scale_windows(earlier.day + dt.timedelta(days=later)).features
    pd.testing.assert_frame_equal(
        scaled[["events_7d", "events_28d"]], now.features[["events_7d", "events_28d"]]
    )
    assert scaled["tenure_days"].equals(earlier.features["tenure_days"])


def test_a_fold_trains_on_windows_as_long_as_those_of_its_validation_snapshot() -> None:
    snapshots = [filling_snapshot(n, logged_days=7 * n + 8) for n in range(3)]
    (fold,) = folds([replace(it, matured_on=it.day + dt.timedelta(weeks=2)) for it in snapshots])
    assert set(fold.training[0].features["events_28d"]) == {22.0}
    assert set(fold.validation.features["events_28d"]) == {22.0}


def test_a_snapshot_keeps_which_windows_are_filling_when_an_earlier_day_looks_at_it() -> None:
    snapshot = replace(revised(make_snapshot(FIRST_DAY, users=5)), filling=frozenset({"spend_28d"}))
    assert snapshot.as_known_on(FIRST_DAY).filling == {"spend_28d"}
