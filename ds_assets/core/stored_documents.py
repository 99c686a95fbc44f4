"""JSON documents that are stored in the lake: their format versions, and reading older ones.

Scope: what all stored documents share, and every change of a format in one place. The fields of a
document are in its own module.

A field with a default can be added without a new version. Whatever an older release would
misunderstand needs one, with an upgrade of documents of the version before.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ds_assets.errors import InputError, describe_mistakes

FIRST_FORMAT = 1
"""Version of documents that do not name theirs."""

Document = dict[str, Any]
Upgrade = Callable[[Document], Document]
AnyDocument = TypeVar("AnyDocument", bound="StoredDocument")


class NewerFormatError(InputError):
    """A document is intact, and of a newer release."""


class DamagedDocumentError(InputError):
    """A document cannot be read as what it should be, whichever release wrote it."""


class DamagedDayError(InputError):
    """What is stored of a day cannot be read: it counts as missing, and has to be made again.

    Attributes:
        what: What is damaged, without the consequence.
        asset: The asset that stored it.
        day: The day.
    """

    def __init__(self, what: str, asset: str, day: dt.date) -> None:
        super().__init__(
            f"{what}; {asset} of {day} counts as missing: the sensor, or `ds-assets run {day}`, "
            "makes it again"
        )
        self.what = what
        self.asset = asset
        self.day = day


class StoredDocument(BaseModel):
    """A document that is stored in the lake.

    Attributes:
        format: Version of its format; the default is the one that this release writes.
    """

    format: int = FIRST_FORMAT


def _without_game_file(record: Document) -> Document:
    """Records of format 1 do not say with which game file a day was made; see `adoption`."""
    return {"settings": "", "kept": "", "again": "", **record}


UPGRADES: Mapping[tuple[str, int], Upgrade] = {("Provenance", 1): _without_game_file}
"""Changes of formats: from a version of a document, by the name of its class, to the next one."""


def read_document(kind: type[AnyDocument], text: str | bytes, where: str) -> AnyDocument:
    """Read a stored document, whichever release wrote it.

    Args:
        kind: Its class.
        text: JSON.
        where: Name of the document for messages.

    Raises:
        NewerFormatError: a newer release has written it in a format that this one does not know.
        DamagedDocumentError: it is damaged. The message names it.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None  # refused below, with the parser's own words
    try:
        if isinstance(document, dict) and (upgraded := _upgrade(kind, document, where)) != document:
            # As JSON again: only there numbers may be keys, and texts dates.
            text = json.dumps(upgraded)
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise DamagedDocumentError(describe_mistakes(where, error)) from None


def _upgrade(kind: type[AnyDocument], document: Document, where: str) -> Document:
    """The document in the present format."""
    stored, present = document.get("format", FIRST_FORMAT), kind.model_fields["format"].default
    if not isinstance(stored, int):
        return document
    if stored > present:
        raise NewerFormatError(
            f"{where} was stored by a newer release (format {stored}; this one reads up to "
            f"{present}); install that release again, or materialize the day again"
        )
    for version in range(stored, present):
        document = {**UPGRADES[kind.__name__, version](document), "format": version + 1}
    return document
