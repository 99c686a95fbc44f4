"""Delivering a day to MySQL, compared with a bare LOAD DATA of a ready file."""

from collections.abc import Sequence

from benchmarks.measuring import Circumstances, interleave, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio
from ds_assets.local_servers.mysql import MySQLServer

ROWS = 1_000_000
SUBJECT, CONTROL = "subjects.deliver_day", "controls.load_data"


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    scratch = circumstances.scratch
    rows, file, address = scratch / "rows.parquet", scratch / "rows.tsv", scratch / "address"
    say(f"  making {ROWS:,} predictions")
    run_child("make_predictions", [str(ROWS), rows, file], scratch)
    with MySQLServer(scratch / "server") as server:
        address.touch(mode=0o600)  # not an argument: every user of the machine can see those
        address.write_text(server.url, encoding="utf-8")
        say("  warming up: delivering a day that is not measured")
        run_child(SUBJECT, [address, rows], scratch)
        found = interleave(
            {SUBJECT: lambda _: [address, rows], CONTROL: lambda _: [address, file]}, circumstances
        )
    ours = [run["rows"] / run["seconds"] for run in found[SUBJECT]]
    control = [run["rows"] / run["seconds"] for run in found[CONTROL]]
    return [
        ratio(
            "rows a second",
            ours,
            "LOAD DATA of a file that is there, into the same table",
            control,
            Goal(comparison=">=", limit=0.75),
        ),
        absolute("memory beside the rows", values(found[SUBJECT], "memory_mb"), "MB"),
    ]
