"""The command line: what it prints, and one sentence for each mistake of its user."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import dagster as dg
import httpx
import pyarrow.parquet as pq
import pytest
import yaml

from ds_assets.cli.main import COMMANDS, main
from ds_assets.errors import InputError
from ds_assets.infra.engines import spark_session
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.missing_days import WHAT_TO_DO
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.results.schema import SCHEMA_VERSION
from ds_assets.installation import operator_name
from ds_assets.local_servers.process import ServerProcess, free_port
from ds_assets.settings import Settings
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    Installation,
    change_game,
    day,
    event,
    finished,
    make_installation,
)
from ds_assets_tests.infra.factories import get_rows
from ds_assets_tests.infra.receivers import SECRET, receiving

Told = tuple[int, str, str]
PROGRESS = re.compile(r"\d\d:\d\d:\d\d \w+ (done|failed|is running)( for .+)?( after .+)?$")
SCRIPT = [sys.executable, "-c", "from ds_assets.cli.main import main; main()"]


class Shell:
    """Runs commands in this process, as the script `ds-assets` does."""

    def __init__(
        self, patch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], home: Path
    ) -> None:
        self._patch, self._capfd = patch, capfd
        self.home = home

    def env(self, name: str, value: str) -> None:
        self._patch.setenv(name, value)

    def __call__(self, *arguments: str) -> Told:
        self._patch.setattr(sys, "argv", ["ds-assets", *arguments])
        self._capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = self._capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    def mistake(self, *arguments: str) -> str:
        """The message of a command that is a mistake."""
        code, out, err = self(*arguments)
        assert (code, out) == (2, "")
        return err

    def unavailable(self, *arguments: str) -> str:
        """The message of a command that needs a server that is down."""
        code, out, err = self(*arguments)
        assert (code, out) == (3, "")
        assert "Unavailable" not in err
        assert "secret" not in err
        assert "c2VjcmV0" not in err
        return err


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Shell:
    make_installation(tmp_path / "home")
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DS_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("COLUMNS", "200")
    return Shell(monkeypatch, capfd, tmp_path / "home")


def other_lines(err: str) -> list[str]:
    """Lines of the standard error stream that are not about the progress of a run."""
    return [line for line in err.splitlines() if not PROGRESS.match(line)]


def check(shell: Shell) -> tuple[int, dict[str, str]]:
    """Exit code of `check`, and what it says by the first word of each line."""
    code, out, err = shell("check")
    assert err == ""
    assert "secret" not in out
    assert "c2VjcmV0" not in out
    lines = [line.partition(" ") for line in out.splitlines()]
    return code, {name: rest.strip() for name, _, rest in lines}


def write_day(shell: Shell, *lines: str) -> None:
    Installation(shell.home).write_logs(START, *lines)


def test_check_says_where_everything_is_and_that_nothing_is_wrong(shell: Shell) -> None:
    kinds = ("session_start", "purchase", "gacha_draw", "stage_clear")
    extra = {
        "amount": 1,
        "props": {"minutes": 2},
        "user": {"id": "u1", "country": "KR", "channel": "ads", "level": 3},
    }
    write_day(
        shell,
        *(
            json.dumps(json.loads(event(n, f"{START}T10:00:00Z", kind=kind)) | extra)
            for n, kind in enumerate(kinds)
        ),
    )
    game, database = "Simulated game", f"sqlite:///{shell.home}/results.sqlite"
    compared = "its fields and event types are in 4 lines of"
    code, out, err = shell("check")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"game      {game} ({shell.home}/game.yaml): valid; {compared} {START}",
        f"source    {shell.home}/source: usable, newest day {START}",
        f"lake      {shell.home}/lake: not created yet; the first run creates it",
        f"results   {database}: not created yet; the first delivery creates it",
        f"cache     {shell.home}/cache: not created yet; the first use creates it",
        "All settings are valid.",
    ]


def test_check_prints_the_same_as_json_for_a_script(shell: Shell) -> None:
    shell.env("DS_ASSETS_RESULTS_URL", f"sqlite:///{shell.home}/game.yaml/results.sqlite")
    shell.env("DS_ASSETS_MISSPELT", "1")
    code, out, err = shell("check", "--json")
    assert (code, err) == (2, "")
    records = {record["name"]: record for record in json.loads(out)}
    assert list(records) == ["game", "source", "lake", "results", "cache", "environment"]
    assert records["lake"] == {
        "name": "lake",
        "place": f"{shell.home}/lake",
        "kind": "ok",
        "text": "not created yet; the first run creates it",
    }
    assert records["results"]["kind"] == records["environment"]["kind"] == "mistake"
    assert "DS_ASSETS_MISSPELT" in records["environment"]["text"]


def test_the_version_is_that_of_the_package(shell: Shell) -> None:
    assert shell("--version") == (0, f"ds-assets {metadata.version('ds_assets')}\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("ds-assets re", "re", {"refuse", "refresh", "rebuild-cache", "resume"}),
        ("ds-assets serve --", "--", {"--host", "--port", "--workers", "--help"}),
    ],
)
def test_a_shell_completes_commands_and_their_options(
    line: str, word: str, expected: set[str]
) -> None:
    number = str(len(line.split()) - 1)
    environment = os.environ | {
        "_DS_ASSETS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": number,
    }
    done = subprocess.run(  # noqa: S603  (our own command)
        SCRIPT, env=environment, capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == expected, word


def test_check_opens_every_place_and_names_the_newest_day(shell: Shell) -> None:
    write_day(shell, event(1, f"{START}T10:00:00Z"))
    FolderLake(shell.home / "lake").write(f"raw/dt={START}/a.jsonl", b"{}\n")
    with ResultsDatabase(f"sqlite:///{shell.home}/results.sqlite") as database:
        database.ensure_schema()
    (shell.home / "cache").mkdir()
    code, lines = check(shell)
    assert code == 0
    assert lines["source"].endswith(f"/source: usable, newest day {START}")
    assert lines["lake"].endswith(f"/lake: usable, newest day {START}")
    assert lines["results"].endswith(f"/results.sqlite: usable, schema version {SCHEMA_VERSION}")
    assert lines["cache"].endswith("/cache: usable")


def test_check_names_missing_days_and_folders_that_are_nearly_days(shell: Shell) -> None:
    installation = Installation(shell.home)
    for number in (0, 2):
        installation.write_logs(day(number), event(1, f"{day(number)}T10:00:00Z"))
    (shell.home / "source" / "2026").mkdir()
    FolderLake(shell.home / "lake").write("raw/date=2026-01-01/a.jsonl", b"{}\n")
    code, lines = check(shell)
    assert code == 0
    assert f"warning: usable, newest day {day(2)}; no logs of {day(1)} in " in lines["source"]
    assert lines["source"].endswith("logs.path is dt=%Y-%m-%d: 2026")
    assert lines["lake"].endswith("not read, as no dt=YYYY-MM-DD: raw/ date=2026-01-01")


def test_check_sends_a_receiver_a_signed_message_on_which_nobody_can_act(shell: Shell) -> None:
    with receiving() as receiver:
        shell.env("DS_ASSETS_WEBHOOK_URL", receiver.url)
        shell.env("DS_ASSETS_WEBHOOK_SECRET", SECRET)
        _, lines = check(shell)
        assert lines["receiver"] == "127.0.0.1: not used: the game file has no promotions"
        change_game(Installation(shell.home), {"promotions": {"bundle": {"who": "true"}}})
        before = sorted(shell.home.rglob("*"))
        code, lines = check(shell)
        check(shell)
    assert (code, lines["receiver"]) == (0, "127.0.0.1: usable, it accepts signed messages")
    assert len(set(receiver.ids())) == 2  # a receiver that ignores what it has replies to both
    message = receiver.accepted[0][1]
    assert message["type"] == "promotion.test"
    assert message["data"] == {"game": "Simulated game", "changes": []}
    assert sorted(shell.home.rglob("*")) == before


def test_check_creates_nothing(shell: Shell) -> None:
    before = sorted(shell.home.rglob("*"))
    check(shell)
    assert sorted(shell.home.rglob("*")) == before


@pytest.mark.slow
def test_check_names_every_server_that_is_down_and_no_secret(shell: Shell) -> None:
    close_ports(shell, *CLOSED_PORTS)
    code, lines = check(shell)
    assert code == 3
    for name in ("source", "lake", "results", "cache"):
        place, _, result = lines[name].partition(": unavailable: ")
        assert place
        assert f"DS_ASSETS_{name.upper()}_URL" in result


def test_check_reports_mistakes_of_several_places_at_once(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shell.env("DS_ASSETS_LAKE", str(tmp_path / "file"))
    shell.env("DS_ASSETS_SOURCE", str(tmp_path / "nowhere"))
    shell.env("DS_ASSETS_CACHE_URL", "redis://me:secret@127.0.0.1:1/0?decode_responses=true")
    code, lines = check(shell)
    assert code == 2
    assert f"{tmp_path}/file is not a folder; correct DS_ASSETS_LAKE" in lines["lake"]
    assert f"{tmp_path}/nowhere does not exist; create it" in lines["source"]
    assert "DS_ASSETS_CACHE_URL must not set decode_responses" in lines["cache"]


def test_a_mistake_counts_more_than_a_server_that_is_down(shell: Shell, tmp_path: Path) -> None:
    shell.env("DS_ASSETS_SOURCE", str(tmp_path / "nowhere"))
    shell.env("DS_ASSETS_CACHE_URL", "redis://127.0.0.1:1/0")
    code, lines = check(shell)
    assert code == 2
    assert ": unavailable: " in lines["cache"]


def test_check_finds_a_home_that_does_not_exist(shell: Shell, tmp_path: Path) -> None:
    shell.env("DS_ASSETS_HOME", str(tmp_path / "hoem"))
    code, lines = check(shell)
    assert code == 2
    assert f"DS_ASSETS_HOME names {tmp_path}/hoem, which is not a folder" in lines["mistake:"]


def test_a_misspelt_variable_is_a_mistake_for_check_and_a_warning_elsewhere(shell: Shell) -> None:
    shell.env("DS_ASSETS_CASHE_URL", "redis://me:secret@host")
    sentence = (
        "DS_ASSETS_CASHE_URL is not a setting and has no effect; did you mean DS_ASSETS_CACHE_URL?"
    )
    code, lines = check(shell)
    assert (code, lines["mistake:"]) == (2, sentence)
    assert shell("keys", "list") == (0, "", f"warning: {sentence}\n")


def test_a_misspelt_variable_is_reported_beside_other_mistakes_of_the_settings(
    shell: Shell,
) -> None:
    shell.env("DS_ASSETS_THREDS", "2")
    shell.env("DS_ASSETS_SCHEDULE_HOUR", "24")
    message = shell.mistake("check")
    assert "DS_ASSETS_SCHEDULE_HOUR: found '24'" in message
    assert "did you mean DS_ASSETS_THREADS?" in message


def test_check_warns_of_fields_and_event_types_that_no_line_has(shell: Shell) -> None:
    game = yaml.safe_load((shell.home / "game.yaml").read_text())
    game["fields"]["amount"] = "amuont"
    game["events"]["purchases"] = ["purchase", "gatcha_draw"]
    (shell.home / "game.yaml").write_text(yaml.safe_dump(game))
    write_day(shell, event(1, f"{START}T10:00:00Z", kind="gacha_draw"))
    code, lines = check(shell)
    assert code == 0
    assert ": warning: " in lines["game"]
    assert "fields.amount: no line has the field amuont" in lines["game"]
    assert (
        "events.purchases: no line has the event type gatcha_draw; did you mean gacha_draw?"
        in lines["game"]
    )
    assert f"looked at 1 line of {START}" in lines["game"]
    assert "All" not in lines


def test_check_compares_with_the_lake_where_logs_are_put_straight_into_it(shell: Shell) -> None:
    line = event(1, f"{START}T10:00:00Z", kind="gacha_draw")
    FolderLake(shell.home / "lake").write(f"raw/dt={START}/a.jsonl", f"{line}\n".encode())
    _, lines = check(shell)
    assert "not used: the logs are put straight into the lake" in lines["source"]
    assert f"looked at 1 line of {START}" in lines["game"]


def test_check_ends_in_time_though_a_server_never_answers(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ds_assets.cli.check.TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(Settings, "places", lambda _: {"cache": "a silent place"})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shell.env("DS_ASSETS_CACHE_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        code, lines = check(shell)
    assert code == 3
    assert lines["cache"] == "a silent place: unavailable: no answer within 0.5 seconds"


def test_every_mistake_of_the_game_file_is_told_at_once(shell: Shell) -> None:
    (shell.home / "game.yaml").write_text("name: x\nfirst_day: tomorrow\nhorizon: 7\n")
    lines = shell.mistake("check").splitlines()
    assert lines[0] == f"ds-assets: the game file {shell.home}/game.yaml has 3 mistakes:"
    assert {line.split(":")[0].strip(" -") for line in lines[1:]} == {
        "first_day",
        "fields",
        "horizon",
    }


@pytest.mark.parametrize("command", [("check",), ("run", "2026-01-01"), ("predict", "u1")])
def test_a_game_file_that_is_missing_is_told_by_each_command(
    shell: Shell, command: tuple[str, ...]
) -> None:
    shell.env("DS_ASSETS_GAME", "nowhere.yaml")
    assert shell.mistake(*command).startswith("ds-assets: there is no game file at ")


def test_a_game_file_that_is_no_yaml_is_told(shell: Shell) -> None:
    (shell.home / "game.yaml").write_text("name: [")
    assert f"the game file {shell.home}/game.yaml is not valid YAML" in shell.mistake("check")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DS_ASSETS_THREADS", "many", "DS_ASSETS_THREADS: found 'many'"),
        ("DS_ASSETS_SCHEDULE_HOUR", "24", "DS_ASSETS_SCHEDULE_HOUR: found '24'"),
        ("DS_ASSETS_RESULTS_URL", "postgres://me:secret@db", "DS_ASSETS_RESULTS_URL: found"),
        ("DS_ASSETS_CACHE_URL", "memcached://me:secret@host", "DS_ASSETS_CACHE_URL: found"),
    ],
)
def test_a_setting_that_is_wrong_is_named_without_its_password(
    shell: Shell, name: str, value: str, message: str
) -> None:
    shell.env(name, value)
    err = shell.mistake("check")
    assert "the environment has 1 mistake" in err
    assert message in err
    assert "secret" not in err


@pytest.mark.slow
def test_a_run_delivers_the_day_and_predict_answers_from_it(shell: Shell) -> None:
    installation = Installation(shell.home)
    installation.write_logs(START, *(event(n, f"{START}T10:00:00Z", f"u{n}") for n in range(30)))
    code, out, err = shell("run", str(START))
    assert code == 0
    assert "1 day, 30 events of 30 lines (0 in quarantine) in" in out
    assert f"30 users predicted as of {START}, 1 day delivered." in out
    assert str(installation.settings.lake) in out
    steps = [line.split()[1] for line in err.splitlines() if " done after " in line]
    assert steps[0] == "raw_logs"
    assert {"rds_results", "prediction_cache"} <= set(steps)
    assert other_lines(err) == []
    code, out, err = shell("predict", "u3", "nobody")
    assert (code, err) == (0, "")
    user, unknown = map(json.loads, out.splitlines())
    assert (user["user_id"], user["status"], user["as_of"]) == (
        "u3",
        "not_enough_data",
        str(START),
    )
    assert (unknown["user_id"], unknown["status"]) == ("nobody", "unknown_user")


@pytest.mark.slow
def test_a_run_over_a_range_says_which_days_it_left_out(shell: Shell) -> None:
    installation = Installation(shell.home)
    for number in (0, 2):
        installation.write_logs(
            day(number), *(event(n, f"{day(number)}T10:00:00Z", f"u{n}") for n in range(30))
        )
    code, out, err = shell("run", str(START), str(day(2)))
    assert code == 1
    assert f"predicted as of {day(2)}, 2 days delivered" in out
    missing = day(1)
    folder = installation.source(missing)
    assert other_lines(err) == [
        f"left out: {missing}: there are no log files in {folder}; {WHAT_TO_DO}"
    ]


@pytest.mark.slow
def test_a_run_of_an_old_day_makes_the_later_days_again_that_look_back_on_it(
    shell: Shell,
) -> None:
    installation = Installation(shell.home)
    for number in range(3):
        lines = (event(n, f"{day(number)}T10:00:00Z", f"u{n}") for n in range(30))
        installation.write_logs(day(number), *lines)
    assert shell("run", str(START), str(day(2)))[0] == 0
    late = event(99, f"{START}T11:00:00Z", "a late user")
    installation.write_logs(START, late, name="late.jsonl")
    code, out, _ = shell("run", str(START))
    assert code == 0
    again = f"made again, as they look back on these days: 2 days ({day(1)} to {day(2)})"
    assert out.splitlines()[0] == again
    assert len(installation.predictions(day(2))) == 31


@pytest.mark.slow
def test_a_run_of_an_old_day_makes_the_activity_of_a_later_day_again_that_repeats_its_events(
    shell: Shell,
) -> None:
    installation = Installation(shell.home)
    late = event(99, f"{START}T11:00:00Z", "a late user")
    for number in range(2):
        lines = (event(n, f"{day(number)}T10:00:00Z", f"u{n}") for n in range(30))
        installation.write_logs(day(number), *lines, *[late] * number)
    assert shell("run", str(START), str(day(1)))[0] == 0
    installation.write_logs(START, late, name="late.jsonl")
    code, out, _ = shell("run", str(START))
    assert code == 0
    assert f"made again, as they look back on these days: 1 day ({day(1)})" in out.splitlines()
    day_report = read_report(day(1), installation.lake)
    assert day_report is not None
    assert (day_report.events, day_report.duplicates) == (30, 1)
    records = open_records(installation.game, installation.lake)
    assert records.outdated_days("user_activity") == records.outdated_days("predictions") == []


@pytest.mark.slow
def test_a_run_reads_the_logs_of_days_before_it_that_were_never_read(shell: Shell) -> None:
    installation = Installation(shell.home)
    for number in range(2):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    code, _, err = shell("run", str(day(1)))
    assert code == 0
    assert other_lines(err) == [f"the logs of {START} are read first: features look back on them"]
    assert installation.lake.days("user_activity") == [START, day(1)]
    assert installation.lake.days("predictions") == [day(1)]


@pytest.mark.slow
def test_a_refused_day_among_others_leaves_a_decision_to_a_person(shell: Shell) -> None:
    installation = Installation(shell.home)
    installation.write_logs(START, "{")
    installation.write_logs(day(1), event(1, f"{day(1)}T10:00:00Z"))
    code, out, err = shell("run", str(START), str(day(1)))
    assert code == 1
    assert f"{START} is refused by the checks: no valid events" in out
    assert other_lines(err)[0].startswith(f"left out: {START}: user_activity is refused")
    assert sorted(installation.delivered()) == [day(1)]


@pytest.mark.slow
def test_only_the_newest_day_is_predicted_of_the_whole_history(shell: Shell) -> None:
    installation = Installation(shell.home)
    for number in range(3):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    installation.write_logs(day(1), "{")
    code, out, err = shell("run", "--last")
    assert code == 1
    assert f"the logs of {START} to {day(1)} are read first: models learn from them" in err
    assert f"{day(1)} is refused by the checks" in out
    assert f"predicted as of {day(2)}, 1 day delivered" in out
    assert f"{day(2)} is delivered; what models of the next days learn from follows" in err
    assert installation.lake.days("user_activity") == [START, day(1), day(2)]
    assert sorted(installation.delivered()) == [day(2)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--last",), "there are no logs in"),
        (("--last", str(START), str(START)), "--last predicts one day"),
    ],
)
def test_the_newest_day_cannot_be_run_without_logs_or_with_another_one(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.mistake("run", *arguments)


@pytest.mark.slow
def test_a_refused_day_is_run_after_it_was_accepted(shell: Shell) -> None:
    Installation(shell.home).write_logs(day(0), "{")
    assert f"{day(0)}: no valid events" in shell.mistake("run", str(day(0)))
    code, out, _ = shell("accept", str(day(0)), "--reason", "not open yet")
    assert code == 0
    user = operator_name()
    assert out.startswith(f"{day(0)} is accepted by {user}: not open yet. The sensor runs the day")
    assert shell("run", str(day(0)))[0] == 0
    code, out, _ = shell("refuse", str(day(0)), "--reason", "a mistake")
    assert out.startswith(f"{day(0)} is refused by {user}: a mistake.")
    assert (
        f"Withdrawn from the results database: {day(0)}.\nWithdrawn from the cache: {day(0)}."
        in out
    )
    assert f"(refused by {user}: a mistake)" in shell.mistake("run", str(day(0)))


def test_a_lake_that_was_made_again_takes_over_the_rows_of_the_lost_one(shell: Shell) -> None:
    installation = Installation(shell.home).installed
    with installation.results() as results, installation.cache() as cache:
        results.claim("lost lake")
        cache.claim("lost lake")
        own = lake_id(installation.lake())
        with pytest.raises(InputError, match="`ds-assets claim`"):
            results.claim(own)
        code, out, _ = shell("claim")
        assert (code, out.partition(" is this lake's")[0]) == (
            0,
            f"The installation {installation.name!r}",
        )
        results.claim(own)
        cache.claim(own)


@pytest.mark.slow
@pytest.mark.parametrize("has_delivered", [True, False])
def test_check_finds_stores_that_are_another_lakes(shell: Shell, has_delivered: bool) -> None:
    write_day(shell, event(1, f"{START}T10:00:00Z"))
    installation = Installation(shell.home).installed
    with installation.results() as results, installation.cache() as cache:
        results.claim("other lake")
        cache.claim("other lake")
    if has_delivered:
        lake_id(installation.lake())
    code, lines = check(shell)
    assert code == (2 if has_delivered else 0)
    for place in ("results", "cache"):
        assert (": mistake: " in lines[place]) is has_delivered
        assert f"belongs to an installation {installation.name!r} with another lake" in lines[place]
        assert "`ds-assets claim`" in lines[place]
    assert shell("claim")[0] == 0
    code, lines = check(shell)
    assert code == 0
    assert lines["cache"].endswith("/cache: usable")


def test_check_finds_a_lake_whose_id_is_damaged(shell: Shell) -> None:
    (shell.home / "lake").mkdir()
    (shell.home / "lake" / "installation.json").write_text("{")
    code, lines = check(shell)
    assert code == 2
    assert "/lake: mistake: installation.json in the lake" in lines["lake"]


@pytest.mark.parametrize("command", ["accept", "refuse"])
def test_a_day_that_is_not_stored_cannot_be_decided_about(shell: Shell, command: str) -> None:
    error = shell.mistake(command, str(day(0)), "--reason", "why not")
    assert f"there is no user_activity of {day(0)} to decide about" in error


@pytest.mark.slow
def test_a_day_without_logs_is_told_in_a_sentence_that_names_the_folder(shell: Shell) -> None:
    lines = other_lines(shell.mistake("run", str(START)))
    folder = Installation(shell.home).source(START)
    assert lines[0] == f"ds-assets: {START}: there are no log files in {folder}; {WHAT_TO_DO}"
    assert lines[1].startswith("Run id: ")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (
            ("2025-12-31",),
            "found 2025-12-31 to 2025-12-31; accepted: 2026-01-01 to",
        ),
        (("2026-01-05", "2026-01-03"), "the last day, 2026-01-03, lies before the first"),
        (("yesterday",), "'yesterday' does not match the formats"),
        ((), "name a day, such as 2026-01-31, or a first and a last one; or use --last"),
    ],
)
def test_days_that_cannot_be_run_are_told(
    shell: Shell, days: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.mistake("run", *days)


def test_a_dagster_home_that_is_not_there_is_told(shell: Shell, tmp_path: Path) -> None:
    shell.env("DAGSTER_HOME", str(tmp_path / "nowhere"))
    assert "DAGSTER_HOME" in shell.mistake("run", str(START))


@pytest.mark.slow
@pytest.mark.parametrize("is_empty", [True, False])
def test_without_a_dagster_home_runs_are_recorded_in_a_folder_of_the_home(
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    is_empty: bool,
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    if not is_empty:
        monkeypatch.delenv("DAGSTER_HOME")
    assert "there are no log files in" in shell.mistake("run", str(START))
    folder = shell.home / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(folder)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert instance.get_runs_count() == 1
        assert instance.get_settings("telemetry") == {"enabled": False}


@pytest.mark.slow
def test_the_dagster_file_of_the_home_may_be_changed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    file = shell.home / "dagster" / "dagster.yaml"
    file.parent.mkdir()
    file.write_text("telemetry: {enabled: false}\n")
    shell.mistake("run", str(START))
    assert file.read_text() == "telemetry: {enabled: false}\n"


def test_a_folder_for_dagster_that_cannot_be_created_is_a_mistake(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    (shell.home / "dagster").touch()
    assert "the home of Dagster cannot be used" in shell.mistake("run", str(START))


@pytest.mark.parametrize(
    ("user", "sentence"), [("", "user id 1 is ''"), ("x" * 192, "accepted is a text of 1 to 191")]
)
def test_a_user_id_beyond_the_limits_is_told(shell: Shell, user: str, sentence: str) -> None:
    assert sentence in shell.mistake("predict", user)


@pytest.mark.slow
def test_without_the_cache_predict_answers_and_says_what_was_down(
    shell: Shell, tmp_path: Path
) -> None:
    copied = finished().copy(tmp_path / "copied")
    shell.env("DS_ASSETS_HOME", str(copied.home))
    shell.env("DS_ASSETS_CACHE_URL", "redis://127.0.0.1:1/0")
    user = copied.predictions(LAST)["user_id"][0].as_py()
    code, out, err = shell("predict", user)
    assert code == 0
    assert (json.loads(out)["source"], json.loads(out)["status"]) == ("table", "stale")
    assert "unavailable, skipped: cache" in err


@pytest.mark.slow
def test_a_lost_cache_is_rebuilt_by_one_command_that_says_which_days(
    shell: Shell, tmp_path: Path
) -> None:
    copied = finished().copy(tmp_path / "copied")
    shell.env("DS_ASSETS_HOME", str(copied.home))
    users = [str(user) for user in copied.predictions(LAST)["user_id"]]
    with copied.cache() as cache:
        before = get_rows(cache, users)
        assert None not in before
    shutil.rmtree(copied.settings.cache_folder)
    code, out, err = shell("rebuild-cache")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{LAST}: {len(users)} users written, 0 have a newer day"
    assert len(lines) == copied.settings.cache_days
    with copied.cache() as cache:
        assert get_rows(cache, users) == before


def test_a_cache_that_cannot_be_rebuilt_is_told(shell: Shell) -> None:
    assert "there are no predictions in" in shell.mistake("rebuild-cache")


@pytest.mark.slow
def test_a_server_that_cannot_be_filled_is_named_without_its_password(
    shell: Shell, tmp_path: Path
) -> None:
    shell.env("DS_ASSETS_HOME", str(finished().copy(tmp_path / "copied").home))
    shell.env("DS_ASSETS_CACHE_URL", "redis://me:secret@127.0.0.1:1/0")
    err = shell.unavailable("rebuild-cache")
    assert "the cache at redis://127.0.0.1:1/0 (DS_ASSETS_CACHE_URL) cannot be used" in err


CLOSED_PORTS = {
    "DS_ASSETS_SOURCE_URL": "s3://logs/game",
    "DS_ASSETS_LAKE_URL": "http://127.0.0.1:1/account/lake",
    "DS_ASSETS_RESULTS_URL": "mysql+pymysql://me:secret@127.0.0.1:1/db",
    "DS_ASSETS_CACHE_URL": "redis://me:secret@127.0.0.1:1/0",
}
"""Each server, at an address where nobody listens."""


def close_ports(shell: Shell, *settings: str) -> None:
    for name in settings:
        shell.env(name, CLOSED_PORTS[name])
    shell.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    shell.env("AWS_ACCESS_KEY_ID", "key")
    shell.env("AWS_SECRET_ACCESS_KEY", "secret")
    shell.env("AWS_REGION", "us-east-1")
    shell.env("AZURE_STORAGE_KEY", "c2VjcmV0")


@pytest.mark.slow
@pytest.mark.parametrize("setting", CLOSED_PORTS)
def test_a_run_whose_server_is_down_ends_with_its_name_and_an_exit_code_of_its_own(
    shell: Shell, setting: str
) -> None:
    Installation(shell.home).write_logs(START, event(1, f"{START}T10:00:00Z"))
    close_ports(shell, setting)
    assert setting in shell.unavailable("run", str(START))


@pytest.mark.slow
def test_a_run_without_an_answer_of_the_spark_server_ends_with_that_exit_code_too(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_session, "_CONNECT_TIMEOUT_S", 1)
    Installation(shell.home).write_logs(START, event(1, f"{START}T10:00:00Z"))
    shell.env("DS_ASSETS_SPARK_REMOTE", "sc://127.0.0.1:1/;token=secret")
    err = shell.unavailable("run", str(START))
    assert "no Spark Connect server answers at 127.0.0.1:1 within 1 seconds" in err
    assert "DS_ASSETS_SPARK_REMOTE" in err


@pytest.mark.slow
def test_a_cache_is_not_rebuilt_while_the_lake_is_down(shell: Shell) -> None:
    close_ports(shell, "DS_ASSETS_LAKE_URL")
    assert "DS_ASSETS_LAKE_URL" in shell.unavailable("rebuild-cache")


@pytest.mark.slow
def test_with_every_server_down_predict_answers_that_nothing_is_known_and_names_them(
    shell: Shell,
) -> None:
    close_ports(shell, "DS_ASSETS_LAKE_URL", "DS_ASSETS_RESULTS_URL", "DS_ASSETS_CACHE_URL")
    code, out, err = shell("predict", "u1")
    assert code == 0
    assert json.loads(out)["source"] == "default"
    assert "unavailable, skipped: cache, table, live" in err


@pytest.mark.slow
def test_with_every_server_down_serve_answers_that_it_is_not_ready(
    shell: Shell, tmp_path: Path
) -> None:
    close_ports(shell, "DS_ASSETS_LAKE_URL", "DS_ASSETS_RESULTS_URL", "DS_ASSETS_CACHE_URL")
    port, log = str(free_port()), tmp_path / "log"
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/healthz").is_success
        except httpx.TransportError:
            return False

    with ServerProcess([*SCRIPT, "serve", "--port", port], log, answers):
        assert httpx.get(f"{address}/readyz").status_code == 503
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_serve_says_where_it_listens_and_which_days_predictions_it_has(
    shell: Shell, tmp_path: Path
) -> None:
    shell.env("DS_ASSETS_HOME", str(finished().copy(tmp_path / "finished").home))
    port, log = str(free_port()), tmp_path / "log"
    sentence = f"Listening on http://127.0.0.1:{port} (docs at /docs), 1 worker, predictions of "

    def has_said() -> bool:
        return log.read_text(encoding="utf-8").endswith(
            f"{sentence}{LAST}; no API key is needed on this machine.\n"
        )

    with ServerProcess([*SCRIPT, "serve", "--port", port], log, has_said):
        first_page = httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True)
        assert (first_page.url.path, first_page.status_code) == ("/docs", 200)


def test_simulate_writes_a_game_that_check_accepts(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "game"
    code, output, err = shell(
        "simulate", "--users", "20", "--days", "3", "--out", str(out), "--broken", "0.1"
    )
    assert (code, err) == (0, "")
    assert f"lines of 3 days in {out}" in output
    assert len(list((out / "source").iterdir())) == 3
    shell.env("DS_ASSETS_HOME", str(out))
    assert shell("check")[0] == 0


def test_simulated_users_respond_to_the_offers_of_a_file(shell: Shell, tmp_path: Path) -> None:
    plan = tmp_path / "offers.csv"
    rows = "".join(f"u{user:07},retention,2026-01-02,2026-01-03\n" for user in range(90))
    plan.write_text(f"user_id,offer,from,until\n{rows}", encoding="utf-8")
    size = ("--users", "90", "--days", "3")
    assert shell("simulate", *size, "--out", str(tmp_path / "without"))[0] == 0
    assert shell("simulate", *size, "--out", str(tmp_path / "with"), "--offers", str(plan))[0] == 0
    without, responding = (
        [file.read_bytes() for file in sorted((tmp_path / name).glob("source/*/*"))]
        for name in ("without", "with")
    )
    assert without[0] == responding[0]
    assert without[1] != responding[1]
    truth = pq.read_table(tmp_path / "with" / "truth" / "dt=2026-01-01.parquet")
    assert "churn_probability_retention" in truth.column_names


def test_simulate_writes_games_that_differ_by_country_and_that_change(
    shell: Shell, tmp_path: Path
) -> None:
    kinds = {
        "usual": (),
        "groups": ("--groups-differ",),
        "changed": ("--changed-from", "2026-01-02"),
    }
    games = {}
    for name, options in kinds.items():
        out = tmp_path / name
        code, _, err = shell(
            "simulate", "--users", "90", "--days", "3", "--out", str(out), *options
        )
        assert (code, err) == (0, "")
        games[name] = [path.read_bytes() for path in sorted(out.rglob("*.jsonl.gz"))]
    assert games["changed"][0] == games["usual"][0] != games["groups"][0]
    assert games["changed"][1] != games["usual"][1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--users", "0", "--days", "3"), "users: found 0; a whole number from 1"),
        (
            ("--users", "5", "--days", "3", "--changed-from", "2026-01-04"),
            "changed_from: found 2026-01-04; 3 days from 2026-01-01 on are accepted",
        ),
        (("--users", "5", "--days", "3", "--start", "1999-01-01"), "start: found 1999-01-01"),
        (("--users", "5", "--days", "x"), "Invalid value for '--days'"),
        (("--users", "5", "--days", "3", "--broken", "2"), "Invalid value for '--broken'"),
        (("--users", "5"), "Missing option '--days'"),
        (("--users", "5", "--days", "3", "--player", "2"), "No such option"),
    ],
)
def test_options_that_are_wrong_are_told(
    shell: Shell, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    assert sentence in shell.mistake("simulate", "--out", str(tmp_path / "game"), *options)


def test_a_folder_that_cannot_be_written_or_holds_a_game_is_told(
    shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full" / "source").mkdir(parents=True)
    for out in ("file", "full"):
        options = ("--users", "5", "--days", "3", "--out", str(tmp_path / out))
        err = shell.mistake("simulate", *options)
        assert err.startswith("ds-assets: ")
        assert str(tmp_path / out) in err


def test_a_command_that_there_is_not_is_told(shell: Shell) -> None:
    assert "No such command 'train'" in shell.mistake("train")


def test_the_script_starts_and_helps() -> None:
    done = subprocess.run([*SCRIPT, "--help"], capture_output=True, text=True, check=True)  # noqa: S603
    for name in COMMANDS:
        assert name in done.stdout
    assert "3 a server is unavailable" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_what_each_command_says_of_itself(
    shell: Shell, command: str
) -> None:
    code, out, err = shell(command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: ds-assets {command}" in out
    assert COMMANDS[command] in out


def test_help_waits_for_no_library() -> None:
    code = (
        "import sys; sys.argv = ['ds-assets', '--help']\n"
        "from ds_assets.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: sys.exit(any(name in sys.modules for name in "
        "('dagster', 'pydantic', 'yaml', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_api_keys_are_made_listed_and_revoked(shell: Shell) -> None:
    code, secret, err = shell("keys", "add", "shop")
    assert (code, err) == (0, "")
    assert secret.strip() not in (shell.home / "api_keys.json").read_text()
    _, listed, _ = shell("keys", "list")
    assert listed.split()[1:] == ["shop"]
    assert shell.mistake("keys", "add", "shop").startswith("ds-assets: an API key 'shop' exists")
    assert shell("keys", "revoke", "shop") == (0, "", "")
    assert shell("keys", "list") == (0, "", "")
    assert shell.mistake("keys", "revoke", "shop").startswith("ds-assets: no API key is named")


def test_the_api_is_not_served_to_others_without_a_key(shell: Shell) -> None:
    everywhere = ("--host", "0.0.0.0")  # noqa: S104  (that is what is refused)
    message = shell.mistake("serve", *everywhere, "--port", str(free_port()))
    assert "requires an API key" in message
