"""Copying a day's logs from S3 to Azure Blob.

It is compared with only reading and only writing them, and with rclone, which copies the same.
"""

import io
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from boto3.session import Session

from benchmarks.measuring import Arguments, Circumstances, Measured, interleave, say, values
from benchmarks.report import Goal, Row, absolute, ratio
from benchmarks.subjects.copy_logs import DAY, DAY_PATH
from ds_assets.infra.lake.azure_blob import blob_service, credential_of_environment
from ds_assets.local_servers.blob import BlobServer
from ds_assets.local_servers.s3 import S3Server

BUCKET = "bench"
SHAPES = {"200 of 5 MB": (200, 5_000_000), "1 of 1 GB": (1, 1_000_000_000)}
LARGEST = 2 << 30
SUBJECT = "subjects.copy_logs"
READ, WRITE = "controls.read_alone", "controls.write_alone"
RCLONE = "controls.rclone_copy"
SHARE = Goal(comparison=">=", limit=0.8)
NOT_SLOWER = Goal(comparison=">=", limit=1.0)
MEMORY = Goal(comparison="<=", limit=96)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    rows: list[Row] = []
    with servers(circumstances.scratch / "blob") as account:
        for name, (objects, size) in SHAPES.items():
            say(f"  {name}")
            rows += _rows(name, _measure(name, objects, size, account, circumstances))
        say("  1 of 2 GiB")
        put_objects("largest", 1, LARGEST)
        once = Circumstances(1, circumstances.logs, circumstances.scratch / "largest")
        once.scratch.mkdir()
        measured = interleave({SUBJECT: _copy("largest", account)}, once)[SUBJECT]
    return [*rows, absolute("memory, 1 of 2 GiB", values(measured, "memory_mb"), "MB", MEMORY)]


@contextmanager
def servers(folder: Path) -> Iterator[str]:
    """S3 and Blob servers, to which the environment leads. Yields the address of the account."""
    with S3Server() as s3, BlobServer(folder) as blob:
        environment = {**s3.environment, "AZURE_STORAGE_KEY": blob.key}
        with mock.patch.dict(os.environ, environment):
            Session().client("s3").create_bucket(Bucket=BUCKET)
            yield blob.url


def put_objects(prefix: str, objects: int, size: int) -> None:
    """Logs of a day in the source."""
    client = Session().client("s3")  # with all the time that it needs
    content = os.urandom(size)
    for number in range(objects):
        key = f"{prefix}/{DAY.strftime(DAY_PATH)}/{number:03}.jsonl.gz"
        client.upload_fileobj(io.BytesIO(content), BUCKET, key)


def new_container(account: str) -> str:
    """Address of an empty container."""
    name = uuid.uuid4().hex
    with blob_service(account, credential_of_environment()) as service:
        service.create_container(name)
    return f"{account}/{name}"


def _measure(
    name: str, objects: int, size: int, account: str, circumstances: Circumstances
) -> dict[str, list[Measured]]:
    prefix = name.replace(" ", "-")
    put_objects(prefix, objects, size)
    folder = circumstances.scratch / prefix
    folder.mkdir()
    day = f"{prefix}/{DAY.strftime(DAY_PATH)}/"
    return interleave(
        {
            READ: lambda _: [BUCKET, day],
            WRITE: lambda _: [new_container(account), str(objects), str(size)],
            RCLONE: lambda _: [BUCKET, day, new_container(account)],
            SUBJECT: _copy(prefix, account),
        },
        Circumstances(circumstances.repetitions, circumstances.logs, folder),
    )


def _copy(prefix: str, account: str) -> Arguments:
    return lambda folder: [f"s3://{BUCKET}/{prefix}", new_container(account), folder / "cache"]


def _rows(name: str, measured: dict[str, list[Measured]]) -> list[Row]:
    ours, read, write = (_rates(measured[module]) for module in (SUBJECT, READ, WRITE))
    slower = min(read, write, key=lambda rates: sorted(rates)[len(rates) // 2])
    words = "reading alone" if slower is read else "writing alone"
    return [
        ratio(f"rate, {name}", ours, f"{words}, the slower", slower, SHARE),
        ratio(f"rate, {name}", ours, "rclone", _rates(measured[RCLONE]), NOT_SLOWER),
        absolute(f"memory, {name}", values(measured[SUBJECT], "memory_mb"), "MB"),
    ]


def _rates(runs: list[Measured]) -> list[float]:
    return [1 / run["seconds"] for run in runs]
