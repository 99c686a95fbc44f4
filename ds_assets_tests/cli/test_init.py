"""`ds-assets init`: a valid game file from logs, or one sentence."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ds_assets_tests.cli.test_main import Shell, shell
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.exports import EXPORTS, write_export
from ds_assets_tests.infra.lake.lakes import make_blob_lake
from ds_assets_tests.onboarding.games import play, put
from ds_assets_tests.onboarding.tables import SEVERAL, write_tables

__all__ = ["shell"]


@pytest.fixture
def home(shell: Shell, tmp_path: Path) -> Path:
    """A home without a game file."""
    shell.env("DS_ASSETS_HOME", str(tmp_path / "new"))
    return tmp_path / "new"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "my shop"
    for day in range(1, 4):
        put(folder / f"dt=2026-02-0{day}" / "a.jsonl", play())
    return folder


def game_of(home: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((home / "game.yaml").read_text())
    return content


@pytest.mark.slow
def test_a_game_file_is_written_that_check_and_doctor_accept(
    shell: Shell, home: Path, tmp_path: Path
) -> None:
    write_export(EXPORTS["segment"], 60, 20, tmp_path / "logs")
    code, out, err = shell("init", str(tmp_path / "logs"), "--name", "Chess")
    assert (code, err) == (0, "")
    assert "fields.user_id: ['userId', 'anonymousId']  (as in exports of Segment" in out
    assert "Please check time_zone: UTC" in out
    assert f"  export DS_ASSETS_SOURCE={tmp_path / 'logs'}\n  ds-assets doctor\n" in out
    assert game_of(home)["name"] == "Chess"
    shell.env("DS_ASSETS_SOURCE", str(tmp_path / "logs"))
    assert shell("check")[0] == 0
    assert shell("doctor")[0] < 2


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_kinds_of_files_are_written_that_check_accepts_and_doctor_reads(
    shell: Shell, home: Path, tmp_path: Path, name: str
) -> None:
    logs = tmp_path / "logs"
    write_tables(SEVERAL[name], 200, 20, logs)
    code, out, err = shell("init", str(logs))
    assert (code, err) == (0, "")
    if "import-logs" in out:
        assert shell("import-logs", str(logs))[0] == 0
    else:
        shell.env("DS_ASSETS_SOURCE", str(logs))
    assert shell("check")[0] == 0
    _, out, _ = shell("doctor", "--json")
    days = json.loads(out)["days"]
    assert all(day["lines"] == day["valid"] > 0 and not day["damaged"] for day in days)
    assert set(game_of(home)["events"]["purchases"]) <= {it for day in days for it in day["types"]}


def test_the_game_has_the_name_of_the_folder_and_paths_with_blanks_are_quoted(
    shell: Shell, home: Path, logs: Path
) -> None:
    _, out, _ = shell("init", str(logs))
    assert game_of(home)["name"] == "my shop"
    assert f"  export DS_ASSETS_SOURCE='{logs}'\n" in out


def test_a_source_that_is_that_of_the_home_needs_no_setting(shell: Shell, home: Path) -> None:
    put(home / "source" / "dt=2026-02-01" / "a.jsonl", play())
    _, out, _ = shell("init", str(home / "source"))
    assert "export" not in out
    assert game_of(home)["name"] == "new"


def test_a_relative_path_and_a_file_are_sources(
    shell: Shell, home: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(logs)
    code, out, _ = shell("init", ".")
    assert (code, game_of(home)["name"]) == (0, "my shop")
    put(logs / "all of it.jsonl", play())
    code, out, _ = shell("init", "all of it.jsonl", "--force")
    assert (code, game_of(home)["name"]) == (0, "all of it")
    assert "ds-assets import-logs 'all of it.jsonl'" in out


def test_an_existing_game_file_is_replaced_by_force_alone(
    shell: Shell, home: Path, logs: Path
) -> None:
    assert shell("init", str(logs))[0] == 0
    mode = (home / "game.yaml").stat().st_mode & 0o777
    assert mode == 0o666 & ~_umask()
    assert f"there is a game file at {home / 'game.yaml'}" in shell.mistake("init", str(logs))
    assert shell("init", str(logs), "--force", "--name", "Other")[0] == 0
    assert game_of(home)["name"] == "Other"
    assert [it.name for it in home.iterdir()] == ["game.yaml"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_options_count_more_than_what_is_guessed(shell: Shell, home: Path, logs: Path) -> None:
    put(
        logs / "dt=2026-02-01" / "a.jsonl",
        play(owner="a", at="2026-02-01", kind="x", amount=2, paid=3, currency="EUR"),
    )
    fields = ("--user-id", "owner", "--event-time", "at", "--event-type", "kind")
    more = ("--amount", "paid", "--time-zone", "Asia/Seoul", "--worth", "EUR=1.1")
    assert shell("init", str(logs), *fields, *more)[0] == 0
    game = game_of(home)
    assert game["time_zone"] == "Asia/Seoul"
    assert game["currencies"] == {"EUR": 1.1}
    assert game["fields"] == {
        "user_id": "owner",
        "event_time": "at",
        "event_type": "kind",
        "amount": "paid",
        "currency": "currency",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no file or folder 'nowhere'"),
        ([""], "there is no file or folder ''"),
        (["LOGS", "--time-zone", "Mars"], "time_zone: found 'Mars'"),
        (["LOGS", "--worth", "KRW"], "found 'KRW'; write a currency and its worth"),
        (["LOGS", "--worth", "KRW=0"], "found 'KRW=0'"),
        (["LOGS", "--worth", "KRW=inf"], "found 'KRW=inf'"),
        (["LOGS", "--worth", "KRW=1"], "no field looks like the currency"),
        (["LOGS", "--user-id", "cost"], "no line has a field cost"),
        (["LOGS", "--event-time", "type"], "the times in type are in no format"),
        (["LOGS", "--name", "x" * 101], "name"),
        (["s3://"], "DS_ASSETS_SOURCE_URL"),
        (["https://example.org/a?sig=secret"], "DS_ASSETS_LAKE_URL"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_written(
    shell: Shell, home: Path, logs: Path, arguments: list[str], message: str
) -> None:
    err = shell.mistake("init", *(str(logs) if it == "LOGS" else it for it in arguments))
    assert message in err
    assert ".tmp" not in err
    assert not (home / "game.yaml").exists()


def test_a_home_that_is_a_file_is_said(shell: Shell, home: Path, logs: Path) -> None:
    home.write_text("")
    assert f"{home / 'game.yaml'} cannot be written: " in shell.mistake("init", str(logs))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Answers that a person at a terminal types."""
    answers: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: answers.pop(0))
    yield answers
    assert answers == []


