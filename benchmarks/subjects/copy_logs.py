"""A day's logs from S3 to Azure Blob: `python -m benchmarks.subjects.copy_logs SOURCE LAKE OUT`."""

import datetime as dt
import sys
from pathlib import Path

from benchmarks.child import Start, import_lazy, tell
from ds_assets.infra.lake.raw_logs import copy_day
from ds_assets.installation import open_lake, open_log_source
from ds_assets.path_patterns import PathPattern

DAY = dt.date(2026, 1, 1)
DAY_PATH = "dt=%Y-%m-%d"


def main() -> None:
    import_lazy(["azure.storage.blob", "boto3.s3.transfer"])
    source = open_log_source(sys.argv[1], Path(), PathPattern(DAY_PATH))
    lake = open_lake(sys.argv[2], Path(), Path(sys.argv[3]))
    start = Start.now()
    copied = copy_day(DAY, source, lake, print)
    tell(start, objects=copied.files)


if __name__ == "__main__":
    main()
