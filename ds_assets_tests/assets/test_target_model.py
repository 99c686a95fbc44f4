"""What a training day may see: windows that are over, what happened in them, the day before."""

import datetime as dt
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from ds_assets.assets import target_model
from ds_assets.core.lineage import LONGEST_PAUSE
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.drift import DAYS_KEPT
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.snapshot_days import list_snapshots
from ds_assets.core.targets import targets_of
from ds_assets.core.verdicts import Decision
from ds_assets.game import Horizons
from ds_assets.infra.labels import StoredActivity, labels_of, outcomes_of
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import drift_of, stored_card, stored_files
from ds_assets.infra.lake.tables import stored_days, table_file
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    Installation,
    day,
    event,
    finished,
    make_installation,
)
from ds_assets_tests.core.factories import make_game, make_snapshot
from ds_assets_tests.core.models.card_factories import make_full_card

SNAPSHOT = dt.date(2026, 3, 1)


def test_each_target_has_its_own_horizon_and_both_the_games_groups() -> None:
    game = make_game(horizons={"churn": 3, "payment": 9}, user_groups="country", grace_days=2)
    churn, payment = targets_of(game)["churn"], targets_of(game)["payment"]
    assert (churn.horizon, churn.maturity_days) == (3, 5)
    assert (payment.horizon, payment.maturity_days) == (9, 11)
    assert {churn.user_groups, payment.user_groups} == {"country"}


def test_who_was_not_seen_has_left_and_spend_is_not_asked() -> None:
    users = pd.Series(["a", "b"])
    labels, spend = labels_of(
        targets_of(make_game())["churn"], users, pd.Series({"b": 0.0, "elsewhere": 1.0})
    )
    assert labels.to_dict() == {"a": True, "b": False}
    assert spend is None


def test_who_paid_is_positive_with_what_was_spent_and_nobody_else_spent_anything() -> None:
    users = pd.Series(["a", "b", "c"])
    labels, spend = labels_of(
        targets_of(make_game())["payment"], users, pd.Series({"c": 2.5, "a": 0.0})
    )
    assert labels.to_dict() == {"a": True, "b": False, "c": True}
    assert spend is not None
    assert spend.to_dict() == {"a": 0.0, "b": 0.0, "c": 2.5}


