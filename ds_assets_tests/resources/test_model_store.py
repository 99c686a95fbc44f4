"""Models in the lake: a card for each day, and an ONNX file where there was enough data."""

import datetime as dt
from functools import cache
from pathlib import Path

import pytest

from ds_assets.core.clustering import ClusterCard
from ds_assets.core.model_card import ModelCard
from ds_assets.core.training import TrainedModel, train
from ds_assets.errors import InputError
from ds_assets.resources.folder_lake import FolderLake
from ds_assets.resources.model_store import (
    day_model,
    day_models,
    has_models,
    store_model,
    stored_card,
    stored_model,
)
from ds_assets_tests.core.factories import make_snapshots

READY_DAY = dt.date(2024, 2, 5)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path)


@cache
def trained(weeks: int = 4) -> TrainedModel:
    return train("churn", READY_DAY, make_snapshots(weeks), horizon=14)


def put(lake: FolderLake, model: TrainedModel) -> None:
    store_model("churn", READY_DAY, model.card, model.onnx, lake)


def test_a_model_comes_back_with_the_card_that_it_was_stored_with(lake: FolderLake) -> None:
    put(lake, trained())
    assert trained().card.state == "ready"
    assert stored_card("churn", READY_DAY, ModelCard, lake) == trained().card
    found = day_model("churn", READY_DAY, ModelCard, lake)
    assert found is not None
    assert found.card == trained().card


def test_without_enough_data_there_is_a_card_that_says_why_and_no_model(lake: FolderLake) -> None:
    put(lake, trained(1))
    card = stored_card("churn", READY_DAY, ModelCard, lake)
    assert card is not None
    assert (card.state, card.onnx_sha256) == ("not_enough_data", None)
    assert "2 are needed" in card.reasons[0]
    assert stored_model("churn", card, lake) is None
    assert [item.name for item in lake.objects("models")] == [
        f"models/churn/dt={READY_DAY}/card.json"
    ]


def test_a_day_that_no_longer_has_enough_data_loses_its_model(lake: FolderLake) -> None:
    put(lake, trained())
    put(lake, trained(1))
    assert day_model("churn", READY_DAY, ModelCard, lake) is None
    assert not lake.exists(f"models/churn/dt={READY_DAY}/model.onnx")


def test_storing_twice_leaves_the_same_bytes(lake: FolderLake) -> None:
    put(lake, trained())
    before = {item.name: lake.read(item.name) for item in lake.objects("models")}
    put(lake, trained())
    assert {item.name: lake.read(item.name) for item in lake.objects("models")} == before


def test_a_day_without_a_card_has_no_model(lake: FolderLake) -> None:
    assert stored_card("clusters", READY_DAY, ClusterCard, lake) is None
    found = day_models(READY_DAY, lake)
    assert (found.as_of, found.clusters, found.churn, found.payment) == (
        READY_DAY,
        None,
        None,
        None,
    )


def test_the_models_of_a_day_are_complete_with_the_last_card(lake: FolderLake) -> None:
    for kind in ("clusters", "churn", "payment"):
        assert not has_models(READY_DAY, lake)
        lake.write(f"models/{kind}/dt={READY_DAY}/card.json", b"{}")
    assert has_models(READY_DAY, lake)


def test_a_damaged_card_is_named_with_its_mistakes(lake: FolderLake) -> None:
    lake.write(f"models/churn/dt={READY_DAY}/card.json", b'{"state": "fine"}')
    with pytest.raises(InputError, match=rf"models/churn/dt={READY_DAY}/card\.json has \d+ mis"):
        stored_card("churn", READY_DAY, ModelCard, lake)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_a_file_that_is_not_the_cards_model_is_refused(lake: FolderLake, content: bytes) -> None:
    put(lake, trained())
    lake.write(f"models/churn/dt={READY_DAY}/model.onnx", content)
    with pytest.raises(InputError, match="damaged or another model's"):
        day_model("churn", READY_DAY, ModelCard, lake)


def test_a_model_that_is_missing_is_named(lake: FolderLake) -> None:
    put(lake, trained())
    lake.delete([f"models/churn/dt={READY_DAY}/model.onnx"])
    with pytest.raises(InputError, match=rf"models/churn/dt={READY_DAY}/model\.onnx is missing"):
        day_model("churn", READY_DAY, ModelCard, lake)
