"""A Feast repository: `python feast_repo.py FOLDER ADDRESS PREDICTIONS NAME...`.

Run by the peers' Python. Writes a repository into FOLDER whose online store is the Redis named in
the file ADDRESS, and loads all rows of the Parquet file PREDICTIONS into it: the named columns are
features of a user. `feast serve` in FOLDER serves them.
"""

import datetime as dt
import sys
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pyarrow as pa
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, PrimitiveFeastType, String
from pyarrow import parquet

CONFIGURATION = """\
project: bench
provider: local
registry: registry.db
entity_key_serialization_version: 3
online_store:
  type: redis
  connection_string: {host}:{port},password={password}
"""
WHEN = "event_timestamp"


def main() -> None:
    folder, rows = Path(sys.argv[1]), parquet.read_table(sys.argv[3])
    names = sys.argv[4:]
    folder.mkdir(parents=True)
    configure(folder, urlsplit(Path(sys.argv[2]).read_text(encoding="utf-8")))
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="predictions",
        entities=[user],
        schema=[Field(name=name, dtype=type_of(rows.schema.field(name).type)) for name in names],
        source=FileSource(path=sys.argv[3], timestamp_field=WHEN),
        ttl=dt.timedelta(days=7),
    )
    store = FeatureStore(str(folder))
    store.apply([user, view])
    pushed = rows.select(["user_id", *names]).to_pandas()
    for name in names:
        if type_of(rows.schema.field(name).type) is String:
            pushed[name] = pushed[name].astype(str)
    store.write_to_online_store("predictions", pushed.assign(**{WHEN: dt.datetime.now(dt.UTC)}))


def configure(folder: Path, address: SplitResult) -> None:
    """Write the repository's file, which nobody else may read: it holds a password."""
    written = folder / "feature_store.yaml"
    written.touch(mode=0o600)
    written.write_text(
        CONFIGURATION.format(host=address.hostname, port=address.port, password=address.password)
    )


def type_of(kind: pa.DataType) -> PrimitiveFeastType:
    """Feast's type of a column; dates go as text, as in JSON."""
    if pa.types.is_floating(kind):
        return Float64
    return Int64 if pa.types.is_integer(kind) else String


if __name__ == "__main__":
    main()
