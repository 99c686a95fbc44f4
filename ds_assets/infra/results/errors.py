"""Errors of the results database that callers handle."""

import datetime as dt

from ds_assets.errors import InputError, Unavailable


class ResultsUnavailable(Unavailable):
    """The results database cannot be reached, or refuses a request."""


class ResultsRefused(InputError, ResultsUnavailable):
    """The database refuses the account in its URL, its password or its rights."""


class ResultsBusy(ResultsUnavailable):
    """The request failed for a transient reason and may succeed a moment later."""


class SchemaDiffers(InputError, ResultsUnavailable):
    """The database's schema is not the one this software needs; the message says what to do."""


class DeliveryDiffers(Exception):
    """The stored rows are not those delivered; the day was rolled back."""

    @classmethod
    def in_rows(cls, as_of: dt.date) -> "DeliveryDiffers":
        """The error for a day whose stored rows have other values than those delivered."""
        return cls(
            f"{as_of}: the rows stored differ from those delivered; the day was rolled "
            "back. Look for triggers, a character set other than UTF-8, or a narrower column"
        )

    @classmethod
    def in_count(cls, as_of: dt.date, delivered: int, stored: int) -> "DeliveryDiffers":
        """The error for a day of which more or fewer rows were stored than delivered."""
        return cls(
            f"{as_of}: {delivered:,} rows were delivered and {stored:,} stored; "
            "the day was rolled back"
        )
