"""Targets of a game's own: in the whole graph, and while days are stored that know other ones."""

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from pyarrow import parquet

from ds_assets.assets import predictions, target_model, user_activity
from ds_assets.core.checksum import checksum
from ds_assets.core.group_defaults import encode_group_defaults
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    MODEL_METRICS,
    PREDICTION_OUTCOMES,
    TARGET_PREDICTIONS,
)
from ds_assets.core.targets import custom_targets
from ds_assets.infra.cache.fill import rebuild_cache
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import (
    read_predictions,
    read_rows,
    stored_days,
    stored_target_predictions,
    table_file,
)
from ds_assets.jobs import DAILY
from ds_assets.serving.live_scoring import UserToScore
from ds_assets.serving.online_features import OnlineFeatures
from ds_assets.serving.sources import INTERACTIVE_TIMEOUT_S
from ds_assets_tests.assets.factories import (
    LAST,
    QUICK,
    START,
    Installation,
    change_game,
    day,
    finished,
    make_played,
)
from ds_assets_tests.checksums import checksum_in_any_order
from ds_assets_tests.cli.test_main import Shell, shell
from ds_assets_tests.conftest import shared_folder
from ds_assets_tests.infra.factories import fetch_values
from ds_assets_tests.serving.factories import all_done

__all__ = ["shell"]

pytestmark = pytest.mark.slow

TARGETS: dict[str, Any] = {
    "first_purchase": {
        "event": ["purchase", "gacha_draw"],
        "population": "never_paid",
        "horizon": 5,
    },
    "climber": {"event": ["level_up"], "horizon": 5},
    "big_spender": {"spend_at_least": 3, "horizon": 7},
}
PAYING = {"events": QUICK["events"] | {"purchases": ["purchase"]}}
"""Few pay, so that most users have not."""
JUDGED = day(24)
"""A day whose horizons are over on the last day."""


@cache
def played() -> Installation:
    """A game with three targets of its own, predicted on two days."""
    home = shared_folder() / "custom_targets"
    installation, _ = make_played(home, PAYING | {"targets": TARGETS}, users=600, days=32, seed=5)
    installation.run(START, LAST, ["raw_logs", "user_activity", "user_lifetimes", "user_features"])
    for predicted in (JUDGED, LAST):
        predict(installation, predicted)
    installation.run(JUDGED, assets=["prediction_outcomes"])
    return installation


def predict(installation: Installation, of: dt.date) -> None:
    """Run what follows from features, with its checks, up to the delivery."""
    models = [target.model_asset for target in custom_targets(installation.game).values()]
    assets = ["clusters", "churn_model", "payment_model", *models]
    installation.run(of, assets=[*assets, "predictions", "cluster_profiles", "rds_results"])


def predict_again(installation: Installation, of: dt.date) -> None:
    """Make the custom models of a day and all its predictions again."""
    game, lake, engine = installation.game, installation.lake, installation.engine
    for target in custom_targets(game).values():
        target_model.update(target, [of], lake, engine, game)
    predictions.update([of], lake, engine, game)


def target_rows(installation: Installation, of: dt.date) -> pd.DataFrame:
    rows: pd.DataFrame = stored_target_predictions(of, installation.lake).to_table().to_pandas()
    return rows


def card_of(installation: Installation, target: str, of: dt.date) -> ModelCard:
    card = stored_card(target, of, ModelCard, installation.lake)
    assert card is not None
    return card


def changed(installation: Installation, targets: dict[str, Any]) -> Installation:
    """The same installation with other targets in its game file."""
    return Installation(change_game(installation, {"targets": targets}).home)


def test_every_target_has_a_model_in_the_graph_that_predictions_need() -> None:
    graph = played().defs.resolve_asset_graph()
    needed = graph.get(dg.AssetKey("predictions")).parent_keys
    for name in TARGETS:
        assert dg.AssetKey(f"{name}_model") in needed
        assert graph.get(dg.AssetKey(f"{name}_model")).group_name == "models"
        assert dg.AssetKey(f"{name}_model") in DAILY.resolve(graph)


def test_events_that_targets_count_are_stored_and_are_no_features() -> None:
    lake = played().lake
    columns = parquet.read_schema(lake.local(table_file("user_activity", LAST))).names
    assert {"count_purchase", "count_gacha_draw", "count_level_up"} <= set(columns)
    features = parquet.read_schema(lake.local(table_file("user_features", LAST))).names
    assert not [name for name in features if name.startswith(("count_purchase", "count_level_up"))]


@pytest.mark.parametrize("name", TARGETS)
def test_each_user_of_the_population_has_a_probability_with_reasons(name: str) -> None:
    rows = target_rows(played(), LAST)
    own = rows[rows["target"] == name]
    features = pd.read_parquet(played().lake.local(table_file("user_features", LAST)))
    if TARGETS[name].get("population") == "never_paid":
        features = features[features["lifetime_days_since_purchase"].isna()]
    assert sorted(own["user_id"]) == sorted(features["user_id"])
    assert own["probability"].between(0, 1).all()
    assert own["probability"].nunique() > 20
    assert set(own["model"]) == {card_of(played(), name, LAST).version}
    assert own["missing"].isna().all()
    for text in own["reasons"]:
        assert all(
            set(reason) == {"code", "effect", "values", "words"} for reason in json.loads(text)
        )


