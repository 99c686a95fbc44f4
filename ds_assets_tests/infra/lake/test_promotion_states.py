import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.promotions.states import PromotionState
from ds_assets.core.provenance import Provenance
from ds_assets.core.tables import PREDICTION_OUTCOMES
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.promotion_decisions import DECISIONS, list_withdrawals
from ds_assets.infra.lake.promotion_states import (
    decide_about_promotion,
    read_newest_outcomes,
    read_states,
)
from ds_assets.infra.lake.provenance import store_record
from ds_assets.infra.lake.tables import store_rows
from ds_assets_tests.core.promotions.factories import day_of, make_promoted_game

GAME = make_promoted_game({"bundle": {}, "gift": {"who": "country = 'KR'", "target": "payment"}})
TODAY = day_of(30)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path)


def store_outcomes(lake: FolderLake, day: dt.date, **verdicts: str) -> None:
    """Outcomes of all users of a day, by target."""
    empty = dict.fromkeys(PREDICTION_OUTCOMES.names)
    numbers = {"as_of": day, "segment": "all", "users": 9, "predicted": 0.5, "happened": 0.5}
    rows = [
        {**empty, **numbers, "target": target, "verdict": verdict}
        for target, verdict in verdicts.items()
    ]
    rows += [{**it, "segment": "cluster=1", "verdict": "useless"} for it in rows]
    table = conform(PREDICTION_OUTCOMES, pd.DataFrame(rows))
    store_rows(table, PREDICTION_OUTCOMES.name, day, lake)
    store_record(Provenance(asset=PREDICTION_OUTCOMES.name, day=day, content="c", inputs={}), lake)


def states(lake: FolderLake, game: Game = GAME) -> dict[str, PromotionState]:
    return read_states([TODAY], lake, game, {})[TODAY]


def statuses(lake: FolderLake) -> dict[str, str]:
    return {name: state.status for name, state in states(lake).items()}


def test_useless_predictions_stop_the_promotions_that_rely_on_them(lake: FolderLake) -> None:
    assert statuses(lake) == {"bundle": "runs", "gift": "runs"}
    store_outcomes(lake, day_of(1), churn="useless", payment="as_promised")
    assert statuses(lake) == {"bundle": "stopped", "gift": "runs"}
    store_outcomes(lake, day_of(2), churn="too_few_users", payment="outside")
    assert read_newest_outcomes(lake)["churn"].day == day_of(1)
    store_outcomes(lake, day_of(3), churn="as_promised")
    assert statuses(lake) == {"bundle": "runs", "gift": "runs"}


def test_a_person_may_continue_it_until_newer_outcomes_are_useless_too(lake: FolderLake) -> None:
    store_outcomes(lake, day_of(1), churn="useless")
    decide_about_promotion("bundle", Choice.RESUMED, "known", "anna", lake, GAME)
    assert statuses(lake)["bundle"] == "runs"
    store_outcomes(lake, day_of(2), churn="useless")
    assert str(states(lake)["bundle"]) == "stopped, churn predictions of 2026-03-03 were useless"


def test_the_newest_decision_counts_and_stays_on_record_with_those_before(lake: FolderLake) -> None:
    for choice in (Choice.PAUSED, Choice.RESUMED, Choice.PAUSED):
        decide_about_promotion("bundle", choice, "why", "anna", lake, GAME)
    assert statuses(lake) == {"bundle": "paused", "gift": "runs"}
    assert len(lake.entries(DECISIONS)) == 3


def test_a_promotion_is_withdrawn_before_anything_is_assigned(lake: FolderLake) -> None:
    decide_about_promotion("bundle", Choice.WITHDRAWN, "why", "anna", lake, GAME)
    assert statuses(lake) == {"bundle": "withdrawn", "gift": "runs"}
    with pytest.raises(InputError, match="a reason is required"):
        decide_about_promotion("gift", Choice.WITHDRAWN, " ", "anna", lake, GAME)


def test_asking_creates_nothing(lake: FolderLake) -> None:
    assert statuses(lake) == {"bundle": "runs", "gift": "runs"}
    assert lake.objects("") == []


def test_a_damaged_decision_pauses_its_promotion(lake: FolderLake) -> None:
    decision = decide_about_promotion("bundle", Choice.RESUMED, "why", "anna", lake, GAME)
    lake.write(f"{DECISIONS}/{decision.name}", b"{")
    assert states(lake)["bundle"].status == "paused"
    assert "cannot be read; decide again with `ds-assets resume bundle`" in str(states(lake))


def test_a_damaged_withdrawal_still_withdraws(lake: FolderLake) -> None:
    decision = decide_about_promotion("bundle", Choice.WITHDRAWN, "why", "anna", lake, GAME)
    lake.write(f"{DECISIONS}/{decision.name}", b"{")
    assert states(lake)["bundle"].status == "withdrawn"
    (withdrawal,) = list_withdrawals(lake)
    assert withdrawal.is_open


def test_a_file_with_mistakes_stops_its_promotion(lake: FolderLake) -> None:
    stopped = read_states([TODAY], lake, GAME, {"bundle": "no file"})[TODAY]
    assert stopped["bundle"] == PromotionState("stopped", "no file")
