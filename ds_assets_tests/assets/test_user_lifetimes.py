import datetime as dt
import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_settings import LIFETIMES
from ds_assets.core.lineage import lineage_of
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import stored_days, table_file
from ds_assets_tests.assets.factories import START, Installation, day, event, make_played

LAST = day(72)
ROLL_UPS = [dt.date(2026, 2, 1), dt.date(2026, 3, 1)]
FEATURES = ["user_lifetimes", "user_features"]
DAY = ["raw_logs", "user_activity", *FEATURES]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Ten weeks of activity, and features of the last day."""
    installation, _ = make_played(
        tmp_path_factory.mktemp("played"), users=40, days=73, seed=7, late=0.05
    )
    installation.run(START, LAST, DAY[:2])
    installation.run(LAST, assets=FEATURES)
    return installation


@pytest.fixture
def copy(played: Installation, tmp_path: Path) -> Installation:
    return played.copy(tmp_path)


def read(installation: Installation, table: str, at: dt.date) -> pd.DataFrame:
    return pd.read_parquet(installation.lake.local(table_file(table, at)))


def change_old_day(installation: Installation, at: dt.date, user: str) -> None:
    """Let the log of a day have another user, and read it again."""
    installation.write_logs(at, event(1, f"{at} 12:00:00", user), name="more.jsonl")
    installation.run(at, assets=DAY[:2])


def test_a_run_makes_every_roll_up_that_its_days_need_and_each_continues_the_one_before(
    played: Installation,
) -> None:
    assert list(stored_days(LIFETIMES, played.lake)) == ROLL_UPS
    first, second = (read(played, LIFETIMES, at).set_index("user_id") for at in ROLL_UPS)
    assert set(first.index) <= set(second.index)
    assert (second.loc[first.index, "active_days"] >= first["active_days"]).all()
    assert (second["last_active_date"].dropna() <= dt.date(2026, 2, 1)).all()
    assert second["events"].sum() > first["events"].sum() > 0


def test_features_of_a_day_are_those_that_the_whole_history_at_once_would_give(
    played: Installation,
) -> None:
    activity = pd.concat(
        pd.read_parquet(played.lake.local(file.name)).assign(dt=at)
        for at, file in stored_days("user_activity", played.lake).items()
    )
    active_rows = activity[(activity["event_date"] <= LAST) & (activity["activities"] > 0)]
    active = active_rows.groupby("user_id")["event_date"].nunique()
    first = active_rows.groupby("user_id")["event_date"].min()
    features = read(played, "user_features", LAST).set_index("user_id")
    assert features["lifetime_active_days"].to_dict() == active[features.index].to_dict()
    assert features["lifetime_days"].to_dict() == {
        user: (LAST - first[user]).days for user in features.index
    }
    assert features["lifetime_days"].max() > features["tenure_days"].max()


def test_a_roll_up_is_made_once(copy: Installation) -> None:
    before = {at: file.tag for at, file in stored_days(LIFETIMES, copy.lake).items()}
    with dg.DagsterInstance.ephemeral() as instance:
        copy.run(LAST, assets=FEATURES, instance=instance)
        (event_log,) = instance.get_latest_materialization_events([dg.AssetKey(LIFETIMES)]).values()
    assert event_log is not None
    assert event_log.asset_materialization is not None
    assert event_log.asset_materialization.metadata["roll_ups_made"].value == 0
    assert {at: file.tag for at, file in stored_days(LIFETIMES, copy.lake).items()} == before


def test_late_files_of_an_old_day_mend_the_roll_ups_after_it_and_outdate_features(
    copy: Installation,
) -> None:
    copy.run(day(60), assets=FEATURES)
    change_old_day(copy, day(1), "someone new")
    records = open_records(copy.game, copy.lake)
    assert records.outdated_days(LIFETIMES) == ROLL_UPS[:1]
    copy.run(ROLL_UPS[1], assets=["user_lifetimes"])
    assert "someone new" in set(read(copy, LIFETIMES, ROLL_UPS[1])["user_id"])
    records = open_records(copy.game, copy.lake)
    assert records.outdated_days(LIFETIMES) == []
    assert records.outdated_days("user_features") == [day(60), LAST]


def test_the_order_in_which_old_days_come_changes_nothing_in_the_end(
    played: Installation, tmp_path: Path
) -> None:
    other = Installation(tmp_path)
    for name in ("game.yaml", "source"):
        origin = played.home / name
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, tmp_path / name)
    other.run(day(40), LAST, DAY)
    other.run(START, day(39), DAY[:2])
    other.run(day(40), LAST, FEATURES)
    for at in ROLL_UPS:
        pd.testing.assert_frame_equal(read(other, LIFETIMES, at), read(played, LIFETIMES, at))
    pd.testing.assert_frame_equal(
        read(other, "user_features", LAST), read(played, "user_features", LAST)
    )


def test_features_continue_a_roll_up_though_the_activity_of_its_day_is_refused(
    copy: Installation,
) -> None:
    before = read(copy, "user_features", LAST)
    decide_by_operator(ROLL_UPS[1], Decision.REFUSED, "a test", "me", copy.lake, copy.game)
    copy.run(LAST, assets=FEATURES)
    names = [feature.name for feature in declare_features(copy.game) if feature.is_of_lifetime]
    after = read(copy, "user_features", LAST)
    assert after["lifetime_days"].max() == before["lifetime_days"].max()
    assert after[names].notna().mean().gt(0).any()
    inputs = Records(lineage_of(copy.game), copy.lake).inputs("user_features", LAST)
    assert f"{LIFETIMES} {ROLL_UPS[1]}" in inputs


def test_features_are_not_made_without_the_roll_up_that_they_continue(copy: Installation) -> None:
    Records({}, copy.lake).withdraw(LIFETIMES, ROLL_UPS[1:])
    with pytest.raises(InputError, match=f"no whole user_lifetimes of {ROLL_UPS[1]}; materialize"):
        copy.run(LAST, assets=["user_features"])
    assert copy.run(LAST, assets=FEATURES) == []


def test_a_damaged_roll_up_is_made_again(copy: Installation) -> None:
    before = read(copy, LIFETIMES, ROLL_UPS[1])
    copy.lake.write(table_file(LIFETIMES, ROLL_UPS[1]), b"garbage")
    copy.run(LAST, assets=FEATURES)
    pd.testing.assert_frame_equal(read(copy, LIFETIMES, ROLL_UPS[1]), before)


def test_a_damaged_roll_up_that_the_next_one_continues_is_named_and_made_again(
    copy: Installation,
) -> None:
    first = table_file(LIFETIMES, ROLL_UPS[0])
    before = read(copy, LIFETIMES, ROLL_UPS[1])
    copy.lake.write(first, b"garbage")
    copy.lake.write(table_file(LIFETIMES, ROLL_UPS[1]), b"garbage")
    with pytest.raises(InputError, match=f"{first} is damaged"):
        copy.run(LAST, assets=FEATURES)
    copy.run(LAST, assets=FEATURES)
    pd.testing.assert_frame_equal(read(copy, LIFETIMES, ROLL_UPS[1]), before)
