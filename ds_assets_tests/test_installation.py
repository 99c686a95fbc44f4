"""What an installation runs on, by its settings."""

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ds_assets.errors import InputError
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.engines.duckdb import DuckDBEngine
from ds_assets.infra.lake.azure_blob import BlobLake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.log_source.s3 import S3LogSource
from ds_assets.installation import Installation, load_installation, load_key_file
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.factories import put, row, table


def installation(home: Path, **settings: Any) -> Installation:
    return Installation(load_installation({"home": home, **settings}).settings, make_game())


def put_one(cache: PredictionCache) -> int:
    """Put a user into the cache. Returns how many were written."""
    day = dt.date(2026, 1, 1)
    return put(cache, day, table(row("u1", day))).written


def test_without_addresses_everything_is_a_folder_or_in_the_process(tmp_path: Path) -> None:
    installed = installation(tmp_path)
    assert isinstance(installed.lake(), FolderLake)
    assert isinstance(installed.log_source(), FolderLogSource)
    assert isinstance(installed.engine(), DuckDBEngine)
    with installed.results() as results, installed.cache() as cache:
        results.ensure_schema()
        assert (tmp_path / "results.sqlite").is_file()
        assert put_one(cache) == 1
        assert (tmp_path / "cache").is_dir()


def test_an_address_takes_the_place_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    installed = installation(
        tmp_path,
        source_url="s3://logs/game",
        lake_url="http://127.0.0.1:1/account/lake",
        cache_url="redis://127.0.0.1:1/0",
    )
    assert isinstance(installed.lake(), BlobLake)
    assert isinstance(installed.log_source(), S3LogSource)
    with (
        installed.cache() as cache,
        pytest.raises(CacheUnavailable, match=r"redis://127\.0\.0\.1:1/0"),
    ):
        put_one(cache)


def test_api_keys_can_be_managed_without_a_valid_game_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS_ASSETS_HOME", str(tmp_path))
    (tmp_path / "game.yaml").write_text("name: [")
    assert load_key_file().read() == []
    with pytest.raises(InputError, match="not valid YAML"):
        load_installation()


def test_a_retention_that_is_too_short_for_the_game_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS_ASSETS_TABLE_DAYS", "30")
    with pytest.raises(InputError, match="DS_ASSETS_TABLE_DAYS is 30, and features, labels and"):
        load_installation({"home": tmp_path})


def test_a_condition_with_an_unknown_name_is_refused_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "game.yaml"
    fields = "fields: {user_id: u, event_time: t, event_type: e}"
    file.write_text(
        f"name: A\nfirst_day: 2026-01-01\n{fields}\npromotions: {{offer: {{who: rsk > 1}}}}\n"
    )
    with pytest.raises(InputError) as caught:
        load_installation({"home": tmp_path, "game": file})
    head, line = str(caught.value).splitlines()
    assert head == f"the game file {file} has 1 mistake:"
    assert line.startswith("  - promotions.offer.who: found 'rsk > 1'; rsk at position 1 is not a")


def test_the_name_is_that_of_the_game_or_of_the_setting(tmp_path: Path) -> None:
    assert installation(tmp_path).name == make_game().name
    assert installation(tmp_path, installation="staging").name == "staging"


def test_loading_an_installation_loads_no_library_of_a_server() -> None:
    code = (
        "import sys; from ds_assets.installation import load_installation; load_installation(); "
        "sys.exit(any(name in sys.modules for name in "
        "('dagster', 'duckdb', 'pandas', 'pyarrow', 'redis', 'sqlalchemy', 'boto3', 'azure')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
