"""30 days in one Dagster run: `python -m benchmarks.subjects.dagster_run SIMULATED HOME`.

All assets and checks, on an instance like that of an installation. Definitions and instance are
ready before the clock starts.
"""

import shutil
import sys
from pathlib import Path

import dagster as dg

from benchmarks.child import Start, tell
from benchmarks.graph import installation, last_days, predicted_rows
from benchmarks.measuring import ROOT
from ds_assets.definitions import WHOLE_GRAPH, build_defs
from ds_assets.game import load_game
from ds_assets.runs import materialize_days


def main() -> None:
    settings = installation(Path(sys.argv[1]), Path(sys.argv[2]))
    game = load_game(settings.game)
    days, defs = last_days(game), build_defs(settings, game)
    folder = settings.home / "dagster"
    folder.mkdir()
    shutil.copy(ROOT / "dagster.yaml", folder)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        start = Start.now()
        materialize_days(defs, WHOLE_GRAPH, days[0], days[-1], instance)
        tell(start, days=len(days), rows=predicted_rows(settings, days))


if __name__ == "__main__":
    main()
