"""Labelled snapshots of a sample of the users, beside those of all of them."""

import datetime as dt
from collections.abc import Sequence

import pandas as pd
import pytest

from ds_assets.assets import target_model
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.targets import Target, targets_of
from ds_assets.core.user_samples import are_sampled
from ds_assets.game import CustomTarget
from ds_assets.infra import training_snapshots
from ds_assets.infra.lake.tables import stored_days
from ds_assets.infra.training_snapshots import SnapshotReader, find_share
from ds_assets_tests.assets.factories import LAST, Installation, day, finished

pytestmark = pytest.mark.slow

SNAPSHOTS = [day(14), day(21)]


def reader(share: float, target: Target | None = None) -> SnapshotReader:
    installed: Installation = finished()
    game, lake = installed.game, installed.lake
    wanted = target or targets_of(game)["payment"]
    activity = stored_days("user_activity", lake)
    return SnapshotReader(wanted, activity, share, lake, installed.engine, game, pytest.fail)


def label(of: SnapshotReader) -> Sequence[LabelledSnapshot]:
    spend = of.find_outcomes({LAST: SNAPSHOTS})
    return of.label(LAST, SNAPSHOTS, spend).snapshots


def test_a_sample_has_the_same_users_with_the_same_labels_as_all() -> None:
    whole, some = label(reader(1.0)), label(reader(0.4))
    for one_of_all, sample in zip(whole, some, strict=True):
        kept = one_of_all.rows(are_sampled(one_of_all.features["user_id"], 0.4))
        assert 0 < len(sample.labels) < len(one_of_all.labels)
        pd.testing.assert_frame_equal(
            sample.features.reset_index(drop=True), kept.features.reset_index(drop=True)
        )
        pd.testing.assert_series_equal(sample.labels, kept.labels)
        assert sample.spend is not None
        assert kept.spend is not None
        pd.testing.assert_series_equal(sample.spend, kept.spend)
        assert sample.spend.sum() > 0


def test_outcomes_are_read_of_the_sample_alone() -> None:
    outcomes = reader(0.4).find_outcomes({LAST: SNAPSHOTS})
    users = [user for spend in outcomes[LAST].values() for user in spend.index]
    assert users
    assert are_sampled(users, 0.4).all()


def test_the_training_day_sees_what_it_sees_with_revisions() -> None:
    """So the outcomes of earlier days change nothing where no choices are made."""
    of = reader(1.0)
    spend = of.find_outcomes({LAST: SNAPSHOTS})
    plain, revised = label(of), of.revise(LAST, SNAPSHOTS, spend).snapshots
    for now, later in zip(plain, revised, strict=True):
        pd.testing.assert_frame_equal(now.features, later.features)
        pd.testing.assert_series_equal(now.labels, later.labels)
    assert set(plain[0].revisions) == set()
    latest = SNAPSHOTS[-1]
    assert set(plain[1].revisions) == {latest}
    pd.testing.assert_frame_equal(
        plain[1].revisions[latest].columns, revised[1].revisions[latest].columns
    )


def share_of(target: Target, *complete: list[dt.date]) -> float:
    return find_share(target, complete, finished().lake)


def test_few_rows_are_all_read() -> None:
    payment = targets_of(finished().game)["payment"]
    assert share_of(payment, SNAPSHOTS) == 1.0
    assert share_of(payment, []) == 1.0
    assert share_of(payment) == 1.0


def test_the_share_bounds_the_rows_of_the_day_with_the_fewest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = targets_of(finished().game)["payment"]
    monkeypatch.setattr(training_snapshots, "MAX_ROWS", 100)
    rows = [len(snapshot.labels) for snapshot in label(reader(1.0))]
    assert share_of(payment, SNAPSHOTS) == pytest.approx(100 / sum(rows), rel=0.1)
    assert share_of(payment, SNAPSHOTS, SNAPSHOTS[:1]) == pytest.approx(100 / rows[0], rel=0.1)


def test_users_outside_the_population_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_snapshots, "MAX_ROWS", 50)
    for population in ("has_paid", "never_paid"):
        declared = CustomTarget(event=("stage_clear",), horizon=7, population=population)
        game = finished().game.model_copy(update={"targets": {"stages": declared}})
        target = targets_of(game)["stages"]
        rows = sum(len(snapshot.labels) for snapshot in label(reader(1.0, target)))
        assert share_of(target, SNAPSHOTS) == pytest.approx(min(1.0, 50 / rows), rel=0.1)


def test_a_model_of_a_sample_is_trained_on_its_users(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = finished().copy(tmp_path_factory.mktemp("sampled"))
    target, game = targets_of(installation.game)["payment"], installation.game
    whole = target_model.update(target, [LAST], installation.lake, installation.engine, game)[LAST]
    monkeypatch.setattr(training_snapshots, "MAX_ROWS", whole.rows // 2)
    some = target_model.update(target, [LAST], installation.lake, installation.engine, game)[LAST]
    assert some.state == "ready"
    assert some.rows == pytest.approx(whole.rows / 2, rel=0.15)
    assert some.snapshots == whole.snapshots
