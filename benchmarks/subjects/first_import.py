"""All logs of a game, and predictions of its last day: `… subjects.first_import GAME HOME`.

What `ds-assets run --last` does, without its summary.
"""

import sys
from pathlib import Path

from rich.console import Console

from benchmarks.child import Start, tell
from benchmarks.training_days import last_day
from benchmarks.whole_day import open_game
from ds_assets.definitions import build_defs
from ds_assets.graph_runs import GraphRunner
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.infra.lake.tables import stored_days
from ds_assets.installation import Installation
from ds_assets.progress import open_progress
from ds_assets.runs import open_instance


def main() -> None:
    installation = open_game(Path(sys.argv[1]), Path(sys.argv[2]), "game.yaml")
    defs, last = build_defs(installation), last_day(installation.game)
    home = installation.settings.home
    with open_instance(home) as instance, open_progress(Console(quiet=True)) as progress:
        start = Start.now()
        GraphRunner(defs, installation, instance, progress).run_last(last)
        tell(start, events=count_events(installation))


def count_events(installation: Installation) -> int:
    """Count the events of all days."""
    lake = installation.lake()
    reports = (read_report(day, lake) for day in stored_days("user_activity", lake))
    return sum(report.events for report in reports if report is not None)


if __name__ == "__main__":
    main()
