"""Values that a results database cannot store, refused before they are sent."""

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.checksum import text_of
from ds_assets.core.schema import Table
from ds_assets.infra.results.backends.base import Backend
from ds_assets.infra.results.schema import KEY_LENGTH, RUN_ID_LENGTH


def refuse_unstorable_rows(contract: Table, rows: pa.Table, backend: Backend) -> None:
    """Check rows of a contract.

    Raises:
        ValueError: A text of the key is empty or too long, a real is infinite, or a text has a
            character that the database cannot store.
    """
    limits = {column.name: column.max_length or KEY_LENGTH for column in contract.columns}
    for field in rows.schema:
        column = rows[field.name]
        if pa.types.is_string(field.type):
            _refuse_character(field.name, column, backend.unstorable_character)
            if field.name in contract.key:
                _refuse_lengths(field.name, column, limits[field.name])
        if pa.types.is_floating(field.type) and pc.any(pc.is_inf(column)).as_py():
            raise ValueError(f"{field.name} is infinite in a row; MySQL has no such value")


def refuse_long_run_id(run_id: str) -> None:
    """Check the id of a run.

    Raises:
        ValueError: It is too long.
    """
    if len(run_id) > RUN_ID_LENGTH:
        raise ValueError(
            f"the run id has {len(run_id)} characters; the results database takes {RUN_ID_LENGTH}"
        )


def _refuse_lengths(name: str, keys: pa.ChunkedArray, most: int) -> None:
    lengths = pc.min_max(pc.utf8_length(keys)).as_py()
    if lengths["min"] == 0:
        raise ValueError(
            f"{name} is empty in a row; the results database takes 1 character or more"
        )
    longest = lengths["max"] or 0
    if longest > most:
        raise ValueError(
            f"{name} has {longest} characters in a row; the results database takes {most}"
        )


def _refuse_character(name: str, texts: pa.ChunkedArray, character: str) -> None:
    content = character.encode()  # looked for in all texts at once, which is fast
    if character and any(content in bytes(text_of(chunk)) for chunk in texts.chunks):
        raise ValueError(
            f"{name} has the character {character!r} in a row; this database cannot store it"
        )
