"""Offers that were shown, from reports and logs, by the day on which it became known."""

import datetime as dt
from pathlib import Path

from ds_assets.assets.promotion_shown import update
from ds_assets.core.contracts import conform
from ds_assets.core.tables import PROMOTION_SHOWN, PROMOTIONS
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.shown_offers import ShownOffer, store_shown_offers
from ds_assets.infra.lake.tables import read_rows, store_rows
from ds_assets_tests.core.promotions.factories import (
    START,
    assign_days,
    day_of,
    make_promoted_game,
    user_ids,
)

GAME = make_promoted_game({"bundle": {"until": START}}, time_zone="Asia/Seoul")


def test_reports_of_a_day_are_assignments_that_were_shown(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    assigned = assign_days(GAME, user_ids(40), [START])[START].rows
    store_rows(conform(PROMOTIONS, assigned), PROMOTIONS.name, START, lake)
    treated = assigned[assigned["arm"] == "treated"].iloc[0]
    kept = assigned[assigned["arm"] == "control"].iloc[0]
    at = dt.datetime(2026, 3, 2, 20, tzinfo=dt.UTC)  # the next morning in Seoul
    reports = [ShownOffer(it["user_id"], it["assignment_id"], at) for it in (treated, kept)]
    for offers in (reports, reports):  # a reply was lost
        store_shown_offers(offers, day_of(2), lake)
    days = update([day_of(1), day_of(2)], lake, GAME)
    assert [days[day].rows.num_rows for day in (day_of(1), day_of(2))] == [0, 1]
    assert days[day_of(2)].unknown == 1
    assert read_rows(PROMOTION_SHOWN, day_of(2), lake).to_pylist() == [
        {
            "as_of": day_of(2),
            "user_id": treated["user_id"],
            "promotion": "bundle",
            "assignment_id": treated["assignment_id"],
            "shown_on": day_of(2),
        }
    ]
