"""An installation of an earlier release: what it stored is read, migrated and continued."""

import datetime as dt
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pymysql
import pytest
import sqlalchemy as sa
from pymysql.constants import CLIENT

from ds_assets.core.checksum import checksum, is_of_first_version
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.tables import CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES, PREDICTIONS
from ds_assets.infra.cache.fill import rebuild_cache
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.models import day_models, stored_card
from ds_assets.infra.lake.tables import read_predictions, read_rows, stored_days
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.results.schema import SCHEMA_VERSION
from ds_assets.jobs import DAILY
from ds_assets_tests.assets.factories import Installation
from ds_assets_tests.cli.test_main import Shell, shell
from ds_assets_tests.infra.results.databases import execute, fresh_database

__all__ = ["shell"]

OLD = Path(__file__).parent / "old_installation"
FIRST, LAST, NEXT = dt.date(2026, 1, 1), dt.date(2026, 2, 2), dt.date(2026, 2, 3)
WITH_PREDICTIONS = [dt.date(2026, 1, 24) + dt.timedelta(days) for days in range(10)]
TARGETS: Final = ("churn", "payment")
OF_THE_MOMENT = {"age_seconds", "source"}
"""Members of an answer that say when and how it was found."""
FLOAT32_ROUNDING = 1e-6
"""Models compute in 32 bits, and processors differ in how they add."""


