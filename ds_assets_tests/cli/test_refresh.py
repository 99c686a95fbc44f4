"""`ds-assets refresh` on a real graph: it explains a changed game file, and makes days again."""

import datetime as dt
import os
import subprocess
import time
from pathlib import Path

import pytest

from ds_assets.core.lineage import lineage_of
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.tables import read_columns
from ds_assets.runs import create_dagster_home
from ds_assets_tests.assets.factories import (
    Installation,
    change_game,
    day,
    event,
    make_installation,
)
from ds_assets_tests.cli.test_main import SCRIPT, Shell, other_lines, shell

__all__ = ["shell"]

pytestmark = pytest.mark.slow

SESSIONS_ONLY = {
    "events": {"activity": ["session_start"], "purchases": ["session_start"], "sessions": []}
}


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A small game whose first two days were run."""
    installation = make_installation(tmp_path_factory.mktemp("two days") / "home")
    for number in range(2):
        lines = [event(n, f"{day(number)}T12:00:00Z", f"u{n}") for n in range(9)]
        installation.write_logs(day(number), *lines)
    installation.run(day(0), day(1))
    return installation


@pytest.fixture
def before(two_days: Installation, shell: Shell) -> Installation:
    """The same two days in the home of the commands."""
    return two_days.copy(shell.home)


def purchases(installation: Installation, on: dt.date) -> int:
    return int(read_columns("user_activity", on, ["purchases"], installation.lake).sum().iloc[0])


@pytest.mark.usefixtures("before")
def test_without_a_change_there_is_nothing_to_do(shell: Shell) -> None:
    code, out, _ = shell("refresh")
    assert (code, out.splitlines()[0]) == (0, "game.yaml has not changed")


def test_a_change_is_explained_and_makes_nothing_until_it_is_asked_for(
    shell: Shell, before: Installation
) -> None:
    changed = Installation(change_game(before, SESSIONS_ONLY).home)
    code, out, _ = shell("refresh")
    assert code == 0
    assert "events.purchases: made again by `ds-assets refresh`" in out
    assert f"to be made again: 2 days ({day(0)} to {day(1)}) of user_activity" in out
    assert "nothing was made again; `ds-assets refresh --yes` does it" in out
    assert purchases(changed, day(0)) == 0

    error = shell.mistake("run", str(day(1)), str(day(1)))
    assert "warning: game.yaml has changed (events.counted, events.purchases" in error
    assert "of user_activity were made with another game.yaml; run `ds-assets refresh`" in error

    code, out, err = shell("refresh", "--yes")
    assert code == 0, err
    assert other_lines(err) == []
    assert [purchases(changed, day(number)) for number in range(2)] == [9, 9]
    records = open_records(changed.game, changed.lake)
    for asset in ("user_activity", "user_features", "predictions", "rds_results"):
        assert records.outdated_days(asset) == [], asset
    assert shell("run", str(day(1)))[0] == 0


def test_a_new_attribute_is_a_sentence_and_not_an_error_of_the_database(
    shell: Shell, before: Installation
) -> None:
    attributes = before.game.model_dump(mode="json")["attributes"] | {"guild": {"field": "guild"}}
    installation = Installation(change_game(before, {"attributes": attributes}).home)
    installation.write_logs(day(2), event(1, f"{day(2)}T12:00:00Z"))
    error = shell.mistake("run", str(day(2)))
    assert "game.yaml has changed (attributes.guild.field)" in error
    assert shell("refresh", "--yes")[0] == 0
    assert shell("run", str(day(2)))[0] == 0


def test_days_without_raw_files_are_kept_with_empty_columns_and_said_so(
    shell: Shell, before: Installation
) -> None:
    attributes = before.game.model_dump(mode="json")["attributes"] | {"guild": {"field": "guild"}}
    properties = {"fights": "fights"}
    change_game(before, {"attributes": attributes, "properties": properties})
    installation = Installation(before.home)
    lake = installation.lake
    lake.delete([item.name for item in lake.objects(f"raw/dt={day(0)}")])
    _, out, _ = shell("refresh")
    assert f"1 day ({day(0)}) stay as they are, because their raw files are gone" in out
    code, _, err = shell("refresh", "--yes")
    assert code == 0, err
    rows = read_columns("user_activity", day(0), ["last_guild", "sum_fights"], lake)
    assert rows["last_guild"].isna().all()
    assert (rows["sum_fights"] == 0).all()
    record = open_records(installation.game, lake).read("user_activity", day(0))
    assert record is not None
    assert record.kept == "the raw files are gone"
    assert shell("run", str(day(1)))[0] == 0


def test_days_that_the_operator_keeps_count_as_made_with_the_present_file(
    shell: Shell, before: Installation
) -> None:
    changed = Installation(change_game(before, SESSIONS_ONLY).home)
    code, out, _ = shell("refresh", "--keep", "the type was renamed in the game")
    assert code == 0
    assert f"2 days ({day(0)} to {day(1)}) of user_activity stay as they are" in out
    records = open_records(changed.game, changed.lake)
    assert records.changed_days("user_activity") == {}
    assert purchases(changed, day(0)) == 0


def test_a_refresh_that_is_killed_and_run_again_ends_like_one_that_was_not(
    shell: Shell, before: Installation, tmp_path: Path
) -> None:
    installation = change_game(before, SESSIONS_ONLY)
    killed = installation.copy(tmp_path / "killed")
    for asset in ("user_activity", "predictions"):
        kill_refresh(killed, asset)
    assert refresh_process(killed).wait() == 0
    assert shell("refresh", "--yes")[0] == 0
    changed = Installation(installation.home)
    for asset in lineage_of(changed.game):
        stored, expected = (
            open_records(changed.game, it.lake).recorded_days(asset) for it in (killed, changed)
        )
        assert stored == expected, asset
    assert killed.delivered() == changed.delivered()
    assert purchases(killed, day(0)) == 9


def refresh_process(installation: Installation) -> "subprocess.Popen[bytes]":
    """Start the command on an installation, in a process of its own."""
    environment = os.environ | {"DS_ASSETS_HOME": str(installation.home)}
    environment["DAGSTER_HOME"] = str(create_dagster_home(installation.home))
    return subprocess.Popen(  # noqa: S603  (the project's own script)
        [*SCRIPT, "refresh", "--yes"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_refresh(installation: Installation, asset: str) -> None:
    """Kill the command as soon as it has changed the records of an asset."""
    folder = f"provenance/{asset}"
    before = installation.lake.entries(folder)
    process = refresh_process(installation)
    while installation.lake.entries(folder) == before:
        assert process.poll() is None, "it ended before it had made anything"
        time.sleep(0.01)
    process.kill()
    process.wait()