def paid(number: int, time: str, user: str, amount: float) -> str:
    return event(number, time, user, "purchase")[:-1] + f', "amount": {amount}}}'


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Three days after a snapshot: who plays, who pays and does not play, and who pays late."""
    installation = make_installation(
        tmp_path_factory.mktemp("window"), horizons={"churn": 2, "payment": 2}
    )
    lines: dict[int, list[str]] = {
        0: [event(0, f"{START}T10:00:00Z", "everybody")],
        1: [event(1, f"{day(1)}T10:00:00Z", "plays"), paid(2, f"{day(1)}T11:00:00Z", "pays", 0.1)],
        2: [paid(number, f"{day(2)}T10:00:00Z", "pays", 0.1) for number in (3, 4)],
        3: [paid(5, f"{day(2)}T12:00:00Z", "late", 5.0), event(6, f"{day(3)}T10:00:00Z", "after")],
    }
    for number, of_day in lines.items():
        installation.write_logs(day(number), *of_day)
    installation.run(START, day(3), ("raw_logs", "user_activity"))
    return installation


def outcome_columns(installation: Installation, target: str, at: dt.date) -> dict[str, float]:
    lake, game = installation.lake, installation.game
    outcomes = outcomes_of(
        targets_of(game)[target],
        {at: [START]},
        StoredActivity(list(stored_days("user_activity", lake))),
        lake,
        installation.engine,
        game,
    )
    return {str(user): spend for user, spend in outcomes[at][START].items()}


@pytest.mark.slow
def test_outcomes_are_of_the_window_alone_as_it_was_known_on_the_training_day(
    window: Installation,
) -> None:
    assert set(outcome_columns(window, "churn", day(2))) == {"plays"}
    # exactly: 0.1 + 0.2 is more than that, or not, by the order in which numbers are added
    assert outcome_columns(window, "payment", day(2)) == {"pays": 0.3}
    assert outcome_columns(window, "payment", day(3)) == {"pays": 0.3, "late": 5.0}


def test_without_snapshots_nothing_is_read(window: Installation) -> None:
    churn, nothing = targets_of(window.game)["churn"], StoredActivity([])
    outcomes = outcomes_of(churn, {LAST: []}, nothing, window.lake, window.engine, window.game)
    assert outcomes == {LAST: {}}


def ready_days(lake: FolderLake, target: str = "payment") -> list[dt.date]:
    cards = [stored_card(target, as_of, ModelCard, lake) for as_of in lake.days(f"models/{target}")]
    return [card.as_of for card in cards if card is not None and card.state == "ready"]


def put_away(lake: FolderLake, *days: dt.date) -> None:
    names = [item.name for day in days for item in lake.objects(f"models/payment/dt={day}")]
    lake.delete(names)


@pytest.mark.slow
def test_the_champion_is_the_latest_model_of_the_days_before_with_its_twins(
    tmp_path: Path,
) -> None:
    lake = finished().copy(tmp_path).lake
    ready = ready_days(lake)
    assert target_model._find_champion("payment", ready[0], lake, print) is None
    before = target_model._find_champion("payment", LAST, lake, print)
    assert before is not None
    assert before.card.as_of == day(30)
    assert before.files == stored_files("payment", before.card, lake, with_validation_models=True)
    assert "twin_model.onnx" in dict(before.files.parts)
    put_away(lake, day(30), day(29))
    earlier = target_model._find_champion("payment", LAST, lake, print)
    assert earlier is not None
    assert earlier.card.as_of == day(28)


@pytest.mark.slow
def test_a_model_from_before_a_long_pause_is_no_champion(tmp_path: Path) -> None:
    lake = finished().copy(tmp_path).lake
    newest = max(ready_days(lake))
    last_chance = newest + dt.timedelta(days=LONGEST_PAUSE)
    assert target_model._find_champion("payment", last_chance, lake, print) is not None
    too_late = last_chance + dt.timedelta(days=1)
    assert target_model._find_champion("payment", too_late, lake, print) is None


@pytest.mark.slow
def test_each_day_challenges_the_model_that_the_day_before_delivered() -> None:
    lake = finished().lake
    kept = set()
    for target in ("churn", "payment"):
        ready = ready_days(lake, target)
        cards = [stored_card(target, as_of, ModelCard, lake) for as_of in ready]
        versions = [None if card is None else card.version for card in cards]
        decisions = [None if card is None else card.decision for card in cards]
        assert [decision.champion for decision in decisions if decision] == [None, *versions[:-1]]
        kept |= {decision.kept for decision in decisions if decision}
    assert kept == {"champion", "challenger"}


@pytest.mark.slow
def test_a_champion_that_stays_is_delivered_as_it_was() -> None:
    lake = finished().lake
    stayed = []
    for as_of in ready_days(lake, "churn"):
        card = stored_card("churn", as_of, ModelCard, lake)
        assert card is not None
        assert card.decision is not None
        if card.decision.kept == "champion":
            before = stored_card("churn", as_of - dt.timedelta(days=1), ModelCard, lake)
            assert before is not None
            assert (card.version, card.trained) == (before.version, before.trained)
            files, those = (
                stored_files("churn", each, lake, with_validation_models=True)
                for each in (card, before)
            )
            assert (files.onnx, files.parts) == (those.onnx, those.parts)
            stayed.append(as_of)
    assert stayed


@pytest.mark.slow
def test_a_champion_of_another_horizon_does_not_answer_where_there_is_too_little_data_for_a_new_one(
    tmp_path: Path,
) -> None:
    installation = finished().copy(tmp_path)
    longer = installation.game.model_copy(update={"horizons": Horizons(churn=20, payment=7)})
    churn = targets_of(longer)["churn"]
    card = target_model.update(churn, [LAST], installation.lake, installation.engine, longer)[LAST]
    assert (card.state, card.horizon) == ("not_enough_data", 20)
    assert card.reasons[0].startswith("2 matured snapshots; the first model needs two")


def spoil(lake: FolderLake, name: str, how: str) -> None:
    """Leave an object as a damaged disk or another release leaves it."""
    content = lake.read(name)
    if how == "missing":
        lake.delete([name])
    elif how == "unknown key":
        lake.write(name, content.replace(b"{", b'{"from_the_future": 1,', 1))
    elif how == "newer format":
        lake.write(name, content.replace(b'"format": 1', b'"format": 99', 1))
    else:
        lake.write(name, content[: len(content) // 2] if how == "truncated" else b"\xff\x00")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "how"),
    [
        ("card.json", "unknown key"),
        ("card.json", "newer format"),
        ("card.json", "truncated"),
        ("card.json", "damaged"),
        ("model.onnx", "missing"),
        ("model.onnx", "truncated"),
        ("twin_model.onnx", "damaged"),
        ("twin_model.onnx", "missing"),
    ],
)
def test_a_model_that_cannot_be_read_is_a_warning_and_an_earlier_one_is_the_champion(
    tmp_path: Path, file: str, how: str
) -> None:
    lake = finished().copy(tmp_path).lake
    spoil(lake, f"models/payment/dt={day(30)}/{file}", how)
    warnings: list[str] = []
    champion = target_model._find_champion("payment", LAST, lake, warnings.append)
    assert champion is not None
    assert champion.card.as_of == day(29)
    (warning,) = warnings
    assert str(day(30)) in warning


@pytest.mark.slow
def test_without_any_model_that_can_be_read_the_day_trains_a_new_one_and_says_why(
    tmp_path: Path,
) -> None:
    installation = finished().copy(tmp_path)
    lake = installation.lake
    for earlier in range(24, 31):
        for kind in ("payment", "churn", "clusters"):
            spoil(lake, f"models/{kind}/dt={day(earlier)}/card.json", "unknown key")
    installation.run(LAST, assets=["clusters", "churn_model", "payment_model", "predictions"])
    card = stored_card("payment", LAST, ModelCard, lake)
    assert card is not None
    assert card.state == "ready"
    assert card.decision is not None
    assert "there is no champion" in card.decision.reason
    assert "from_the_future: unknown key" in card.decision.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", ["churn", "payment"])
def test_an_early_model_is_the_same_when_its_day_is_made_again_without_the_days_after_it(
    tmp_path: Path, name: str
) -> None:
    installation = finished().copy(tmp_path)
    target, early_day = targets_of(installation.game)[name], START + dt.timedelta(days=9)
    before = stored_card(name, early_day, ModelCard, installation.lake)
    assert before is not None
    assert before.early is not None
    for table in ("user_activity", "user_features"):
        later = [it for it in installation.lake.days(table) if it > early_day]
        installation.lake.delete([table_file(table, it) for it in later])
    again = target_model.update(
        target, [early_day], installation.lake, installation.engine, installation.game
    )[early_day]
    assert again == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["churn", "payment"])
def test_a_trained_model_is_compared_with_the_early_one_on_the_latest_snapshot(name: str) -> None:
    card = stored_card(name, LAST, ModelCard, finished().lake)
    assert card is not None
    assert card.early is None
    assert card.twin_trained is not None
    for fold in card.folds:  # the latest of the day, or of that on which choices were made
        is_latest = fold.snapshot >= card.twin_trained
        assert ("early" in fold.contenders) is is_latest


@pytest.mark.slow
def test_before_a_week_of_logs_a_card_says_that_even_an_early_model_is_impossible() -> None:
    card = stored_card("churn", START + dt.timedelta(days=4), ModelCard, finished().lake)
    assert card is not None
    assert card.early is None
    assert card.reasons[-1] == "5 of the 7 days of logs that an early prediction needs"


@pytest.mark.slow
def test_a_card_without_a_model_names_the_days_that_are_missing_or_refused(
    tmp_path: Path,
) -> None:
    installation = finished().copy(tmp_path)
    churn = targets_of(installation.game)["churn"]
    refused, missing = LAST - dt.timedelta(days=1), [LAST - dt.timedelta(days=n) for n in (15, 8)]
    decide_by_operator(
        refused, Decision.REFUSED, "a test", "me", installation.lake, installation.game
    )
    installation.lake.delete([table_file("user_activity", it) for it in missing])
    installation.lake.delete_folder("models/churn")  # there is no champion either
    card = target_model.update(
        churn, [LAST], installation.lake, installation.engine, installation.game
    )[LAST]
    assert card.state == "not_enough_data"
    history, *days = card.reasons
    assert "matured snapshot" in history
    of_refused, of_missing = days
    assert of_refused == (
        f"snapshots lack {refused}, refused: replace the files, or let a day pass with `ds-assets "
        "accept DAY --reason REASON`"
    )
    assert of_missing == (
        f"snapshots lack {missing[0]}, {missing[1]}, missing: run each with `ds-assets run DAY`, "
        "or add those that the game was offline to closed_days"
    )
    assert of_refused in card.missing


@pytest.mark.slow
def test_a_card_names_the_weekday_on_which_there_never_are_files(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    churn = targets_of(installation.game)["churn"]
    shut = [LAST - dt.timedelta(days=3 + 7 * weeks) for weeks in reversed(range(4))]
    installation.lake.delete([table_file("user_activity", it) for it in shut])
    installation.lake.delete_folder("models/churn")
    card = target_model.update(
        churn, [LAST], installation.lake, installation.engine, installation.game
    )[LAST]
    assert card.state == "not_enough_data"
    assert card.reasons[1] == (
        f"snapshots lack 4 days without files, every {shut[0]:%A} from {shut[0]} to {shut[-1]}: if "
        f"the game is always shut then, add {f'{shut[0]:%A}'.lower()} to closed_days, as a "
        "label window with a day without files never matures"
    )
    assert card.enough_on is None


@pytest.mark.slow
def test_snapshots_without_features_are_not_days_without_files(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    churn = targets_of(installation.game)["churn"]
    listed = list_snapshots(churn, LAST, installation.game)
    usable = [it for it in listed if it in installation.lake.days("user_features")]
    installation.lake.delete([table_file("user_features", it) for it in usable])
    installation.lake.delete_folder("models/churn")
    card = target_model.update(
        churn, [LAST], installation.lake, installation.engine, installation.game
    )[LAST]
    assert card.state == "not_enough_data"
    (of_features,) = [it for it in card.reasons if "features" in it]
    assert of_features.startswith("features of snapshots are not computed yet, of ")
    assert of_features.endswith(f": `ds-assets run {LAST}` computes them from the stored activity")
    assert str(usable[-1]) in of_features
    assert not any("without files" in it or "missing: run" in it for it in card.reasons)


@pytest.mark.slow
def test_a_card_with_a_model_says_nothing_of_a_missing_day(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    installation.lake.delete([table_file("user_activity", LAST - dt.timedelta(days=1))])
    churn = targets_of(installation.game)["churn"]
    card = target_model.update(
        churn, [LAST], installation.lake, installation.engine, installation.game
    )[LAST]
    assert card.state == "ready"
    assert card.reasons == ()
    assert card.missing_snapshots


@pytest.mark.slow
def test_a_card_has_what_the_model_goes_by_and_the_drift_of_the_days_so_far() -> None:
    lake = finished().lake
    ready = ready_days(lake)
    card = stored_card("payment", LAST, ModelCard, lake)
    assert card is not None
    assert list(card.drifts) == ready[-DAYS_KEPT:]
    assert max(card.drift.values()) == max(drift_of(card, LAST, lake, finished().game).values())
    assert set(card.importance) >= {"last_seen", "purchases", "spend"}
    assert card.evaluation is not None
    assert card.evaluation.curves is not None
    assert sum(card.evaluation.curves.score_users) == card.evaluation.users


@pytest.mark.slow
def test_the_page_of_a_model_has_pictures_with_a_line_and_explained_numbers() -> None:
    installation = finished()
    churn = targets_of(installation.game)["churn"]
    card = stored_card("churn", LAST, ModelCard, installation.lake)
    assert card is not None
    page = target_model._metadata(churn, card, pictured=True)
    drawn = page["pictures"]
    assert isinstance(drawn, dg.MarkdownMetadataValue)
    for name in ("reliability", "gains", "scores", "importance", "drift_over_days", "survival"):
        png, _, line = (
            str(drawn.value).partition(f"![{name}](data:image/png;base64,")[2].partition(")\n\n")
        )
        assert png
        assert line.splitlines()[0]
    table = page["numbers"]
    assert isinstance(table, dg.TableMetadataValue)
    assert {row.data["number"] for row in table.records} <= set(page)
    assert "" not in page.values()
    assert "pictures" not in target_model._metadata(churn, card, pictured=False)


def test_without_users_in_any_snapshot_a_champion_goes_by_what_its_card_says() -> None:
    snapshot = make_snapshot(SNAPSHOT)
    nobody = snapshot.rows(np.zeros(len(snapshot.labels), dtype=bool))
    champion = TrainedModel(make_full_card(), b"", {})
    importance = target_model._measure_importance(champion, [nobody], make_game())
    assert importance == make_full_card().importance