def unpacked(home: Path) -> Installation:
    with tarfile.open(OLD / "home.tar.xz") as archive:
        archive.extractall(home, filter="data")
    return Installation(home)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The installation, for tests that only read it."""
    return unpacked(tmp_path_factory.mktemp("old"))


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    """The installation, for tests that change it."""
    return unpacked(tmp_path / "copy")


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.server)])
def results_url(
    request: pytest.FixtureRequest, old: Installation, copy: Installation
) -> Iterator[str]:
    """A results database as the old release left it."""
    if request.param == "sqlite":
        yield copy.settings.results_url
        return
    with fresh_database(request.getfixturevalue("mysql_url")) as url:
        restore(old.home / "results.sql", url)
        yield url


def restore(dump: Path, url: str) -> None:
    parts = sa.make_url(url)
    connection = pymysql.connect(
        host=parts.host,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.database,
        client_flag=CLIENT.MULTI_STATEMENTS,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(dump.read_text(encoding="utf-8"))
        while cursor.nextset():
            pass
        connection.commit()


def assert_same_predictions(new: pa.Table, stored: pa.Table) -> None:
    """Equal rows, up to the rounding of what the models compute.

    Reasons are chosen otherwise since then: what belongs together is one reason.
    """
    assert new.schema == stored.schema
    new, stored = new.sort_by("user_id"), stored.sort_by("user_id")
    for name in stored.column_names:
        if pa.types.is_floating(stored[name].type):
            assert new[name].is_null().equals(stored[name].is_null()), name
            difference = pc.max(pc.abs(pc.subtract(new[name], stored[name]))).as_py()
            assert difference is None or difference < FLOAT32_ROUNDING, name
        elif name.endswith("_reasons"):
            assert new[name].null_count == 0, name
        else:
            assert new[name].equals(stored[name]), name


@pytest.mark.slow
def test_its_results_database_is_migrated_with_every_delivered_row(
    results_url: str, old: Installation
) -> None:
    with ResultsDatabase(results_url) as database:
        database.ensure_schema()
        deliveries = database.deliveries()
        assert max(delivery.as_of for delivery in deliveries) == database.current_day() == LAST
        assert len(deliveries) >= 3
        for delivery in deliveries:
            rows = database.checksum_day(PREDICTIONS, delivery.as_of)
            assert rows.row_count == delivery.row_count
            if delivery.as_of in WITH_PREDICTIONS:
                assert rows.value == checksum(read_predictions(delivery.as_of, old.lake))
            assert is_of_first_version(delivery.checksum)
    assert execute(results_url, "SELECT version_num FROM alembic_version") == [(SCHEMA_VERSION,)]
    for report in (CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES):
        ((rows,),) = execute(results_url, f"SELECT count(*) FROM {report.name}")
        assert rows > 0, report.name


def test_its_rows_belong_to_the_installation_that_delivers_first(results_url: str) -> None:
    with (
        ResultsDatabase(results_url, installation="live") as live,
        ResultsDatabase(results_url, installation="staging") as staging,
    ):
        assert live.current_day() == staging.current_day() == LAST  # nobody has claimed them
        live.claim("lake of live")
        staging.claim("lake of staging")
        assert live.current_day() == LAST
        assert staging.deliveries() == []
    for report in (CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES):
        query = f"SELECT DISTINCT installation_id FROM {report.name}"
        assert execute(results_url, query) == [(1,)], report.name


@pytest.mark.slow
def test_its_cache_is_not_read_and_is_filled_again(copy: Installation) -> None:
    with copy.cache() as cache:
        assert cache.current_day() is None
        rebuild_cache(open_records(copy.game, copy.lake), copy.lake, cache, days_to_live=7)
        assert cache.current_day() == LAST


def test_its_tables_cards_and_models_are_read(old: Installation) -> None:
    assert list(stored_days("predictions", old.lake)) == WITH_PREDICTIONS
    assert min(stored_days("user_features", old.lake)) == FIRST
    for day in WITH_PREDICTIONS:
        assert read_predictions(day, old.lake).num_rows > 100
        assert read_rows(CLUSTER_PROFILES, day, old.lake).num_rows > 1
        clusters = stored_card("clusters", day, ClusterCard, old.lake)
        assert clusters is not None
        assert clusters.as_of == day
        for target in TARGETS:
            card = stored_card(target, day, ModelCard, old.lake)
            assert card is not None
            assert (card.target, card.as_of) == (target, day)
        assert day_models(day, old.lake).as_of == day


@pytest.mark.slow
def test_its_predictions_are_made_again_from_its_features_and_models(copy: Installation) -> None:
    stored = read_predictions(LAST, copy.lake)
    copy.run(LAST, assets=["predictions"])
    assert_same_predictions(read_predictions(LAST, copy.lake), stored)


@pytest.mark.slow
def test_its_next_day_challenges_its_champions_and_is_delivered(copy: Installation) -> None:
    champions = {target: stored_card(target, LAST, ModelCard, copy.lake) for target in TARGETS}
    before = copy.delivered()
    copy.run(NEXT, assets=DAILY)
    for target in TARGETS:
        card, champion = stored_card(target, NEXT, ModelCard, copy.lake), champions[target]
        assert champion
        assert card
        assert card.decision
        assert card.decision.champion == champion.version
    assert set(copy.delivered()) == {*before, NEXT}
    assert {day: copy.delivered()[day] for day in before} == before
    predicted = copy.predictions(NEXT)
    assert predicted.num_rows > 100
    assert predicted["churn_probability"].null_count == 0
    assert predicted["payment_probability"].null_count == 0


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["nothing", "cache"])
def test_its_users_get_the_answers_that_it_gave(
    copy: Installation, shell: Shell, lost: str
) -> None:
    if lost == "cache":
        shell.env("DS_ASSETS_CACHE_URL", "redis://127.0.0.1:1/0")
    shell.env("DS_ASSETS_HOME", str(copy.home))
    given = [json.loads(line) for line in (OLD / "answers.jsonl").read_text().splitlines()]
    code, out, _ = shell("predict", *(answer["user_id"] for answer in given))
    assert code == 0
    answers = [json.loads(line) for line in out.splitlines()]
    for answer, expected in zip(answers, given, strict=True):
        assert {name: answer[name] for name in expected if name not in OF_THE_MOMENT} == {
            name: pytest.approx(value) if isinstance(value, float) else value
            for name, value in expected.items()
            if name not in OF_THE_MOMENT
        }
