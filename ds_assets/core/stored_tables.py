"""Parquet tables that are stored in the lake: the version of their format, and reading older ones.

Scope: the version in a file's metadata, and every change of a format in one place. The columns of
a table are in `tables` and `game_tables`.

A column can be added without a new version, see `Column.is_recent`. Whatever an older release would
misunderstand needs one, with an upgrade of each table of the version before, or none where a table
stays as it is.
"""

from collections.abc import Callable, Mapping

import pyarrow as pa

from ds_assets.core.stored_documents import FIRST_FORMAT, NewerFormatError

FORMAT_KEY = "ds_assets.format"
"""Key of the version in the metadata of a file. Files without it have the first version, as those
that Spark writes, which cannot add metadata: a second version needs another place for them."""
TABLE_FORMAT = FIRST_FORMAT
"""Version of all tables that this release writes."""

UPGRADES: Mapping[tuple[str, int], Callable[[pa.Table], pa.Table]] = {}
"""Changes of formats: from a version of a table, by its name, to the next one."""


def read_format(schema: pa.Schema, where: str) -> int:
    """Read the version of a stored table.

    Args:
        schema: Schema of its file, with metadata.
        where: Name of the file for messages.

    Raises:
        NewerFormatError: a newer release has written it in a format that this one does not know.
    """
    text = (schema.metadata or {}).get(FORMAT_KEY.encode(), b"")
    version = int(text) if text.isdigit() else FIRST_FORMAT
    if version > TABLE_FORMAT:
        raise NewerFormatError(
            f"{where} was stored by a newer release (format {version}; this one reads up to "
            f"{TABLE_FORMAT}); install that release again, or materialize the day again"
        )
    return version


def upgrade_rows(table: str, rows: pa.Table, version: int) -> pa.Table:
    """Bring the rows of a table from a version to the one of this release."""
    for step in range(version, TABLE_FORMAT):
        upgrade = UPGRADES.get((table, step))
        rows = rows if upgrade is None else upgrade(rows)
    return rows


def with_format(rows: pa.Table) -> pa.Table:
    """The rows with the version of this release in their metadata."""
    others = rows.schema.metadata or {}
    return rows.replace_schema_metadata({**others, FORMAT_KEY.encode(): str(TABLE_FORMAT)})
