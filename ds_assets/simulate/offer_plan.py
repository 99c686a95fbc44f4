"""Which users have offers in effect on which days, as a table.

Scope: the table and the file that holds it. What an offer changes is in `responses.py`.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ds_assets.simulate.responses import OfferedUsers, OfferKind

_COLUMNS = ("user_id", "offer", "from", "until")


@dataclass(frozen=True)
class OfferPlan:
    """Offers to users; one is in effect from its first to its last day.

    Attributes:
        rows: A row per offer: user_id, offer (a value of `OfferKind`), from and until (days).
    """

    rows: pd.DataFrame

    def users_of(self, day: dt.date) -> OfferedUsers:
        """The users with an offer in effect on a day."""
        rows = self.rows[(self.rows["from"] <= day) & (self.rows["until"] >= day)]
        return {kind: set(rows["user_id"][rows["offer"] == kind]) for kind in OfferKind}


NO_OFFERS = OfferPlan(pd.DataFrame(columns=_COLUMNS))


def read_offer_plan(file: Path) -> OfferPlan:
    """Read a plan from a CSV file with the columns `user_id`, `offer`, `from` and `until`.

    Raises:
        ValueError: the file is not such a table; the message has a line for each mistake.
        OSError: the file cannot be read.
    """
    try:
        texts = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"offers: {file} is not a table: {error}") from None
    if missing := [name for name in _COLUMNS if name not in texts]:
        raise ValueError(
            f"offers: {file} has no column {', '.join(missing)}; {', '.join(_COLUMNS)} are accepted"
        )
    days = texts[["from", "until"]].map(_read_day)
    mistakes = [*_find_wrong(texts, days)]
    if mistakes:
        raise ValueError("\n".join(f"offers: {file}: {mistake}" for mistake in mistakes))
    return OfferPlan(texts[["user_id", "offer"]].join(days))


def _read_day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _find_wrong(texts: pd.DataFrame, days: pd.DataFrame) -> list[str]:
    """The first row with each kind of mistake, in words."""
    kinds = [str(kind) for kind in OfferKind]
    wrong = {
        f"offer; {' or '.join(kinds)} is accepted": ("offer", ~texts["offer"].isin(kinds)),
        "from; a day as 2026-01-31 is accepted": ("from", days["from"].isna()),
        "until; a day as 2026-01-31 is accepted": ("until", days["until"].isna()),
    }
    return [
        f"line {int(flags.argmax()) + 2}: found {texts[column][flags.argmax()]!r} as {rule}"
        for rule, (column, flags) in wrong.items()
        if flags.any()
    ]
