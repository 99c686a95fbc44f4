"""What effect models learn from: who was assigned, what was known then, and what they did."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.encoding import encode
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.lineage import lineage_of
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.promotions.uplift.release import PromotionTrial
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import read_rows, table_file
from ds_assets.infra.promotion_trials import read_trials
from ds_assets_tests.assets.assignments import (
    FIRST,
    SECOND,
    activity_within,
    assign,
    with_promotion,
)
from ds_assets_tests.assets.factories import LAST, Installation, finished

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return with_promotion(finished().copy(tmp_path))


def read_trial(installation: Installation, of: dt.date = LAST) -> PromotionTrial:
    records = Records(lineage_of(installation.game), installation.lake)
    engine, game = installation.engine, installation.game
    return read_trials(of, records, installation.lake, engine, game)["bundle"]


def compared(users: pd.DataFrame) -> pd.DataFrame:
    """The users of both arms, in the order of a trial."""
    chosen = users[users["arm"].isin(["treated", "control"])]
    return chosen.sort_values("user_id", ignore_index=True)


def test_a_row_has_the_features_of_its_day_and_what_the_user_did_in_the_horizons(
    copy: Installation,
) -> None:
    users = compared(assign(copy, FIRST))
    rows = read_trial(copy)
    trial = rows.trial
    assert (rows.target, rows.direction) == ("churn", -1)
    assert set(rows.days) == {FIRST}
    assert trial.treated.tolist() == (users["arm"] == "treated").tolist()
    active = activity_within(copy, FIRST, 5)
    came_back = set(active[active["activities"] > 0]["user_id"])
    assert trial.wanted.tolist() == [user in came_back for user in users["user_id"]]
    spent = activity_within(copy, FIRST, 7).groupby("user_id")["spend"].sum()
    assert trial.spend is not None
    expected = spent.reindex(users["user_id"]).fillna(0)
    # Spend counts for those whom the payment target counts as payers.
    assert trial.spend[trial.spend > 0] == pytest.approx(expected[trial.spend > 0].to_numpy())
    assert (trial.propensity == 0.5).all()
    stored = read_rows(user_features_table(copy.game), FIRST, copy.lake).to_pandas()
    features = stored.set_index("user_id").loc[users["user_id"]].reset_index()
    whole = features.assign(cluster=users["cluster"].astype("Int64"), user_group=None)
    np.testing.assert_array_equal(encode(whole, trial.encoding), trial.matrix)


def test_a_user_counts_from_the_first_assignment_on_and_of_one_version(copy: Installation) -> None:
    first, second = assign(copy, FIRST), assign(copy, SECOND)
    again = set(second["user_id"]) & set(first["user_id"])
    new = second[~second["user_id"].isin(again)]
    days = read_trial(copy).days
    assert (days == FIRST).sum() == len(compared(first))
    assert (days == SECOND).sum() == len(compared(new))
    changed = with_promotion(copy, control=0.4)
    assert len(read_trial(changed).trial) == 0


def test_users_stand_for_those_who_were_not_explored(copy: Installation) -> None:
    assign(copy, FIRST, weight=4.0)
    assert set(read_trial(copy).trial.row_weights) == {4.0}


def test_users_whose_offer_was_withdrawn_are_not_learnt_from(copy: Installation) -> None:
    assign(copy, FIRST)
    assign(copy, SECOND)
    both = set(read_trial(copy).days)
    withdraw = Choice.WITHDRAWN
    decide_about_promotion("bundle", withdraw, "it crashes", "anna", copy.lake, copy.game)
    assert both == {FIRST, SECOND}
    assert not set(read_trial(copy).days)


def test_users_whose_horizon_is_not_over_are_not_learnt_from(copy: Installation) -> None:
    users = compared(assign(copy, FIRST))
    last_of_horizon = FIRST + dt.timedelta(days=7)
    assert len(read_trial(copy, last_of_horizon).trial) == len(users)
    assert len(read_trial(copy, last_of_horizon - dt.timedelta(days=1)).trial) == 0


def test_nothing_that_was_stored_later_is_learnt_from(copy: Installation) -> None:
    assign(copy, FIRST)
    known_on = FIRST + dt.timedelta(days=7)
    before = read_trial(copy, known_on).trial
    later = [known_on + dt.timedelta(days=number) for number in range(1, 5)]
    assign(copy, later[0])
    tables = ("user_activity", "user_features")
    copy.lake.delete([table_file(table, of) for table in tables for of in later])
    after = read_trial(copy, known_on).trial
    assert len(before) > 0
    np.testing.assert_array_equal(after.matrix, before.matrix)
    np.testing.assert_array_equal(after.wanted, before.wanted)
    np.testing.assert_array_equal(after.spend, before.spend)
