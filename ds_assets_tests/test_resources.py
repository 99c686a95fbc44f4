"""Dagster's resources: assets get the runtime object, which is closed after the run."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.installation import Installation
from ds_assets.resources import resources_of
from ds_assets.settings import load_settings
from ds_assets_tests.core.factories import make_game


def resources(home: Path, **settings: Any) -> dict[str, dg.ResourceDefinition]:
    return resources_of(Installation(load_settings({"home": home, **settings}), make_game()))


def test_an_asset_gets_the_runtime_objects_and_what_must_be_closed_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[object] = []
    closed: list[object] = []

    @dg.asset
    def some(
        lake: dg.ResourceParam[Lake],
        results: dg.ResourceParam[ResultsDatabase],
        cache: dg.ResourceParam[PredictionCache],
    ) -> None:
        assert closed == []
        got.extend([lake, results, cache])

    def close(opened: object) -> None:
        closed.append(opened)

    for kind in (ResultsDatabase, PredictionCache):
        monkeypatch.setattr(kind, "close", close)
    assert dg.materialize([some], resources=resources(tmp_path)).success
    assert [type(resource) for resource in got] == [FolderLake, ResultsDatabase, PredictionCache]
    assert {id(resource) for resource in closed} == {id(resource) for resource in got[1:]}


def test_the_ui_shows_where_data_is_without_a_password(tmp_path: Path) -> None:
    shown = resources(
        tmp_path,
        results_url="mysql+pymysql://me:Hunter2@host/db",
        cache_url="redis://:Hunter2@other",
        spark_remote="sc://spark/;token=Hunter2",
    )
    texts = {name: resource.description or "" for name, resource in shown.items()}
    assert "Hunter2" not in str(texts)
    assert texts["results"] == "The results database: mysql+pymysql://host/db"
    assert texts["cache"] == "The prediction cache: redis://other"
    assert texts["lake"].endswith(str(tmp_path / "lake"))
    assert texts["engine"].endswith("Spark")
