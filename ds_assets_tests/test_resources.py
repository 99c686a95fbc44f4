"""Dagster's resources: assets get the runtime object, which is closed after the run."""

from pathlib import Path

import dagster as dg
import pytest

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.resources import CacheResource, LakeResource, ResultsResource


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
    resources = {
        "lake": LakeResource(url="", folder=str(tmp_path), cache=""),
        "results": ResultsResource(url="sqlite:///none.sqlite", days=0, targets=[], name="game"),
        "cache": CacheResource(url="", folder=str(tmp_path), name="game", days_to_live=7),
    }
    assert dg.materialize([some], resources=resources).success
    assert [type(resource) for resource in got] == [FolderLake, ResultsDatabase, PredictionCache]
    assert {id(resource) for resource in closed} == {id(resource) for resource in got[1:]}


@pytest.mark.parametrize(
    "resource",
    [
        ResultsResource(url="mysql+pymysql://me:Hunter2@host/db", days=0, targets=[], name="game"),
        CacheResource(url="redis://:Hunter2@host", folder="", name="game", days_to_live=7),
    ],
)
def test_a_password_is_not_in_the_text_of_a_resource(resource: object) -> None:
    assert "Hunter2" not in f"{resource} {resource!r}"
