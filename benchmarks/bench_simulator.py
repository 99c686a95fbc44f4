"""Writing a game's logs with the simulator, compared with compressing the same bytes alone."""

from collections.abc import Sequence

from benchmarks.measuring import Circumstances, interleave, values
from benchmarks.report import Goal, Row, absolute, ratio

USERS = 20_000
DAYS = 30
SUBJECT, CONTROL = "subjects.simulate_game", "controls.compress_alone"


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    measured = interleave(
        {
            SUBJECT: lambda folder: [str(USERS), str(DAYS), folder / "game"],
            CONTROL: lambda folder: [folder / "game" / "source"],
        },
        circumstances,
    )
    ours, control = measured[SUBJECT], measured[CONTROL]
    rates = [run["events"] / run["seconds"] for run in ours]
    return [
        absolute(
            "events a second",
            [round(rate) for rate in rates],
            "1/s",
            Goal(comparison=">=", limit=200_000),
        ),
        ratio(
            "time",
            values(ours, "seconds"),
            "isal compressing the same bytes, one core",
            values(control, "seconds"),
        ),
        absolute("peak memory", values(ours, "peak_rss_mb"), "MB"),
    ]
