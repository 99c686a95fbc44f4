"""An evaluation of the sensor over three years of days for which there is nothing to do."""

from collections.abc import Sequence

from benchmarks.measuring import Circumstances, interleave, values
from benchmarks.report import Goal, Row, absolute, ratio

DAYS, FEW_DAYS = 1_095, 47
"""Years of days, and those that every evaluation looks at."""
FILES_PER_DAY = 20
SUBJECT, CONTROL = "subjects.sensor_many_days", "subjects.sensor_few_days"
MAX_CPU_SECONDS = Goal(comparison="<=", limit=0.2)
MAX_CURSOR_BYTES = Goal(comparison="<=", limit=4_000)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    measured = interleave(
        {
            SUBJECT: lambda folder: [str(DAYS), str(FILES_PER_DAY), folder / "many"],
            CONTROL: lambda folder: [str(FEW_DAYS), str(FILES_PER_DAY), folder / "few"],
        },
        circumstances,
    )
    many, few = measured[SUBJECT], measured[CONTROL]
    return [
        absolute("processor time of an evaluation", values(many, "cpu"), "s", MAX_CPU_SECONDS),
        ratio("processor time of years", values(many, "cpu"), "of 47 days", values(few, "cpu")),
        absolute("cursor", values(many, "cursor_bytes"), "bytes", MAX_CURSOR_BYTES),
    ]
