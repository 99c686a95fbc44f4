from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.errors import InputError
from ds_assets.settings import DEMO_GAME, PREFIX, Settings, load_settings

KEYS = sorted(Settings.model_fields)
ADDRESSES = ("results_url", "cache_url")


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
    found = load_settings()
    home = tmp_path / "ds_assets_home"
    assert (found.home, found.source, found.lake) == (home, home / "source", home / "lake")
    assert found.results_url == f"sqlite:///{home / 'results.sqlite'}"
    assert found.cache_folder == home / "cache"


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
    found = load_settings({"schedule_hour": 6})
    assert (found.threads, found.cache_days, found.schedule_hour) == (5, 4, 6)


def test_all_mistakes_are_told_at_once_by_the_names_of_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DS_ASSETS_THREADS", "many")
    monkeypatch.setenv("DS_ASSETS_SCHEDULE_HOUR", "24")
    monkeypatch.setenv("DS_ASSETS_CACHE_URL", "localhost:6379")
    head, *lines = complaint().splitlines()
    assert head == "the environment has 3 mistakes:"
    veiled, hour, threads = sorted(lines)
    assert veiled.startswith("  - DS_ASSETS_CACHE_URL: found something else, not shown")
    assert veiled.endswith("; must begin with redis://, rediss:// or unix://")
    assert hour.startswith("  - DS_ASSETS_SCHEDULE_HOUR: found '24'; Input should be less than or")
    assert threads.startswith("  - DS_ASSETS_THREADS: found 'many'; Input should be a valid int")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cache_days", 0),
        ("cache_days", 366),
        ("memory_limit_mb", 127),
        ("threads", 0),
        ("threads", 257),
        ("schedule_hour", -1),
        ("schedule_hour", 24),
        ("source_url", "https://bucket.example"),
        ("source_url", "s3:///prefix"),
        ("results_url", "postgresql://host/name"),
        ("results_url", "mysql://host/name"),
        ("cache_url", "http://host"),
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
        ("threads", 256),
        ("schedule_hour", 0),
        ("schedule_hour", 23),
        ("source_url", "s3://bucket/prefix/deep"),
        ("results_url", "mysql+pymysql://user:word@host/name"),
        ("results_url", "sqlite:////tmp/x.sqlite"),
        ("cache_url", "rediss://:word@host"),
        ("cache_url", "unix:///tmp/x.sock"),
    ],
)
def test_the_ends_of_what_is_accepted_are_accepted(key: str, value: object) -> None:
    assert getattr(load_settings({key: value}), key) == value


def test_an_env_file_that_is_no_text_is_a_plain_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DS_ASSETS_THREADS=\xff\n")
    assert ".env" in complaint()


def test_a_home_that_cannot_be_a_folder_is_a_plain_mistake() -> None:
    assert "File name too long" in complaint(home="x" * 10_000)


@settings(deadline=None)
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


@settings(deadline=None)
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
