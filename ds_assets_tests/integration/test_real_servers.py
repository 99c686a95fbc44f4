"""Weeks on S3, Azure Blob, MySQL and Redis: the same as on folders and files, and no secrets."""

import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest

from ds_assets.errors import InputError
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets_tests.assets.factories import START, Installation, change_game, day, finished
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.infra.factories import get_rows
from ds_assets_tests.infra.lake.lakes import make_blob_lake
from ds_assets_tests.infra.results.databases import fresh_database

LAST = day(23)
"""The second day with models; the month of folders and files continues after it."""

pytestmark = [pytest.mark.slow, pytest.mark.server]


class Month:
    """What weeks on real servers left behind.

    Attributes:
        installation: Its graph.
        urls: What its settings name.
        instance: Where its run is on record.
    """

    def __init__(
        self, installation: Installation, urls: dict[str, str], instance: dg.DagsterInstance
    ) -> None:
        self.installation = installation
        self.urls = urls
        self.instance = instance

    def texts_on_record(self) -> Iterator[str]:
        """Everything that the run left on record, and that its parts say of themselves."""
        for run in self.instance.get_runs():
            yield repr(run)
            yield str(run.run_config)
            for record in self.instance.all_logs(run.run_id):
                yield repr(record)
                yield dg.serialize_value(record)
        defs = self.installation.defs
        yield repr(self.installation.settings)
        yield str(self.installation.settings.places())
        for name, resource in (defs.resources or {}).items():
            yield f"{name}: {resource!r}"
        installed = self.installation.installed
        with installed.results() as results, installed.cache() as cache:
            for opened in (installed.log_source(), installed.lake(), results, cache):
                yield f"{opened} {opened!r}"


@pytest.fixture(scope="module")
def month(
    s3: Any,
    blob_url: str,
    mysql_url: str,
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Month]:
    home = tmp_path_factory.mktemp("real")
    # Read before the environment names servers: what it is compared with must stay in its folders.
    source = finished().settings.source
    with (
        fresh_database(mysql_url) as database,
        pytest.MonkeyPatch.context() as environment,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        urls = {
            "DS_ASSETS_SOURCE_URL": f"s3://{BUCKET}/month",
            "DS_ASSETS_LAKE_URL": str(make_blob_lake(blob_url, home)),
            "DS_ASSETS_RESULTS_URL": database,
            "DS_ASSETS_CACHE_URL": redis_url,
        }
        for name, value in urls.items():
            environment.setenv(name, value)
        for path in source.rglob("*.*"):
            key = f"month/{path.relative_to(source)}"
            s3.upload_file(str(path), BUCKET, key)
        shutil.copy(finished().home / "game.yaml", home)
        # Other tests put later days of the simulated game into the same cache server.
        installation = change_game(Installation(home), {"name": "A month on real servers"})
        installation.run(START, LAST, instance=instance)
        yield Month(installation, urls, instance)


def test_real_servers_give_the_same_predictions_as_folders_and_files(month: Month) -> None:
    expected = {day: same for day, same in finished().delivered().items() if day <= LAST}
    assert len(expected) == 24
    assert month.installation.delivered() == expected


def test_the_cache_holds_what_was_delivered(month: Month) -> None:
    rows = finished().predictions(LAST)
    assert rows["churn_model"].null_count == 0
    game = month.installation.game.name
    with PredictionCache(month.urls["DS_ASSETS_CACHE_URL"], game, 7) as real:
        assert get_rows(real, rows["user_id"].to_pylist()) == rows.to_pylist()


def test_nothing_lies_in_folders_but_copies(month: Month) -> None:
    home = month.installation.home
    names = {path.name for path in home.iterdir()}
    assert names <= {"game.yaml", "lake_cache", "lake cache", "plans"}


def secrets_of(month: Month) -> set[str]:
    passwords = {urlsplit(url).password for url in month.urls.values()}
    keys = {os.environ.get("AWS_SECRET_ACCESS_KEY"), os.environ.get("AZURE_STORAGE_KEY")}
    return {secret for secret in passwords | keys if secret}


def test_no_credential_is_on_record_anywhere(month: Month) -> None:
    secrets = secrets_of(month)
    assert len(secrets) == 4
    texts = list(month.texts_on_record())
    assert len(texts) > 100
    for text in texts:
        leaked = {secret for secret in secrets if secret in text}
        assert not leaked, text[:300]


WRONG = "wr0ng-and-secret"
REFUSED = {
    "DS_ASSETS_RESULTS_URL": ("rds_results", "mysql+pymysql://owner:{secret}@{host}/{path}"),
    "DS_ASSETS_CACHE_URL": ("prediction_cache", "redis://:{secret}@{host}/0"),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_a_refused_credential_is_named_by_its_setting_and_not_shown(
    month: Month, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset, pattern = REFUSED[setting]
    parts = urlsplit(month.urls[setting])
    host = f"{parts.hostname}:{parts.port}"
    url = pattern.format(secret=WRONG, host=host, path=parts.path[1:])
    monkeypatch.setenv(setting, url)
    refuse(month, asset, setting)


def test_a_refused_key_of_the_lake_is_named_and_not_shown(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", WRONG.encode().hex())
    refuse(month, "user_activity", "DS_ASSETS_LAKE_URL")


def refuse(month: Month, asset: str, setting: str) -> None:
    """Run an asset with what is refused."""
    with dg.DagsterInstance.ephemeral() as instance:
        changed = Month(Installation(month.installation.home), month.urls, instance)
        with pytest.raises(InputError, match=setting) as failed:
            changed.installation.run(LAST, assets=[asset], instance=instance)
        texts = [str(failed.value), *changed.texts_on_record()]
    for text in texts:
        assert WRONG not in text, text[:300]
        assert WRONG.encode().hex() not in text
