"""The control of a delivery to MySQL: `python -m benchmarks.controls.load_data ADDRESS FILE`.

LOAD DATA LOCAL INFILE of a ready file into the same table, and a commit: nothing is made, compared
or published.
"""

import secrets
import sys
from pathlib import Path

import pymysql
import sqlalchemy as sa

from benchmarks.child import Start, tell
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.schema import PLAYER_PREDICTIONS


def main() -> None:
    place = sa.make_url(Path(sys.argv[1]).read_text(encoding="utf-8"))
    columns = ", ".join(PREDICTIONS.names)
    statement = (
        f"LOAD DATA LOCAL INFILE %s INTO TABLE {PLAYER_PREDICTIONS.loads.name}"
        r" CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' LINES TERMINATED BY '\n'"
        f" ({columns}) SET load_id = %s"
    )
    with pymysql.connect(
        host=place.host,
        port=place.port or 3306,
        user=place.username,
        password=place.password or "",
        database=place.database,
        local_infile=True,
    ) as connection:
        cursor = connection.cursor()
        start = Start.now()
        loaded = cursor.execute(statement, (sys.argv[2], secrets.randbits(62)))
        connection.commit()
        tell(start, rows=loaded)


if __name__ == "__main__":
    main()
