"""What a stored day was made from, as fingerprints of content.

Scope: the record and its name. A record is named after the content that it is about and after its
inputs, so that a listing of names is enough to find the days that are outdated.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import msgspec
from pydantic import ConfigDict, Field

from ds_assets.core.stored_documents import StoredDocument

FORMAT = 2
AGAIN = "again-"
"""Begins the part of a record's name that is otherwise the fingerprint of its inputs."""
_HEX_DIGITS = 16


@cache
def package_version() -> str:
    """The version of this software."""
    return version("ds_assets")


class Provenance(StoredDocument):
    """What a day of an asset was made from.

    Attributes:
        asset: The asset.
        day: The day.
        content: Fingerprint of what was stored; empty while it is being made.
        inputs: Fingerprint of each input, by asset and day; the day is outdated when one changes.
        history: Likewise of inputs whose change leaves the day valid.
        settings: Fingerprint of the game file that the day counts as made with; empty for raw logs,
            and in records of version 0.1.0 and before, see `AdoptedLake`.
        kept: Why the day counts as made with this game file though it was made with another one;
            empty if it was made with it.
        again: Why the day has to be made again though its inputs are the same; empty if it has not.
        run_id: Dagster's run; none for a day that no run has recorded.
        recorded_at: When it was recorded, in UTC.
        package: Version of this software.
        format: Version of the record.
    """

    model_config = ConfigDict(frozen=True)

    asset: str
    day: dt.date
    content: str = ""
    inputs: dict[str, str]
    history: dict[str, str] = Field(default_factory=dict)
    settings: str = ""
    kept: str = ""
    again: str = ""
    run_id: str | None = None
    recorded_at: dt.datetime = Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    package: str = Field(default_factory=package_version)
    format: int = FORMAT

    @property
    def name(self) -> str:
        """Name of the record below its asset, which `summary_of` reads."""
        inputs = fingerprint_of_inputs(self.inputs)
        if self.again:
            inputs = f"{AGAIN}{fingerprint([inputs, self.again])}"
        parts = (str(self.day), self.content, inputs, self.settings, "json")
        return ".".join(parts if self.settings else (*parts[:3], "json"))


class Summary(NamedTuple):
    """What the name of a record says.

    Attributes:
        day: The day.
        content: Fingerprint of what was stored.
        inputs: Fingerprint of all inputs together, or a mark that the day has to be made again.
        settings: Fingerprint of the game file; empty if the record has none.
    """

    day: dt.date
    content: str
    inputs: str
    settings: str = ""

    @property
    def is_marked(self) -> bool:
        """Whether the day has to be made again though its inputs are the same."""
        return self.inputs.startswith(AGAIN)


def summary_of(name: str) -> Summary | None:
    """Read the name of a record; none for anything else."""
    match name.split("."):
        case [day, content, inputs, *settings, "json"] if len(settings) <= 1:
            try:
                return Summary(dt.date.fromisoformat(day), content, inputs, *settings)
            except ValueError:
                return None
    return None


def fingerprint(texts: Iterable[str]) -> str:
    """Hash texts in their order, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode()
        digest.update(b"%d " % len(content) + content)
    return digest.hexdigest()[:_HEX_DIGITS]


def fingerprint_of_inputs(inputs: Mapping[str, str]) -> str:
    """Hash the inputs of a day, whatever their order."""
    # A sensor does this for years of days in each evaluation.
    content = msgspec.json.encode(sorted(inputs.items()))
    return hashlib.sha256(content).hexdigest()[:_HEX_DIGITS]
