"""The demo from end to end, over fewer days than it has."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ds_assets.core.day_ranges import list_days
from ds_assets.demo import run
from ds_assets.game import load_game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.settings import DEMO_GAME
from ds_assets.summary import Summary

LAST = dt.date(2017, 12, 31)


_SHORT = """
import datetime as dt, sys
from pathlib import Path
from ds_assets.demo import home, logs, run, source

class Shop(logs.ShopLogs):
    pass

class SimulatedGame(logs.SimulatedLogs):
    users, days, promoted_days = 200, 50, 2

folder, json_file, kind, last, yesterday = sys.argv[1:]
game = Path(folder).with_suffix(".yaml")
game.write_text(source.GAME_FILE.read_text().replace("2017-01-01", "2017-09-01"))
logs.GAME_FILE = source.GAME_FILE = game
home.find_yesterday = lambda _: dt.date.fromisoformat(yesterday)
run.FEATURE_DAYS, run.MODEL_DAYS, run.EARLIER_WEEKS = 40, 1, 2
last_day = dt.date.fromisoformat(last) if last else None
run.run_demo(
    Path(folder), vars()[kind](), last_day, Path(json_file), port=None, servers=False
)
"""


def run_short_demo(
    home: Path, kind: str, *, last: dt.date | None = None, yesterday: dt.date = LAST
) -> tuple[Summary, str, str]:
    """Run the demo over fewer days. Returns its summary, its output and its progress."""
    json_file = home.with_suffix(".json")
    days = (str(last) if last else "", str(yesterday))
    command = [sys.executable, "-c", _SHORT, str(home), str(json_file), kind, *days]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=home.parent, capture_output=True, text=True, check=True
    )
    summary = Summary.model_validate(json.loads(json_file.read_text(encoding="utf-8")))
    return summary, done.stdout, done.stderr


@pytest.mark.parametrize("days", [1, 124, 125, 126, 250, 365])
def test_a_stretch_of_days_is_cut_into_runs_that_follow_each_other(days: int) -> None:
    first = dt.date(2017, 1, 1)
    last = first + dt.timedelta(days=days - 1)
    runs = run._ranges(list_days(first, last))
    assert (runs[0][0], runs[-1][1]) == (first, last)
    assert sum((end - start).days + 1 for start, end in runs) == days
    assert all((end - start).days < run.MAX_DAYS_PER_RUN for start, end in runs)


@pytest.mark.slow
def test_the_demo_ends_with_predictions_and_a_summary_of_what_is_stored(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    summary, out, progress = run_short_demo(home, "Shop", last=LAST)
    lake = FolderLake(home / "lake")
    assert summary.days == len(lake.days("user_activity")) == 122
    assert summary.lines == summary.events + summary.lines_quarantined > 75_000
    assert (summary.as_of, summary.days_delivered) == (LAST, 3)
    url, name = f"sqlite:///{home / 'results.sqlite'}", load_game(DEMO_GAME).name
    with ResultsDatabase(url, installation=name) as results:
        rows = results.day(LAST)
    assert summary.users_predicted == rows.num_rows > 1_000
    assert sum(cluster.users for cluster in summary.clusters) == rows.num_rows
    assert out.startswith(f"Logs of 122 days, 2017-09-01 to {LAST}, go through the whole graph")
    assert f"{summary.events:,} events" in out
    assert str(home / "lake") in out
    for name in ("raw_logs", "churn_model", "payment_model", "prediction_cache"):
        assert name in progress


@pytest.mark.slow
def test_a_simulated_game_is_continued_with_the_days_that_have_come_since(tmp_path: Path) -> None:
    home, kind = tmp_path / "demo", "SimulatedGame"
    summary, out, progress = run_short_demo(home, kind, yesterday=LAST - dt.timedelta(days=1))
    assert (summary.days, summary.as_of) == (50, LAST - dt.timedelta(days=1))
    assert f"DS_ASSETS_HOME={home / 'game'} ds-assets ui" in out
    assert "prediction_outcomes" in progress, "one horizon before the last day is predicted"
    tables = [home / "game" / "lake" / name for name in ("user_activity", "user_features")]
    before = [written_files(table) for table in tables]
    summary, _, _ = run_short_demo(home, kind)
    assert (summary.days, summary.as_of) == (51, LAST)
    for table, files in zip(tables, before, strict=True):
        assert len(files) >= 40
        assert files.items() < written_files(table).items(), "days are made once"


def written_files(folder: Path) -> dict[Path, int]:
    """When each file of a folder was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