def test_rows_are_delivered_with_the_predictions_of_the_day() -> None:
    with played().results() as database:
        for of in (JUDGED, LAST):
            stored = stored_target_predictions(of, played().lake).to_table()
            assert stored.num_rows > 0
            assert checksum(database.target_predictions(of)) == checksum(stored)


def test_an_answer_says_the_same_from_the_table_the_cache_and_the_live_model(
    tmp_path: Path,
) -> None:
    installation = played().copy(tmp_path)
    rows = target_rows(installation, LAST)
    users = sorted(set(rows["user_id"]))[:100]
    answers = asyncio.run(answers_of(installation, users))
    assert list(answers) == ["table", "cache", "rebuilt", "live"]
    for source, source_answers in answers.items():
        assert source_answers == answers["table"], source
    for user, answer in answers["table"].items():
        own = rows[rows["user_id"] == user].set_index("target")
        assert set(answer["targets"]) == set(own.index)
        for name, target in answer["targets"].items():
            assert list(target) == [
                *("probability", "reasons", "missing", "model"),
                *("expected_spend", "expected_spend_low", "expected_spend_high"),
            ]
            assert target["probability"] == own.loc[name, "probability"]
            assert target["reasons"] == json.loads(str(own.loc[name, "reasons"]))
    shown = {name for answer in answers["table"].values() for name in answer["targets"]}
    assert shown == set(TARGETS)
    assert any("first_purchase" not in answer["targets"] for answer in answers["table"].values())


async def answers_of(installation: Installation, users: list[str]) -> dict[str, dict[str, Any]]:
    """What each source says of users: the empty cache is filled from the table, and rebuilt."""
    with installation.installed.service(INTERACTIVE_TIMEOUT_S) as service:
        try:
            await service.refresh()
            answers = {"table": await service.answer(users)}
            await all_done(service)
            answers["cache"] = await service.answer(users)
            with installation.cache() as cache:
                cache._client.flushall()
                rebuild_cache(
                    Records({}, installation.lake), installation.lake, cache, days_to_live=7
                )
            answers["rebuilt"] = await service.answer(users)
            features = OnlineFeatures(installation.lake.local(table_file("user_features", LAST)))
            to_score = [
                UserToScore(user, user_features, None)
                for user, user_features in features.find(users).items()
            ]
            answers["live"] = await service.score(to_score, reasons=True)
        finally:
            await service.close()
    sources = {
        name: {answer.header.source for answer in source_answers}
        for name, source_answers in answers.items()
    }
    assert sources == {
        "table": {"table"},
        "cache": {"cache"},
        "rebuilt": {"cache"},
        "live": {"live"},
    }
    return {
        name: {
            answer.user_id: json.loads(answer.to_json()[:1] + answer.members)
            for answer in source_answers
        }
        for name, source_answers in answers.items()
    }


def test_the_job_and_the_command_show_targets(tmp_path: Path, shell: Shell) -> None:
    installation = played().copy(tmp_path)
    rows = target_rows(installation, LAST)
    user = rows["user_id"].iloc[0]
    expected = set(rows[rows["user_id"] == user]["target"])
    config = {"ops": {"answer": {"config": {"user_ids": [user, "nobody"]}}}}
    job = installation.defs.resolve_job_def("serve_predictions")
    events = job.execute_in_process(run_config=config).all_events
    (output,) = [event for event in events if event.is_successful_output]
    table = output.step_output_data.metadata["answers"]
    assert isinstance(table, dg.TableMetadataValue)
    shown = [json.loads(str(record.data["targets"])) for record in table.records]
    assert [set(targets) for targets in shown] == [expected, set(TARGETS)]
    shell.env("DS_ASSETS_HOME", str(tmp_path))
    _, printed, _ = shell("predict", user)
    assert set(json.loads(printed)["targets"]) == expected


def test_unknown_users_get_the_mean_of_each_target(tmp_path: Path) -> None:
    installation = played().copy(tmp_path)
    means = target_rows(installation, LAST).groupby("target")["probability"].mean().to_dict()
    with installation.installed.results() as database:
        of_table = encode_group_defaults(LAST, database.defaults())
    with installation.cache() as cache:
        rebuild_cache(Records({}, installation.lake), installation.lake, cache, days_to_live=7)
        of_cache = fetch_values(cache, [])[0].newest
    assert set(of_cache.members) == set(of_table.members)
    for defaults in (of_table, of_cache):
        targets = json.loads(b"{" + defaults.of_group("no such group"))["targets"]
        assert {name: target["probability"] for name, target in targets.items()} == pytest.approx(
            means
        )
        for name, target in targets.items():
            version = card_of(installation, name, LAST).version
            assert (target["reasons"], target["missing"], target["model"]) == (None, None, version)


