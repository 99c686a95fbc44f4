"""Predictions of one day: `python -m benchmarks.make_predictions ROWS PARQUET TSV`.

Writes the same rows twice: as the project stores them, and as a file for LOAD DATA and COPY.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from benchmarks.child import Start, tell
from ds_assets.core.tables import PREDICTIONS

DAY = np.datetime64("2026-03-01", "D")
_CLUSTERS = ["many sessions, high spend", "long gaps, few purchases", "new", "seldom there"]


def predictions(rows: int) -> pa.Table:
    """Made rows in the order of the users; nobody has reasons, and nothing is missing."""
    chance = np.random.default_rng(7)
    clusters = chance.integers(0, len(_CLUSTERS), rows)
    payment = chance.random(rows)
    version = pa.repeat("2026-02-28 1f0c3e5a9b7d", rows)
    columns = {
        "user_id": pa.array(f"player-{number:08}" for number in range(rows)),
        "as_of": pa.array(np.full(rows, DAY)),
        "churn_probability": pa.array(chance.random(rows)),
        "payment_probability": pa.array(payment, mask=payment < 0.05),
        "expected_spend": pa.array(chance.exponential(3.0, rows), mask=payment < 0.05),
        "cluster": pa.array(clusters),
        "cluster_name": pa.array(_CLUSTERS).take(pa.array(clusters)),
        "user_group": pa.array([f"cluster={number}" for number in range(len(_CLUSTERS))]).take(
            pa.array(clusters)
        ),
        **dict.fromkeys(("churn_model", "payment_model", "cluster_model"), version),
    }
    none = pa.nulls(rows)
    ordered = [columns.get(name, none) for name in PREDICTIONS.names]
    return pa.table(ordered, names=PREDICTIONS.names).cast(PREDICTIONS.arrow_schema)


def main() -> None:
    start = Start.now()
    rows = predictions(int(sys.argv[1]))
    parquet.write_table(rows, sys.argv[2])
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    written = pa.BufferOutputStream()
    texts = [column.cast(pa.string()).fill_null(r"\N") for column in rows.columns]
    csv.write_csv(pa.table(texts, names=rows.column_names), written, options)
    Path(sys.argv[3]).write_bytes(written.getvalue())
    tell(start, rows=rows.num_rows)


if __name__ == "__main__":
    main()
