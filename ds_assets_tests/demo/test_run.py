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
import sys
from pathlib import Path
from ds_assets.demo import run, source
game = Path(sys.argv[1]).with_suffix(".yaml")
game.write_text(run.GAME_FILE.read_text().replace("2017-01-01", "2017-09-01"))
run.GAME_FILE = source.GAME_FILE = game
run.FEATURE_DAYS, run.MODEL_DAYS, run.EARLIER_WEEKS = 40, 1, 1
run.run_demo(Path(sys.argv[1]), Path(sys.argv[2]), port=None, servers=False)
"""


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
    command = [sys.executable, "-c", _SHORT, str(home), str(tmp_path / "summary.json")]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    summary = Summary.model_validate(json.loads((tmp_path / "summary.json").read_text()))
    lake = FolderLake(home / "lake")
    assert summary.days == len(lake.days("user_activity")) == 122
    assert summary.lines == summary.events + summary.lines_quarantined > 75_000
    assert (summary.as_of, summary.days_delivered) == (LAST, 2)
    url, name = f"sqlite:///{home / 'results.sqlite'}", load_game(DEMO_GAME).name
    with ResultsDatabase(url, installation=name) as results:
        rows = results.day(LAST)
    assert summary.users_predicted == rows.num_rows > 1_000
    assert sum(cluster.users for cluster in summary.clusters) == rows.num_rows
    assert f"{summary.events:,} events" in done.stdout
    assert str(home / "lake") in done.stdout
    for name in ("raw_logs", "churn_model", "payment_model", "prediction_outcomes"):
        assert name in done.stderr
