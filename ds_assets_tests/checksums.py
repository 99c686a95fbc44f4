"""Checksums of tables whose rows may come in any order."""

import pyarrow as pa

from ds_assets.core.checksum import checksum


def checksum_in_any_order(table: pa.Table) -> str:
    """Checksum of a table's rows, whatever their order."""
    return checksum(table.sort_by([(name, "ascending") for name in sorted(table.column_names)]))
