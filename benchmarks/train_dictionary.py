"""Train the dictionary of the cache's values: `python -m benchmarks.train_dictionary LAKE...`.

Reads the predictions in folders of lakes, each with and without its reasons, and replaces the file
in the package. The present one is of the demo's shop with a target and a horizon of spend, two of
its early days among the others.

Caches cannot be read with another dictionary. A new one is worth it when new columns make values
large; nothing else needs it. The lakes must not be of the benchmarks' games, which would then take
less memory than other games do.
"""

import datetime as dt
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from ds_assets.core.prediction_json import encode_members
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.core.targets import BUILT_IN
from ds_assets.infra.cache import compression
from ds_assets.infra.cache.fill import read_day
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import stored_days

SIZE_BYTES = 8_192
MAX_SAMPLES = 20_000


def main() -> None:
    lakes = [FolderLake(Path(argument)) for argument in sys.argv[1:]]
    samples: list[Any] = [
        members
        for lake in lakes
        for day in stored_days(PREDICTIONS.name, lake)
        for members in _members(day, lake)
    ]
    random.Random(7).shuffle(samples)  # noqa: S311  (no secret)
    dictionary = zstandard.train_dictionary(SIZE_BYTES, samples[:MAX_SAMPLES])
    file = Path(compression.__file__).with_name(compression.DICTIONARY_FILE)
    file.write_bytes(dictionary.as_bytes())


def _members(day: dt.date, lake: Lake) -> Iterator[bytes]:
    for batch in read_day(day, lake, PREDICTIONS.names, TARGET_PREDICTIONS.names):
        yield from encode_members(batch)
        yield from encode_members(_without_reasons(batch))


def _without_reasons(rows: pa.RecordBatch) -> pa.RecordBatch:
    for name in (target.reasons_column for target in BUILT_IN):
        none = pa.nulls(rows.num_rows, pa.string())
        rows = rows.set_column(rows.schema.get_field_index(name), name, none)
    return rows


if __name__ == "__main__":
    main()
