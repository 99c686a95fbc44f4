"""One more day for a results database: `python -m benchmarks.subjects.deliver_day ADDRESS PARQUET`.

Every call delivers the day after the newest one. The schema exists before the clock starts.
"""

import datetime as dt
import sys
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from benchmarks.child import Start, tell
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.database import ResultsDatabase

FIRST = dt.date(2026, 3, 1)


def main() -> None:
    with ResultsDatabase(Path(sys.argv[1]).read_text(encoding="utf-8")) as database:
        newest = database.current_day()
        day = FIRST if newest is None else newest + dt.timedelta(days=1)
        rows = parquet.read_table(sys.argv[2])
        days = pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows)
        rows = rows.set_column(1, "as_of", days).cast(PREDICTIONS.arrow_schema)
        start = Start.now()
        delivery = database.deliver(day, rows, "benchmark")
        tell(start, rows=delivery.row_count)


if __name__ == "__main__":
    main()