def test_at_a_terminal_what_logs_do_not_show_is_asked_until_it_is_valid(
    shell: Shell, home: Path, logs: Path, terminal: list[str]
) -> None:
    put(
        logs / "dt=2026-02-01" / "a.jsonl",
        play(type="purchase", amount=2, currency=lambda n: ("USD", "KRW")[n % 2]),
    )
    terminal += ["Mars", "Asia/Seoul", "USD", "USD=1, KRW=0.001"]
    code, _, err = shell("init", str(logs))
    assert code == 0
    assert "found 'Mars'" in err
    game = game_of(home)
    assert (game["time_zone"], game["currencies"]) == ("Asia/Seoul", {"KRW": 0.001, "USD": 1})


@pytest.mark.usefixtures("terminal")
def test_with_yes_nothing_is_asked(shell: Shell, home: Path, logs: Path) -> None:
    assert shell("init", str(logs), "--yes")[0] == 0
    assert game_of(home)["time_zone"] == "UTC"


@pytest.mark.server
def test_logs_in_s3_are_looked_at(shell: Shell, home: Path, s3: Any, logs: Path) -> None:
    for path in logs.rglob("*.jsonl"):
        key = f"games/chess/{path.relative_to(logs).as_posix()}"
        s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
    address = f"s3://{BUCKET}/games/chess"
    code, out, err = shell("init", address)
    assert (code, err) == (0, "")
    assert f"export DS_ASSETS_SOURCE_URL={address}" in out
    assert (game_of(home)["name"], game_of(home)["logs"]["path"]) == ("chess", "dt=%Y-%m-%d")


@pytest.mark.server
def test_logs_in_several_buckets_are_looked_at_as_kinds_of_files(
    shell: Shell, home: Path, s3: Any
) -> None:
    s3.create_bucket(Bucket="shop")
    for day in range(1, 4):
        date = f"2026-02-0{day}"
        played = [{"uid": f"u{n}", "at": f"{date}T1{n % 9}:00:00Z", "level": n} for n in range(30)]
        bought = [{"uid": f"u{n}", "at": f"{date}T20:00:00Z", "price": 4.99} for n in range(5)]
        for bucket, lines in ((BUCKET, played), ("shop", bought)):
            body = "\n".join(map(json.dumps, lines)).encode()
            s3.put_object(Bucket=bucket, Key=f"logs/dt={date}/a.jsonl", Body=body)
    addresses = f"sessions=s3://{BUCKET}/logs purchases=s3://shop/logs"
    code, out, err = shell("init", addresses, "--name", "Chess")
    assert (code, err) == (0, "")
    assert f"export DS_ASSETS_SOURCE_URL='{addresses}'" in out
    game = game_of(home)
    assert set(game["logs"]["kinds"]) == {"sessions", "purchases"}
    assert game["fields"]["amount"] == "price"
    shell.env("DS_ASSETS_SOURCE_URL", addresses)
    assert shell("check")[0] == 0
    _, out, _ = shell("doctor", "--json")
    assert [day["valid"] for day in json.loads(out)["days"]] == [35, 35, 35]


@pytest.mark.server
@pytest.mark.usefixtures("home", "s3")
def test_a_bucket_that_does_not_exist_and_no_credentials_are_said(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "NoSuchBucket" in shell.mistake("init", "s3://no-such-bucket/logs")
    assert f"s3://{BUCKET}/empty has no log files" in shell.mistake("init", f"s3://{BUCKET}/empty")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "credentials" in shell.mistake("init", f"s3://{BUCKET}/logs")


@pytest.mark.server
def test_a_lake_in_azure_is_looked_at(
    shell: Shell, home: Path, blob_url: str, tmp_path: Path, logs: Path
) -> None:
    lake = make_blob_lake(blob_url, tmp_path)
    for path in logs.rglob("*.jsonl"):
        lake.write(f"raw/{path.relative_to(logs).as_posix()}", path.read_bytes())
    code, out, err = shell("init", f"{lake}")
    assert (code, err) == (0, "")
    assert f"export DS_ASSETS_LAKE_URL={lake}" in out
    assert game_of(home)["fields"]["user_id"] == "user_id"
