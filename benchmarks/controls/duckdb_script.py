"""The control in DuckDB: `python duckdb_script.py LOGS_DIR OUT_DIR`.

One SQL script, as a data engineer would write it for clean logs: 30 days of `user_activity` and
`user_features` of the last day, as Parquet. Nothing is quarantined, checked for duplicates or kept
for a second run.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path

import duckdb

WINDOWS = (1, 3, 7, 14, 28)
ACTIVE_DAYS = 14
LOOKBACK = 56
MEASURES = (
    "events", "sessions", "purchases", "spend", "count_battle", "count_stage_clear", "sum_minutes",
)  # fmt: skip

ACTIVITY = """
CREATE TABLE activity AS
SELECT
    "user".id AS user_id,
    ts::DATE AS event_date,
    count(*) AS events,
    count(*) FILTER (type = 'session_start') AS activities,
    count(*) FILTER (type = 'session_start') AS sessions,
    count(*) FILTER (type = 'purchase') AS purchases,
    coalesce(sum(amount) FILTER (type = 'purchase'), 0) AS spend,
    count(*) FILTER (type = 'battle') AS count_battle,
    count(*) FILTER (type = 'stage_clear') AS count_stage_clear,
    coalesce(sum(props.minutes), 0) AS sum_minutes,
    arg_max("user".country, ts) AS last_country,
    arg_max("user".level, ts) AS last_level,
    max(ts) AS last_time,
    max(ts) FILTER (type = 'session_start') AS activity_time
FROM read_json($logs, format = 'newline_delimited', columns = {
    'ts': 'TIMESTAMP',
    'type': 'VARCHAR',
    'user': 'STRUCT(id VARCHAR, country VARCHAR, level DOUBLE)',
    'amount': 'DOUBLE',
    'props': 'STRUCT(minutes DOUBLE)'
})
GROUP BY user_id, event_date
"""


def features_query(day: str) -> str:
    """The features at the end of `day`."""
    sums = [
        f"coalesce(sum({measure}) FILTER (age < {days}), 0)::DOUBLE AS {measure}_{days}d"
        for measure in MEASURES
        for days in WINDOWS
    ]
    active_days = [
        f"count(active_date) FILTER (age < {days})::DOUBLE AS active_days_{days}d"
        for days in WINDOWS
    ]
    purchase_days = [
        f"count(*) FILTER (purchases > 0 AND age < {days})::DOUBLE AS purchase_days_{days}d"
        for days in WINDOWS
    ]
    trends = [
        f"(active_days_{short}d / {short}) / nullif(active_days_{long}d / {long}, 0)"
        f" AS trend_{short}d_{long}d"
        for short, long in pairwise(WINDOWS)
    ]
    measures = ("active_days", *MEASURES, "purchase_days")
    windowed = [f"{name}_{days}d" for name in measures for days in WINDOWS]
    return f"""
WITH dated AS (
    SELECT
        *,
        DATE '{day}' - event_date AS age,
        CASE WHEN activities > 0 THEN event_date END AS active_date
    FROM activity
    WHERE event_date BETWEEN DATE '{day}' - {LOOKBACK - 1} AND DATE '{day}'
),
gaps AS (
    SELECT *, active_date - lag(active_date IGNORE NULLS)
        OVER (PARTITION BY user_id ORDER BY event_date) AS gap
    FROM dated
),
users AS (
    SELECT
        user_id,
        {", ".join(active_days + sums + purchase_days)},
        (DATE '{day}' - max(active_date))::DOUBLE AS days_since_active,
        (DATE '{day}' - max(event_date) FILTER (purchases > 0))::DOUBLE AS days_since_purchase,
        (DATE '{day}' - min(active_date))::DOUBLE AS tenure_days,
        avg(gap) AS typical_gap,
        max(gap)::DOUBLE AS longest_gap,
        date_diff('second', max(activity_time), DATE '{day}' + INTERVAL 1 DAY) / 3600
            AS hours_since_active,
        arg_max(last_country, last_time) AS last_country,
        arg_max(last_level, last_time) AS last_level
    FROM gaps
    GROUP BY user_id
    HAVING max(active_date) > DATE '{day}' - {ACTIVE_DAYS}
)
SELECT
    user_id,
    {", ".join(windowed + trends)},
    days_since_active,
    days_since_purchase,
    tenure_days,
    typical_gap,
    longest_gap,
    days_since_active / typical_gap AS recency_in_gaps,
    hours_since_active,
    hours_since_active / (24 * typical_gap) AS hours_in_gaps,
    last_country,
    last_level
FROM users
"""


def run(logs: Path, out: Path) -> int:
    """Do the work; returns the number of users with features."""
    out.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(ACTIVITY, {"logs": f"{logs}/dt=*/*.jsonl.gz"})
        connection.execute(
            f"COPY (SELECT *, event_date AS dt FROM activity) TO '{out}/user_activity'"
            " (FORMAT parquet, PARTITION_BY (dt), OVERWRITE_OR_IGNORE)"
        )
        day = connection.sql("SELECT max(event_date)::VARCHAR FROM activity").fetchall()[0][0]
        folder = out / "user_features" / f"dt={day}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = connection.execute(
            f"COPY ({features_query(day)}) TO '{folder}/data.parquet' (FORMAT parquet)"
        ).fetchall()
    return int(rows[0][0])


def status_mb(field: str) -> float:
    """VmRSS, or VmHWM: the most this process ever held; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split(f"{field}:")[1].split()[0]) / 1024, 1)


def main() -> None:
    started, at_start = time.perf_counter(), status_mb("VmRSS")
    users = run(Path(sys.argv[1]), Path(sys.argv[2]))
    seconds = round(time.perf_counter() - started, 3)
    peak = status_mb("VmHWM")
    memory = {"peak_rss_mb": peak, "memory_mb": round(peak - at_start, 1)}
    print(json.dumps({"seconds": seconds, **memory, "users": users}))


if __name__ == "__main__":
    main()
