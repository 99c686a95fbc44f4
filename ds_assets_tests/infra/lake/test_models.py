"""Models in the lake: a card for each day, and ONNX files where there was enough data."""

import datetime as dt
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import encode, fit_encoding
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.models.card.model_card import AMOUNTS, VALIDATION_MODEL, ModelCard
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.evaluation.drift import DRIFTED, distributions, stability
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.core.user_groups import NO_GROUPS, with_user_groups
from ds_assets.errors import InputError
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.models import (
    BUILT_IN_NAMES,
    day_files,
    day_model,
    day_models,
    drift_of,
    model_tags,
    store_model,
    stored_card,
    stored_files,
    stored_model,
)
from ds_assets.infra.lake.tables import read_rows, store_rows
from ds_assets_tests.assets.factories import Installation, day, make_played
from ds_assets_tests.core.factories import FIRST_DAY, leavers, make_features, make_target
from ds_assets_tests.core.models.card_factories import make_full_card

READY_DAY = dt.date(2024, 2, 5)
HORIZON = 14
TARGET = make_target("payment", horizon=HORIZON)
FOLDER = f"models/payment/dt={READY_DAY}"


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path)


def snapshot(week: int) -> LabelledSnapshot:
    """A day on which those who play much are likelier to pay, and pay more."""
    day = FIRST_DAY + dt.timedelta(weeks=week)
    features = with_user_groups(make_features(400, seed=week), NO_GROUPS)
    paid = ~leavers(features, seed=week)
    spend = pd.Series(features["active_days_28d"].to_numpy() + 1.0, paid.index).where(paid, 0.0)
    return LabelledSnapshot(day, features, paid, day + dt.timedelta(days=HORIZON), spend)


@cache
def trained(weeks: int = 4) -> TrainedModel:
    return train(TARGET, READY_DAY, [snapshot(week) for week in range(weeks)])


def put(lake: FolderLake, model: TrainedModel) -> None:
    store_model("payment", READY_DAY, model.card, model.onnx, lake, model.parts)


def names(lake: FolderLake) -> set[str]:
    return {item.name.removeprefix(f"{FOLDER}/") for item in lake.objects("models")}


@pytest.mark.slow
def test_a_model_comes_back_with_the_card_that_it_was_stored_with(lake: FolderLake) -> None:
    put(lake, trained())
    assert trained().card.state == "ready"
    assert stored_card("payment", READY_DAY, ModelCard, lake) == trained().card
    model = day_model("payment", READY_DAY, ModelCard, lake)
    assert model is not None
    assert model.card == trained().card


def test_all_files_of_a_model_come_back_as_they_were_stored(lake: FolderLake) -> None:
    put(lake, trained())
    assert names(lake) == {"card.json", "model.onnx", VALIDATION_MODEL, AMOUNTS}
    files = stored_files("payment", trained().card, lake, with_validation_models=True)
    assert (files.onnx, dict(files.parts)) == (trained().onnx, trained().parts)


def test_what_only_judges_is_not_read_to_predict(lake: FolderLake) -> None:
    put(lake, trained())
    lake.delete([f"{FOLDER}/{VALIDATION_MODEL}"])
    files = dict(day_files(READY_DAY, lake).targets)["payment"]
    assert files is not None
    assert [name for name, _ in files.parts] == [AMOUNTS]
    payment = day_models(READY_DAY, lake).targets["payment"]
    assert payment.model is not None
    with pytest.raises(InputError, match=rf"{FOLDER}/{VALIDATION_MODEL} is missing"):
        stored_files("payment", trained().card, lake, with_validation_models=True)


def test_trees_are_read_only_once_somebody_asks_for_reasons(lake: FolderLake) -> None:
    put(lake, trained())
    payment = day_models(READY_DAY, lake).targets["payment"]
    assert payment.model is not None
    assert "trees" not in vars(payment.model)
    assert set(payment.model.trees) == {""}
    assert "trees" in vars(payment.model)


def test_without_enough_data_there_is_a_card_that_says_why_and_no_model(lake: FolderLake) -> None:
    put(lake, trained(1))
    card = stored_card("payment", READY_DAY, ModelCard, lake)
    assert card is not None
    assert (card.state, card.onnx_sha256, card.parts) == ("not_enough_data", None, {})
    assert card.reasons[0].startswith("1 matured snapshot; the first model needs two")
    assert stored_model("payment", card, lake) is None
    assert names(lake) == {"card.json"}
    files = dict(day_files(READY_DAY, lake).targets)["payment"]
    assert files is not None
    assert (files.onnx, files.parts) == (None, ())


def test_a_day_that_no_longer_has_enough_data_loses_its_model_and_all_its_files(
    lake: FolderLake,
) -> None:
    put(lake, trained())
    put(lake, trained(1))
    assert day_model("payment", READY_DAY, ModelCard, lake) is None
    assert names(lake) == {"card.json"}


def test_a_model_with_fewer_files_leaves_none_of_those_before(lake: FolderLake) -> None:
    put(lake, trained())
    fewer = {name: content for name, content in trained().parts.items() if name != AMOUNTS}
    store_model("payment", READY_DAY, trained().card, trained().onnx, lake, fewer)
    assert names(lake) == {"card.json", "model.onnx", VALIDATION_MODEL}


