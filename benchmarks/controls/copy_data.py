"""The control of a delivery to PostgreSQL: `python -m benchmarks.controls.copy_data ADDRESS FILE`.

COPY of a ready file into the same table, and a commit: nothing is encoded, compared
or published.
"""

import secrets
import sys
from pathlib import Path

import psycopg
import sqlalchemy as sa

from benchmarks.child import Start, tell
from ds_assets.infra.results.schema import PLAYER_PREDICTIONS

_BLOCK_BYTES = 1 << 20


def main() -> None:
    url = sa.make_url(Path(sys.argv[1]).read_text(encoding="utf-8"))
    table, columns = PLAYER_PREDICTIONS.loads.name, ", ".join(PLAYER_PREDICTIONS.contract.names)
    with psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=url.database,
    ) as connection:
        # The file has no load id, and COPY cannot set one.
        connection.execute(f"ALTER TABLE {table} ALTER load_id SET DEFAULT {secrets.randbits(62)}")
        connection.commit()
        cursor = connection.cursor()
        start = Start.now()
        with (
            Path(sys.argv[2]).open("rb") as file,
            cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
        ):
            while block := file.read(_BLOCK_BYTES):
                copy.write(block)
        connection.commit()
        tell(start, rows=cursor.rowcount)


if __name__ == "__main__":
    main()
