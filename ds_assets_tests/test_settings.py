from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.settings import (
    DEMO_GAME,
    PREFIX,
    Settings,
    find_unknown_variables,
    load_settings,
)

KEYS = sorted(Settings.model_fields)
ADDRESSES = ("results_url", "cache_url")
SECRET = "whsec_" + "A" * 32


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(PREFIX + key.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def complaint(**overrides: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_settings(overrides)
    return str(caught.value)


def test_everything_has_a_default_below_the_home(tmp_path: Path) -> None:
    settings = load_settings()
    home = tmp_path / "ds_assets_home"
    assert (settings.home, settings.source, settings.lake) == (home, home / "source", home / "lake")
    assert settings.results_url == f"sqlite:///{home / 'results.sqlite'}"
    assert settings.cache_folder == home / "cache"
    assert settings.api_keys == home / "api_keys.json"


def test_the_working_directory_is_a_folder_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS_ASSETS_LAKE", ".")
    settings = load_settings({"source": Path()})
    assert (settings.lake, settings.source) == (tmp_path, tmp_path)
    assert settings.spark_lake == f"file://{tmp_path}"


def test_the_game_is_the_homes_own_where_it_has_one_and_else_the_demos(tmp_path: Path) -> None:
    assert load_settings().game == DEMO_GAME
    own = tmp_path / "ds_assets_home" / "game.yaml"
    own.parent.mkdir()
    own.touch()
    assert load_settings().game == own
    assert load_settings({"game": "other.yaml"}).game == tmp_path / "other.yaml"


def test_settings_come_from_the_environment_before_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DS_ASSETS_THREADS=3\nDS_ASSETS_CACHE_DAYS=4\nOTHER=x\n")
    monkeypatch.setenv("DS_ASSETS_THREADS", "5")
    monkeypatch.setenv("DS_ASSETS_CACHE_DAYS", "")
    settings = load_settings({"schedule_hour": 6})
    assert (settings.threads, settings.cache_days, settings.schedule_hour) == (5, 4, 6)


def test_all_mistakes_are_told_at_once_by_the_names_of_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DS_ASSETS_THREADS", "many")
    monkeypatch.setenv("DS_ASSETS_SCHEDULE_HOUR", "24")
    monkeypatch.setenv("DS_ASSETS_CACHE_URL", "localhost:6379")
    head, *lines = complaint().splitlines()
    assert head == "the environment has 3 mistakes:"
    veiled, hour, threads = sorted(lines)
    assert veiled.startswith("  - DS_ASSETS_CACHE_URL: found a value that is not shown")
    assert "; must begin with redis://, redis+sentinel://" in veiled
    assert hour.startswith("  - DS_ASSETS_SCHEDULE_HOUR: found '24'; Input should be less than or")
    assert threads.startswith("  - DS_ASSETS_THREADS: found 'many'; Input should be a valid int")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cache_days", 0),
        ("cache_days", 366),
        ("requests_per_key", 0),
        ("requests_per_key", 1_000_001),
        ("requests_at_once", 0),
        ("requests_at_once", 1_001),
        ("memory_limit_mb", 127),
        ("results_days", -1),
        ("results_days", 36_501),
        ("threads", 0),
        ("threads", 257),
        ("schedule_hour", -1),
        ("schedule_hour", 24),
        ("source_url", "https://bucket.example"),
        ("source_url", "s3:///prefix"),
        ("source_url", "sessions=s3://a purchases=/folder"),
        ("source_url", "sessions=s3://a s3://b"),
        ("source_url", "sessions=s3://a sessions=s3://b"),
        ("source_url", "a/b=s3://a"),
        ("results_url", "postgresql://host/name"),
        ("results_url", "mysql://host/name"),
        ("cache_url", "http://host"),
        ("spark_remote", "127.0.0.1:15002"),
        ("spark_master", "mesos://host"),
        ("spark_lake", "/folder"),
        ("cache_url", "redis+ring://host"),
        ("webhook_url", "host/path"),
        ("webhook_url", "ftp://host"),
        ("webhook_url", "https://ho st/"),
        ("webhook_url", "https://host/\n"),
        ("webhook_url", "https://ho\u200bst/"),
        ("webhook_url", "https://a..b/"),
        ("webhook_url", "https://xn--a/hook"),
        ("webhook_url", f"https://{'a' * 64}.example/"),
        ("webhook_url", f"https://host/{'a' * 2_000}"),
        ("webhook_secret", "A" * 32),
        ("webhook_secret", "whsec_" + "A" * 28),
        ("webhook_secret", "whsec_" + "A" * 92),
        ("webhook_secret", "whsec_" + "-" * 32),
    ],
)
def test_what_is_not_accepted_is_one_mistake_of_its_key(key: str, value: object) -> None:
    lines = complaint(**{key: value}).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"  - {PREFIX}{key.upper()}: found ")
    assert "; " in lines[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cache_days", 1),
        ("cache_days", 365),
        ("memory_limit_mb", 128),
        ("results_days", 0),
        ("results_days", 36_500),
        ("threads", 256),
        ("schedule_hour", 0),
        ("schedule_hour", 23),
        ("source_url", "s3://bucket/prefix/deep"),
        ("source_url", "s3://bucket/with blanks and a=s3://name"),
        ("source_url", "sessions=s3://a/logs purchases=s3://b"),
        ("results_url", "mysql+pymysql://user:word@host/name"),
        ("results_url", "postgresql+psycopg://user:word@host/name"),
        ("results_url", "sqlite:////tmp/x.sqlite"),
        ("cache_url", "rediss://:word@host"),
        ("spark_remote", "sc://host:15002/;token=word"),
        ("spark_master", "local[2]"),
        ("spark_master", "spark://host:7077"),
        ("spark_lake", "abfss://lake@account.dfs.core.windows.net"),
        ("cache_url", "unix:///tmp/x.sock"),
        ("cache_url", "rediss+sentinel://:word@host,other/service"),
        ("cache_url", "redis+cluster://host,other"),
        ("webhook_secret", "whsec_" + "A" * 32),
        ("webhook_secret", "whsec_" + "A" * 84),
    ],
)
def test_the_ends_of_what_is_accepted_are_accepted(key: str, value: object) -> None:
    assert getattr(load_settings({key: value}), key) == value