def test_storing_twice_leaves_the_same_bytes(lake: FolderLake) -> None:
    put(lake, trained())
    before = {item.name: lake.read(item.name) for item in lake.objects("models")}
    put(lake, trained())
    assert {item.name: lake.read(item.name) for item in lake.objects("models")} == before


def test_a_day_without_a_card_has_no_model(lake: FolderLake) -> None:
    assert stored_card("clusters", READY_DAY, ClusterCard, lake) is None
    models = day_models(READY_DAY, lake)
    assert (models.as_of, models.clusters, models.targets) == (READY_DAY, None, {})


def test_the_models_of_a_day_are_complete_with_the_last_card(lake: FolderLake) -> None:
    for kind in ("clusters", "churn", "payment"):
        assert model_tags(READY_DAY, lake) is None
        lake.write(f"models/{kind}/dt={READY_DAY}/card.json", b"{}")
    tags = model_tags(READY_DAY, lake)
    assert tags is not None
    assert f"models/churn/dt={READY_DAY}/card.json" in tags
    targets = (*BUILT_IN_NAMES, "level")
    assert model_tags(READY_DAY, lake, targets) == tags
    lake.write(f"models/level/dt={READY_DAY}/card.json", b"{}")
    with_target = model_tags(READY_DAY, lake, targets)
    assert with_target is not None
    assert set(with_target) - set(tags) == {f"models/level/dt={READY_DAY}/card.json"}


def test_a_damaged_card_is_named_with_its_mistakes(lake: FolderLake) -> None:
    lake.write(f"{FOLDER}/card.json", b'{"state": "fine"}')
    with pytest.raises(InputError, match=rf"{FOLDER}/card\.json has \d+ mis"):
        stored_card("payment", READY_DAY, ModelCard, lake)


@pytest.mark.parametrize("file", ["model.onnx", AMOUNTS])
@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_not_the_cards_is_refused(
    lake: FolderLake, file: str, content: bytes
) -> None:
    put(lake, trained())
    lake.write(f"{FOLDER}/{file}", content)
    with pytest.raises(InputError, match="damaged or another model's"):
        day_models(READY_DAY, lake)


@pytest.mark.parametrize("file", ["model.onnx", AMOUNTS])
def test_a_file_that_is_missing_is_named(lake: FolderLake, file: str) -> None:
    put(lake, trained())
    lake.delete([f"{FOLDER}/{file}"])
    with pytest.raises(InputError, match=rf"{FOLDER}/{file} is missing"):
        day_models(READY_DAY, lake)


@pytest.fixture(scope="module")
def old_game(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A game whose features are stored from its 91st day on, with a closed date among them."""
    closed = day(103)
    installation, _ = make_played(
        tmp_path_factory.mktemp("old"), {"closed_days": [str(closed)]}, users=500, days=114
    )
    shutil.rmtree(installation.source(closed))
    installation.run(day(0), day(113), assets=["raw_logs", "user_activity"])
    installation.run(day(91), day(113), assets=["user_lifetimes", "user_features"])
    return installation


def features_of(number: int, installation: Installation) -> pd.DataFrame:
    table = user_features_table(installation.game)
    frame: pd.DataFrame = read_rows(table, day(number), installation.lake).to_pandas()
    return frame


def card_of_snapshots(installation: Installation, *numbers: int) -> ModelCard:
    """A card of a model that was trained on these days."""
    frames = [features_of(number, installation) for number in numbers]
    encoding = fit_encoding(frames)
    matrix = np.concatenate([encode(frame, encoding) for frame in frames])
    compared = distributions(matrix, encoding, {})
    return make_full_card().model_copy(update={"encoding": encoding, "distributions": compared})


@pytest.mark.slow
def test_neither_the_age_of_accounts_nor_a_closed_day_is_drift(old_game: Installation) -> None:
    card = card_of_snapshots(old_game, 91, 98)
    ages = features_of(113, old_game)
    assert stability(card.distributions, ages, card.encoding)["lifetime_days"] > DRIFTED
    for number in (102, 104, 105, 106, 107, 108, 109, 110, 113):
        drift = drift_of(card, day(number), old_game.lake, old_game.game)
        assert {"active_days_7d", "trend_1d_7d", "days_since_active"} <= set(drift)
        assert max(drift.values()) < DRIFTED, (number, list(drift.items())[:3])


@pytest.mark.slow
def test_a_change_of_behaviour_is_drift_in_an_old_game(
    old_game: Installation, tmp_path: Path
) -> None:
    card, changed = card_of_snapshots(old_game, 91, 98), old_game.copy(tmp_path)
    features = features_of(113, old_game)
    # As if each user played three times as long from one week to the next.
    longer = features.assign(sum_minutes_7d=features["sum_minutes_7d"] * 3)
    table = user_features_table(old_game.game)
    store_rows(pa.Table.from_pandas(longer, table.arrow_schema), table.name, day(113), changed.lake)
    drift = drift_of(card, day(113), changed.lake, old_game.game)
    name, largest = next(iter(drift.items()))
    assert name == "sum_minutes_7d"
    assert largest > DRIFTED
