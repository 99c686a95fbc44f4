"""The least that a day takes: `python -m benchmarks.controls.plain_day LOGS`.

DuckDB reads a day's log files and counts each user's events, and LightGBM fits one model of a fixed
size. The first grows with the events as it must, and the second stands for the machine: models are
trained on a sample of users, however many there are. Nothing is checked, joined or stored.
"""

import sys
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.child import Start, import_lazy, tell
from benchmarks.controls.plain_fit import LEAVES, TREES

ROWS, FEATURES = 100_000, 60
USERS = """
SELECT "user".id AS user_id, count(*) AS events, sum(amount) AS spend, sum(props.minutes) AS minutes
FROM read_json($logs, format = 'newline_delimited', columns = {
    'id': 'VARCHAR',
    'ts': 'TIMESTAMP',
    'type': 'VARCHAR',
    'user': 'STRUCT(id VARCHAR, country VARCHAR, channel VARCHAR, level DOUBLE)',
    'amount': 'DOUBLE',
    'props': 'STRUCT(minutes DOUBLE)'
})
GROUP BY user_id
"""


def count_events(logs: Path) -> int:
    """Read a day's log files, and count their events."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE users AS {USERS}", {"logs": f"{logs}/*.jsonl.gz"})
        ((events,),) = connection.execute("SELECT sum(events) FROM users").fetchall()
    return int(events)


def fit() -> None:
    """Fit one model of random rows."""
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # slow to import

    random = np.random.default_rng(0)
    matrix = random.random((ROWS, FEATURES))
    labels = random.random(ROWS) < matrix[:, :2].mean(axis=1)
    LGBMClassifier(n_estimators=TREES, num_leaves=LEAVES, verbose=-1).fit(matrix, labels)


def main() -> None:
    import_lazy(["lightgbm"])
    start = Start.now()
    events = count_events(Path(sys.argv[1]))
    fit()
    tell(start, events=events)


if __name__ == "__main__":
    main()
