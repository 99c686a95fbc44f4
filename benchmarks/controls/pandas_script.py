"""The control in pandas: `python pandas_script.py LOGS_DIR OUT_DIR`.

One day at a time with pandas' own reader (`pandas_pyarrow_script.py` uses the other one), as a data
engineer would write it for clean logs: 30 days of `user_activity` and `user_features` of the last
day, as Parquet. Nothing is quarantined, checked for duplicates or kept for a second run.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd

WINDOWS = (1, 3, 7, 14, 28)
ACTIVE_DAYS = 14
LOOKBACK = 56
MEASURES = [
    "events", "sessions", "purchases", "spend", "count_battle", "count_stage_clear", "sum_minutes",
]  # fmt: skip
Reader = Callable[[Path], pd.DataFrame]
ATTRIBUTES = ["last_country", "last_level"]


def read_file(file: Path) -> pd.DataFrame:
    """The events of a file, with user, country, level and minutes as columns."""
    raw = pd.read_json(file, lines=True)
    user = pd.DataFrame(raw["user"].tolist(), index=raw.index)
    minutes = raw["props"].str.get("minutes").astype("float64")
    times = pd.to_datetime(raw["ts"]).dt.tz_localize(None)
    return raw.assign(**user, minutes=minutes, ts=times)  # the user's id in place of the event's


def read_file_by_pyarrow(file: Path) -> pd.DataFrame:
    """The same by way of Arrow."""
    raw = pd.read_json(file, lines=True, engine="pyarrow", dtype_backend="pyarrow")
    minutes = raw["props"].struct.field("minutes")
    return raw.assign(**raw["user"].struct.explode(), minutes=minutes)


def read_day(folder: Path, read: Reader) -> pd.DataFrame:
    """The events of one day, flat, by time."""
    raw = pd.concat(read(file) for file in sorted(folder.glob("*.jsonl.gz")))
    times = raw["ts"].astype("datetime64[us]")
    is_purchase = raw["type"] == "purchase"
    is_session = (raw["type"] == "session_start").astype("int64")
    flat = {
        "user_id": raw["id"],
        "event_date": times.dt.normalize(),
        "events": 1,
        "activities": is_session,
        "sessions": is_session,
        "purchases": is_purchase.astype("int64"),
        "spend": raw["amount"].astype("float64").where(is_purchase),
        "count_battle": (raw["type"] == "battle").astype("int64"),
        "count_stage_clear": (raw["type"] == "stage_clear").astype("int64"),
        "sum_minutes": raw["minutes"].astype("float64"),
        "last_country": raw["country"],
        "last_level": raw["level"].astype("float64"),
        "last_time": times,
        "activity_time": times.where(raw["type"] == "session_start"),
    }
    return pd.DataFrame(flat).sort_values("last_time")


def activity(events: pd.DataFrame) -> pd.DataFrame:
    """One day of `user_activity`."""
    groups = events.groupby(["user_id", "event_date"])
    sums = groups[["activities", *MEASURES]].sum()
    # The rows are in the order of time, and last() steps over nulls.
    latest = [*ATTRIBUTES, "last_time", "activity_time"]
    table = sums.join(groups[latest].last()).reset_index()
    order = ["user_id", "event_date", "events", "activities", *MEASURES[1:]]
    return table[[*order, *latest]]


def windowed(rows: pd.DataFrame, users: pd.Index) -> pd.DataFrame:
    """The measures, summed over each window."""
    measures = ["active_days", *MEASURES, "purchase_days"]
    rows = rows.assign(
        active_days=(rows["activities"] > 0).astype("int64"),
        purchase_days=(rows["purchases"] > 0).astype("int64"),
    )
    sums = [
        rows[rows["age"] < days]
        .groupby("user_id")[measures]
        .sum()
        .reindex(users, fill_value=0)
        .astype("float64")
        .add_suffix(f"_{days}d")
        for days in WINDOWS
    ]
    names = [f"{measure}_{days}d" for measure in measures for days in WINDOWS]
    return pd.concat(sums, axis="columns")[names]


def rhythm(active: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """When users came, and in which steps; one row in `active` is one active day."""
    active = active.sort_values(["user_id", "event_date"])
    gap = active.groupby("user_id")["event_date"].diff().dt.days
    gaps = gap.groupby(active["user_id"])
    ages = active.groupby("user_id")["age"]
    table = pd.DataFrame(
        {
            "days_since_active": ages.min().astype("float64"),
            "tenure_days": ages.max().astype("float64"),
            "typical_gap": gaps.mean(),
            "longest_gap": gaps.max(),
        }
    )
    end_of_day = day + pd.Timedelta(days=1)
    since = end_of_day - active.groupby("user_id")["activity_time"].max()
    table["recency_in_gaps"] = table["days_since_active"] / table["typical_gap"]
    table["hours_since_active"] = since.dt.total_seconds() / 3600
    table["hours_in_gaps"] = table["hours_since_active"] / (24 * table["typical_gap"])
    return table


def features(activities: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The features at the end of `day`."""
    rows = activities.assign(age=(day - activities["event_date"]).dt.days)
    steps = rhythm(rows[rows["activities"] > 0], day)
    steps = steps[steps["days_since_active"] < ACTIVE_DAYS]
    rows = rows[rows["user_id"].isin(steps.index)]
    table = windowed(rows, steps.index)
    for short, long in pairwise(WINDOWS):
        longer = table[f"active_days_{long}d"] / long
        shorter = table[f"active_days_{short}d"] / short
        table[f"trend_{short}d_{long}d"] = shorter / longer.where(longer > 0)
    paid = rows[rows["purchases"] > 0].groupby("user_id")["age"].min().astype("float64")
    latest = rows.sort_values("last_time").groupby("user_id")[ATTRIBUTES].last()
    table["days_since_active"] = steps["days_since_active"]
    table["days_since_purchase"] = paid
    table[steps.columns[1:]] = steps[steps.columns[1:]]
    return table.join(latest).reset_index()


def write(table: pd.DataFrame, folder: Path) -> None:
    """Write a table as the one file of a day."""
    folder.mkdir(parents=True, exist_ok=True)
    dates = {name: table[name].dt.date for name in table.columns if name == "event_date"}
    table.assign(**dates).to_parquet(folder / "data.parquet", index=False)


def run(logs: Path, out: Path, read: Reader) -> int:
    """Do the work; returns the number of users with features."""
    recent: list[pd.DataFrame] = []
    folders = sorted(logs.glob("dt=*"))
    for folder in folders:
        table = activity(read_day(folder, read))
        write(table, out / "user_activity" / folder.name)
        recent = [*recent, table][-LOOKBACK:]
    last = folders[-1].name
    table = features(pd.concat(recent), pd.Timestamp(last.removeprefix("dt=")))
    write(table, out / "user_features" / last)
    return len(table)


def status_mb(field: str) -> float:
    """VmRSS, or VmHWM: the most this process ever held; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split(f"{field}:")[1].split()[0]) / 1024, 1)


def main(read: Reader = read_file) -> None:
    started, at_start = time.perf_counter(), status_mb("VmRSS")
    users = run(Path(sys.argv[1]), Path(sys.argv[2]), read)
    seconds = round(time.perf_counter() - started, 3)
    peak = status_mb("VmHWM")
    memory = {"peak_rss_mb": peak, "memory_mb": round(peak - at_start, 1)}
    print(json.dumps({"seconds": seconds, **memory, "users": users}))


if __name__ == "__main__":
    main()
