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
from ds_assets.definitions import build_defs
from ds_assets.runs import materialize_days


def main() -> None:
    installed = installation(Path(sys.argv[1]), Path(sys.argv[2]))
    days, defs = last_days(installed.game), build_defs(installed)
    folder = installed.settings.home / "dagster"
    folder.mkdir()
    shutil.copy(ROOT / "dagster.yaml", folder)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        start = Start.now()
        materialize_days(defs, dg.AssetSelection.all(), days[0], days[-1], instance)
        tell(
            start,
            days=len(days),
            assets=len(defs.resolve_asset_graph().get_all_asset_keys()),
            rows=predicted_rows(installed.lake(), days),
        )


if __name__ == "__main__":
    main()