def test_what_happened_is_compared_with_each_target() -> None:
    outcomes = read_rows(PREDICTION_OUTCOMES, JUDGED, played().lake).to_pandas()
    of_all = outcomes[outcomes["segment"] == "all"].set_index("target")
    rows = target_rows(played(), JUDGED)
    for name in TARGETS:
        own = rows[rows["target"] == name]
        assert of_all.loc[name, "users"] == len(own)
        assert of_all.loc[name, "predicted"] == pytest.approx(own["probability"].mean())
        assert 0 < of_all.loc[name, "happened"] < 1


def test_metrics_and_cluster_profiles_show_each_target() -> None:
    metrics = read_reports(played(), MODEL_METRICS.name)
    assert set(TARGETS) < set(metrics["target"])
    profiles = read_rows(CLUSTER_PROFILES, LAST, played().lake).to_pandas()
    clusters = read_predictions(LAST, played().lake).to_pandas()[["user_id", "cluster"]]
    rows = target_rows(played(), LAST).merge(clusters, on="user_id")
    means = rows.groupby(["cluster", "target"])["probability"].mean()
    for profile in profiles.itertuples():
        shown = json.loads(str(profile.target_probabilities))
        assert shown == pytest.approx(means[profile.cluster].to_dict(), abs=1e-6)
        assert set(shown) <= set(TARGETS)


def read_reports(installation: Installation, name: str) -> pd.DataFrame:
    return pd.read_sql(f"SELECT * FROM {name}", installation.settings.results_url)


def test_a_target_that_is_added_says_which_days_to_make_again_and_changes_nothing_else(
    tmp_path: Path,
) -> None:
    installation = changed(finished().copy(tmp_path), TARGETS)
    before = {of: checksum(read_predictions(of, installation.lake)) for of in (JUDGED, LAST)}
    predict(installation, LAST)
    assert {of: checksum(read_predictions(of, installation.lake)) for of in before} == before
    assert target_rows(installation, JUDGED).empty
    rows = target_rows(installation, LAST).groupby("target")
    climbers = rows.get_group("climber")
    assert climbers["probability"].isna().all()
    (missing,) = set(climbers["missing"])
    assert "was made before the events of this target were counted" in missing
    assert "materialize user_activity of these days again" in missing
    assert rows.get_group("big_spender")["missing"].iloc[0] != missing  # it counts no events
    lake, engine, game = installation.lake, installation.engine, installation.game
    user_activity.materialize_days(list(stored_days("user_activity", lake)), lake, engine, game)
    predict_again(installation, LAST)
    again = target_rows(installation, LAST)
    assert again[again["target"] == "climber"]["probability"].notna().all()
    assert checksum(read_predictions(LAST, lake)) == before[LAST]


def test_a_target_that_is_changed_gets_a_new_model_and_earlier_days_stay(tmp_path: Path) -> None:
    harder = TARGETS | {"climber": {"event": ["level_up"], "horizon": 3}}
    installation = changed(played().copy(tmp_path), harder)
    before = checksum(stored_target_predictions(JUDGED, installation.lake).to_table())
    outcomes_before = read_rows(PREDICTION_OUTCOMES, JUDGED, installation.lake)
    predict_again(installation, LAST)
    assert checksum(stored_target_predictions(JUDGED, installation.lake).to_table()) == before
    card = card_of(installation, "climber", LAST)
    assert (card.state, card.horizon) == ("ready", 3)
    assert card.version != card_of(played(), "climber", LAST).version
    installation.run(JUDGED, assets=["prediction_outcomes"])
    outcomes = read_rows(PREDICTION_OUTCOMES, JUDGED, installation.lake)
    assert checksum_in_any_order(outcomes) == checksum_in_any_order(outcomes_before)


def test_a_model_of_another_definition_predicts_nothing(tmp_path: Path) -> None:
    harder = TARGETS | {"climber": {"event": ["level_up"], "horizon": 3}}
    installation = changed(played().copy(tmp_path), harder)
    predictions.update([LAST], installation.lake, installation.engine, installation.game)
    rows = target_rows(installation, LAST)
    climbers = rows[rows["target"] == "climber"]
    assert climbers["probability"].isna().all()
    assert set(climbers["missing"]) == {"no model was made for the day"}
    assert rows[rows["target"] == "first_purchase"]["probability"].notna().all()


@pytest.mark.parametrize("kept", [["first_purchase", "big_spender"], []])
def test_a_target_that_is_removed_is_not_in_days_that_are_made_afterwards(
    tmp_path: Path, kept: Sequence[str]
) -> None:
    left = {name: TARGETS[name] for name in kept}
    installation = changed(played().copy(tmp_path), left)
    before = checksum(stored_target_predictions(JUDGED, installation.lake).to_table())
    predict(installation, LAST)
    assert set(target_rows(installation, LAST)["target"]) == set(kept)
    assert checksum(stored_target_predictions(JUDGED, installation.lake).to_table()) == before
    with installation.results() as database:
        delivered = database.target_predictions(LAST)
        assert set(delivered["target"].to_pylist()) == set(kept)
        assert database.target_predictions(JUDGED).num_rows > 0
    assert delivered.schema.names == TARGET_PREDICTIONS.names
