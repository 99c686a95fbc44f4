"""Verdicts on days, in the lake: each decision is an object that is never changed.

Scope: storing and reading them. What they mean is in `core.verdicts`, which days may be used in
`provenance.Records`.
"""

import datetime as dt
from collections.abc import Mapping

from ds_assets.core.stored_documents import DamagedDocumentError, read_document
from ds_assets.core.verdicts import Verdict, VerdictName, newest_verdicts
from ds_assets.infra.lake.base import Lake

VERDICTS = "verdicts"


def store_verdict(verdict: Verdict, lake: Lake) -> None:
    """Add a verdict to those of its day."""
    lake.write(f"{VERDICTS}/{verdict.name}", verdict.model_dump_json(indent=1).encode())


def list_verdicts(contents: Mapping[dt.date, str], lake: Lake) -> dict[dt.date, VerdictName]:
    """List the verdict that counts for each day; see `newest_verdicts`."""
    return newest_verdicts(lake.entries(VERDICTS), contents)


def read_verdict(name: VerdictName, lake: Lake) -> Verdict:
    """Read a verdict.

    The decision of one that is damaged stands, as its name has it. It counts as a person's, which
    the checks do not overrule.

    Raises:
        NewerFormatError: it is of a newer release.
    """
    file = f"{VERDICTS}/{name}"
    try:
        return read_document(Verdict, lake.read(file), file)
    except (FileNotFoundError, DamagedDocumentError):
        return Verdict(
            day=name.day,
            content=name.content,
            decision=name.decision,
            reason=f"the reason is lost, as {file} cannot be read; decide again with `ds-assets "
            f"accept {name.day}` or `ds-assets refuse {name.day}`",
            by="somebody unknown",
            at=dt.datetime.strptime(name.at, "%Y%m%dT%H%M%S%f").replace(tzinfo=dt.UTC),
        )
