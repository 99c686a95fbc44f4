"""Loading a day into Redis, compared with a plain pipeline of the same values, ready-made."""

import random
import uuid
from collections.abc import Sequence

import pyarrow as pa
from pyarrow import parquet

from benchmarks.make_predictions import DAY, predictions
from benchmarks.measuring import Circumstances, interleave, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio
from benchmarks.served_day import made_day
from ds_assets.infra.lake.tables import table_file
from ds_assets.local_servers.redis import RedisServer

USERS, USERS_WITH_REASONS = 1_000_000, 100_000
SUBJECT, CONTROL = "subjects.fill_cache", "controls.plain_pipeline"
AT_LEAST_AS_FAST = Goal(comparison=">=", limit=1.0)
MAX_BYTES = Goal(comparison="<=", limit=350)
MAX_BYTES_WITH_REASONS = Goal(comparison="<=", limit=600)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure.

    Raises:
        ValueError: the two did not set the same number of values, or not those of all users.
    """
    scratch = circumstances.scratch
    lake, address = scratch / "lake", scratch / "address"
    rows = lake / table_file("predictions", DAY.item())
    rows.parent.mkdir(parents=True)
    say(f"  making {USERS:,} predictions")
    parquet.write_table(_with_long_ids(predictions(USERS)), rows)
    served = made_day(USERS_WITH_REASONS, circumstances)
    with RedisServer(scratch / "server") as server:
        address.touch(mode=0o600)  # not an argument: every user of the machine can see those
        address.write_text(server.url, encoding="utf-8")
        measured = interleave(
            {SUBJECT: lambda _: [address, lake, str(DAY)], CONTROL: lambda _: [address]},
            circumstances,
        )
        served_lake = served.folder / "lake"
        with_reasons = run_child(SUBJECT, [address, served_lake, str(served.date)], scratch)
    ours, control = measured[SUBJECT], measured[CONTROL]
    if values(ours, "values") != values(control, "values"):
        raise ValueError("the asset and the plain pipeline set different numbers of values")
    if set(values(ours, "users")) != {USERS}:
        raise ValueError(f"the asset did not set a value for each of {USERS:,} users")
    return [
        ratio(
            "users a second",
            [USERS / run["seconds"] for run in ours],
            "redis-py's pipeline of ready-made SETs",
            [USERS / run["seconds"] for run in control],
            AT_LEAST_AS_FAST,
        ),
        absolute("memory of Redis a user", values(ours, "bytes_a_user"), "bytes", MAX_BYTES),
        absolute(
            "memory of Redis a user with reasons",
            values([with_reasons], "bytes_a_user"),
            "bytes",
            MAX_BYTES_WITH_REASONS,
        ),
        absolute("memory of the process", values(ours, "memory_mb"), "MB"),
    ]


def _with_long_ids(rows: pa.Table) -> pa.Table:
    """With ids and versions as long as real ones: what a user takes depends on them."""
    chance = random.Random(7)  # noqa: S311  (no secret)
    numbers = (chance.getrandbits(128) for _ in range(rows.num_rows))
    texts = {"user_id": pa.array(str(uuid.UUID(int=number, version=4)) for number in numbers)}
    for name in ("churn_model", "payment_model", "cluster_model"):
        texts[name] = pa.repeat(f"{chance.getrandbits(48):012x}", rows.num_rows)
    for name, column in texts.items():
        rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), column)
    return rows