def test_a_spark_beside_another_is_a_mistake() -> None:
    text = complaint(spark_remote="sc://host", spark_master="local[2]")
    assert "DS_ASSETS_SPARK_MASTER: found 'local[2]'; DS_ASSETS_SPARK_REMOTE is set too" in text


def test_spark_must_be_told_where_a_lake_with_an_address_is(tmp_path: Path) -> None:
    blob = "https://account.blob.core.windows.net/lake"
    assert load_settings({"spark_master": "yarn"}).spark_lake.startswith(f"file://{tmp_path}/")
    assert load_settings({"lake_url": blob})
    text = complaint(lake_url=blob, spark_master="yarn")
    assert "DS_ASSETS_SPARK_LAKE: found ''; required with Spark and DS_ASSETS_LAKE_URL" in text


def test_an_env_file_that_is_no_text_is_a_plain_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DS_ASSETS_THREADS=\xff\n")
    assert ".env" in complaint()


def test_a_home_that_cannot_be_a_folder_is_a_plain_mistake() -> None:
    assert "File name too long" in complaint(home="x" * 10_000)


def test_variables_that_are_not_settings_are_found_in_the_environment_and_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DS_ASSETS_LAKE_ULR=https://host/lake?sig=s3cret\nOTHER=x\n")
    monkeypatch.setenv("DS_ASSETS_COLOR", "red")
    monkeypatch.setenv("DS_ASSETS_THREADS", "2")
    assert find_unknown_variables() == [
        "DS_ASSETS_COLOR is not a setting and has no effect; .env.example lists all settings",
        "DS_ASSETS_LAKE_ULR is not a setting and has no effect; did you mean DS_ASSETS_LAKE_URL?",
    ]


def test_an_env_file_that_is_no_text_hides_no_variable_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"DS_ASSETS_THREADS=\xff\n")
    monkeypatch.setenv("DS_ASSETS_HOEM", "x")
    assert [text.partition(" ")[0] for text in find_unknown_variables()] == ["DS_ASSETS_HOEM"]


@pytest.mark.slow
@given(
    overrides=st.dictionaries(
        st.sampled_from(KEYS),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.text()),
    )
)
def test_whatever_is_set_there_are_settings_or_a_plain_mistake(overrides: dict[str, Any]) -> None:
    with suppress(InputError):
        load_settings(overrides)


@given(
    key=st.sampled_from(ADDRESSES),
    form=st.sampled_from(
        [
            "postgresql://user:{}@host/name",
            "http://{}",
            "user:{}@host",
            "{}",
            "mysql:/user:{}@host",
            " redis://:{}@host",
        ]
    ),
    rest=st.text(),
)
def test_no_message_and_no_description_shows_a_password(key: str, form: str, rest: str) -> None:
    secret = f"Hunter2{rest}"
    text = complaint(**{key: form.format(secret), "threads": f"mysql://u:{secret}@h"})
    assert f"{PREFIX}{key.upper()}: found" in text
    assert "Hunter2" not in text
    accepted = {"results_url": "mysql+pymysql://u:{}@h/n", "cache_url": "redis://:{}@h"}[key]
    assert "Hunter2" not in repr(load_settings({key: accepted.format(secret)}))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql+pymysql://owner:s3cret@host:3306/db?ssl_ca=ca.pem", "mysql+pymysql://host:3306/db"),
        ("mysql+pymysql://owner:s3cr@et/x@host/db", "mysql+pymysql://host/db"),
        ("sqlite:////folder@home/results.sqlite", "sqlite:////folder@home/results.sqlite"),
    ],
)
def test_places_are_shown_without_credentials(url: str, shown: str, tmp_path: Path) -> None:
    settings = load_settings({"home": tmp_path, "results_url": url})
    assert settings.places()["results"] == shown
    assert settings.places()["lake"] == str(tmp_path / "lake")


@pytest.mark.parametrize(
    "url", ["https://account.blob.core.windows.net", "lake", "ftp://host/lake", "https:///lake"]
)
def test_a_lake_that_is_no_container_is_a_mistake(url: str) -> None:
    with pytest.raises(InputError, match=r"DS_ASSETS_LAKE_URL: .*CONTAINER"):
        load_settings({"lake_url": url})


@pytest.mark.parametrize("secret", ["https://host/lake?sig=s3cret", "https://u:s3cret@host/lake"])
def test_a_lake_s_address_with_credentials_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(InputError, match="must not hold credentials") as refused:
        load_settings({"lake_url": secret})
    assert "s3cret" not in str(refused.value)


def test_a_webhook_needs_a_secret_and_shows_neither() -> None:
    url = "https://crm.example/hooks/t0ken"
    text = complaint(webhook_url=url)
    assert "DS_ASSETS_WEBHOOK_SECRET: found a value" in text
    assert "required with DS_ASSETS_WEBHOOK_URL" in text
    short = "whsec_t0ken"
    assert "t0ken" not in complaint(webhook_url=f"{url}:", webhook_secret=short)
    settings = load_settings({"webhook_url": url, "webhook_secret": SECRET})
    assert settings.webhook_url == url
    assert "t0ken" not in repr(settings)
    assert SECRET not in repr(settings)
