"""What a look at the logs of a day has counted.

Scope: the numbers that `core.log_diagnostics` compares, and a part of the shape of
`ds-assets doctor --json`. Counting is in `infra.engines.log_counts`.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

MAX_LISTED_TYPES = 200
"""Event types of a day that are listed, those with the most lines."""
MAX_EXAMPLES = 3
"""Lines that are shown for a reason of quarantine."""
MAX_EXAMPLE_LENGTH = 160
"""Characters of such a line."""
HOURS_OF_DAY = 24


class _Counts(BaseModel):
    model_config = ConfigDict(frozen=True)


class Example(_Counts):
    """A line in quarantine; the number is null for a file that is damaged."""

    file: str
    line: int | None
    content: str


class Reason(_Counts):
    """Lines in quarantine, or damaged files, for one reason, with some of them."""

    lines: int
    examples: tuple[Example, ...]


class TypeCounts(_Counts):
    """Lines of an event type, and how many of them are valid."""

    lines: int
    valid: int


class Values(_Counts):
    """Lines with a value of a field or a column, and its values by kind.

    Attributes:
        lines: Lines with a value that is neither null nor empty.
        kinds: Values that are a `number`, a `text`, a `bool`, an `object` or a `list`.
    """

    lines: int
    kinds: dict[str, int]

    @property
    def kind(self) -> str:
        """The most frequent kind; empty without values."""
        return max(self.kinds, key=lambda kind: self.kinds[kind], default="")


class Moment(_Counts):
    """A time, as it is written in the file and on the game's clock."""

    written: str
    on_the_clock: dt.datetime


class Amounts(_Counts):
    """Amounts of the events of types in `events.purchases`.

    Attributes:
        purchases: Valid events of these types.
        amounts: Those with an amount.
        negative: Those with an amount below 0.
        zero: Those with an amount of 0.
        priced_in_cents: Those with a whole amount that ends like a price in cents, as 499.
        total: Sum of the amounts above 0.
        median: Median of them; null without any.
        largest: The largest of them.
        payers: Users with such an amount.
        largest_payer: Largest sum of a user.
    """

    purchases: int = 0
    amounts: int = 0
    negative: int = 0
    zero: int = 0
    priced_in_cents: int = 0
    total: float = 0
    median: float | None = None
    largest: float = 0
    payers: int = 0
    largest_payer: float = 0


class DayLogs(_Counts):
    """What the log files of a day hold.

    Attributes:
        day: The arrival day.
        place: Where the files were read: the `lake`, or the log `source` if that has none.
        files: Log files of the day.
        size: Their bytes.
        read_files: Files that were looked at.
        read_size: Their bytes.
        ignored_files: Files that are not logs.
        same_files: Names of files whose content another file of the day has, too.
        damaged: Files that cannot be read to their end, by reason, with examples.
        lines: Lines, without those that are left out by rule.
        left_out: Lines that a rule of the game file leaves out.
        valid: Valid lines, duplicates among them.
        users: Users of valid lines.
        types: Lines by event type, those of the most frequent types.
        type_count: Number of event types.
        quarantine: Lines that are not valid, by reason.
        fields: Values by key of the game file.
        sampled: Lines whose columns were looked at.
        columns: Values by name of a column of these lines; in JSON and Parquet a path.
        first: The earliest time of a valid line; null without any.
        last: The latest one.
        times: Lines by the way in which their time is written.
        hours: Lines by the whole hours from the begin of the day to their time.
        late: Valid lines dated before the day.
        amounts: The amounts of purchases.
        duplicates: Valid lines that repeat the id of another one of the day.
        repeated: Valid lines that repeat another one of the day as a whole.
        busiest_user: User with the most valid lines; empty without any.
        busiest_lines: Lines of that user.
        placeholders: Valid lines whose user id probably stands for no user, by id.
    """

    day: dt.date
    place: Literal["lake", "source"]
    files: int = 0
    size: int = 0
    read_files: int = 0
    read_size: int = 0
    ignored_files: int = 0
    same_files: tuple[str, ...] = ()
    damaged: dict[str, Reason] = {}
    lines: int = 0
    left_out: int = 0
    valid: int = 0
    users: int = 0
    types: dict[str, TypeCounts] = {}
    type_count: int = 0
    quarantine: dict[str, Reason] = {}
    fields: dict[str, Values] = {}
    sampled: int = 0
    columns: dict[str, Values] = {}
    first: Moment | None = None
    last: Moment | None = None
    times: dict[str, int] = {}
    hours: dict[int, int] = {}
    late: int = 0
    amounts: Amounts = Amounts()
    duplicates: int = 0
    repeated: int = 0
    busiest_user: str = ""
    busiest_lines: int = 0
    placeholders: dict[str, int] = {}

    @property
    def is_part(self) -> bool:
        """Whether only a part of the files was looked at."""
        return self.read_files < self.files

    @property
    def quarantined(self) -> int:
        """Lines in quarantine."""
        return self.lines - self.valid


def count_within(hours: Mapping[int, int], start: int) -> int:
    """Count the lines dated within a day that begins so many hours after the arrival day."""
    end = start + HOURS_OF_DAY
    return sum(lines for hour, lines in hours.items() if start <= hour < end)
