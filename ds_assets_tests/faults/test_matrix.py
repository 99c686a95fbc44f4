"""Every server with every fault: what happens during it, and what is stored after it.

The table in docs/faults.md is what this test finds; `DS_ASSETS_WRITE_FAULTS=1` writes it again.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ds_assets.core.checksum import checksum
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.azure_blob import BlobLake, blob_service, credential_of_environment
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.raw_logs import copy_day, raw_objects, read_manifest
from ds_assets.infra.log_source.base import LogSource
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.log_source.s3 import S3LogSource, s3_client
from ds_assets.infra.promotion_messages import send_changes
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.webhook import Webhook
from ds_assets.path_patterns import PathPattern
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.faults.proxy import (
    BLACK_HOLE,
    HALF_OPEN,
    NONE,
    REFUSED,
    UNREACHABLE,
    Bandwidth,
    Fault,
    FaultProxy,
    Latency,
    Reset,
)
from ds_assets_tests.infra.factories import get_rows, put, row, table
from ds_assets_tests.infra.lake.lakes import make_blob_lake
from ds_assets_tests.infra.receivers import SECRET, receiving
from ds_assets_tests.infra.results.databases import fresh_database
from ds_assets_tests.infra.test_promotion_messages import store_day

pytestmark = [pytest.mark.slow, pytest.mark.server]

DAY = dt.date(2026, 3, 7)
DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
OLD, NEW = 300, 1_500
"""Users, or kilobytes of logs, before and after."""
FAULTS: dict[str, tuple[Fault, ...]] = {
    "latency of 0.1 s": (Latency(0.1),),
    "2 MB a second": (Bandwidth(2_000_000),),
    "reset mid-stream": (Reset(after=50_000, way="up"), Reset(after=50_000, way="down")),
    "half-open": (HALF_OPEN,),
    "refused": (REFUSED,),
    "black hole": (BLACK_HOLE,),
    "no connection": (UNREACHABLE,),
}
PASSES, FAILS = "continues", "fails with a message; succeeds when run again"


@dataclass(frozen=True)
class Subject:
    """What is done with a server, and what the server then holds.

    Attributes:
        proxy: What stands before the server.
        setting: Name that a failure must mention.
        change: Brings what there is to its old state, or to its new one.
        state: What a reader sees, by another way than through the proxy.
    """

    proxy: FaultProxy
    setting: str
    change: Callable[[int], object]
    state: Callable[[], object]


Maker = Callable[[str, ExitStack, pytest.FixtureRequest, Path], Subject]


def through(stack: ExitStack, url: str) -> tuple[FaultProxy, str]:
    port = urlsplit(url).port
    assert port
    proxy = stack.enter_context(FaultProxy(port))
    return proxy, url.replace(f":{port}", f":{proxy.port}")


def quiet(_: str) -> None: ...


def copied(source: LogSource, lake: Lake) -> Callable[[], object]:
    def state() -> object:
        files = {item.name: lake.read(item.stored.name) for item in raw_objects(DAY, lake)}
        listed = {file.name: file.size for file in read_manifest(DAY, lake).files}
        return files, listed, str(source)

    return state


def make_s3(name: str, stack: ExitStack, request: pytest.FixtureRequest, home: Path) -> Subject:
    client = request.getfixturevalue("s3")
    proxy, url = through(stack, client.meta.endpoint_url)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_S3", url)
        impaired = s3_client()
    stack.callback(impaired.close)
    source = S3LogSource(impaired, f"s3://{BUCKET}/{name}", PathPattern("dt=%Y-%m-%d"))
    lake = FolderLake(home / "lake")

    def change(size: int) -> None:
        for number in range(2):
            key = f"{name}/dt={DAY}/{number}.jsonl"
            client.put_object(Bucket=BUCKET, Key=key, Body=b"x" * 1000 * size)
        copy_day(DAY, source, lake, quiet)

    return Subject(proxy, "DS_ASSETS_SOURCE_URL", change, copied(source, lake))


def make_blob(name: str, stack: ExitStack, request: pytest.FixtureRequest, home: Path) -> Subject:
    direct = make_blob_lake(request.getfixturevalue("blob_url"), home)
    proxy, url = through(stack, str(direct))
    lake = BlobLake(
        url, lambda at: blob_service(at, credential_of_environment()), home / "impaired"
    )
    source = FolderLogSource(home / name, PathPattern("dt=%Y-%m-%d"))
    folder = home / name / f"dt={DAY}"
    folder.mkdir(parents=True)

    def change(size: int) -> None:
        for number in range(2):
            (folder / f"{number}.jsonl").write_bytes(b"x" * 1000 * size)
        copy_day(DAY, source, lake, quiet)

    return Subject(proxy, "DS_ASSETS_LAKE_URL", change, copied(source, direct))


def make_mysql(name: str, stack: ExitStack, request: pytest.FixtureRequest, home: Path) -> Subject:
    del name, home
    return make_results(stack, request.getfixturevalue("mysql_url"))


def make_postgresql(
    name: str, stack: ExitStack, request: pytest.FixtureRequest, home: Path
) -> Subject:
    del name, home
    return make_results(stack, request.getfixturevalue("postgresql_url"))


def make_results(stack: ExitStack, server: str) -> Subject:
    direct = stack.enter_context(fresh_database(server))
    proxy, url = through(stack, direct)
    impaired = stack.enter_context(ResultsDatabase(url))
    reader = stack.enter_context(ResultsDatabase(direct))

    def state() -> object:
        (delivery,) = reader.deliveries()
        rows = reader.day(DAY)
        return delivery.row_count, delivery.checksum, rows.num_rows, checksum(rows)

    return Subject(
        proxy,
        "DS_ASSETS_RESULTS_URL",
        lambda users: impaired.deliver(DAY, predictions(users), "run"),
        state,
    )


def make_redis(name: str, stack: ExitStack, request: pytest.FixtureRequest, home: Path) -> Subject:
    del home
    direct = request.getfixturevalue("redis_url")
    proxy, url = through(stack, direct)
    impaired = stack.enter_context(PredictionCache(url, name, 7))
    reader = stack.enter_context(PredictionCache(direct, name, 7))

    def state() -> object:
        rows = get_rows(reader, [f"u{n}" for n in range(NEW)])
        return [row and row["churn_probability"] for row in rows]

    return Subject(
        proxy,
        "DS_ASSETS_CACHE_URL",
        lambda users: put(impaired, DAY, predictions(users)),
        state,
    )


def predictions(users: int) -> Any:
    return table(*(row(f"u{n}", DAY, churn_probability=users / NEW) for n in range(users)))


def make_receiver(
    name: str, stack: ExitStack, request: pytest.FixtureRequest, home: Path
) -> Subject:
    del name, request
    receiver = stack.enter_context(receiving())
    proxy, url = through(stack, receiver.url)
    webhook, lake = stack.enter_context(Webhook(url, SECRET)), FolderLake(home / "lake")

    def change(users: int) -> None:
        number, before = (0, 0) if users == OLD else (1, OLD)
        store_day(lake, number, *([f"u{n}" for n in range(count)] for count in (before, users)))
        send_changes(lake, webhook, make_game())

    def state() -> object:
        changes = [it for _, message in receiver.accepted for it in message["data"]["changes"]]
        return {change["user_id"]: change["change"] for change in changes}

    return Subject(proxy, "DS_ASSETS_WEBHOOK_URL", change, state)


SUBJECTS: dict[str, Maker] = {
    "S3 (log source)": make_s3,
    "Azure Blob (lake)": make_blob,
    "MySQL (results)": make_mysql,
    "PostgreSQL (results)": make_postgresql,
    "Redis (cache)": make_redis,
    "webhook (receiver of offers)": make_receiver,
}
PARTIAL = {"Redis (cache)", "webhook (receiver of offers)"}
"""Where a part may be there already: of each user the old answer or the new one."""


@pytest.fixture(scope="module")
def matrix(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], str]]:
    """What happened in each cell. All wait for their time-outs at once."""
    with ExitStack() as stack, ThreadPoolExecutor(32) as executor:
        waiting: dict[str, tuple[tuple[str, str], Future[str]]] = {}
        for component, make in SUBJECTS.items():
            for fault, variants in FAULTS.items():
                for number, variant in enumerate(variants):
                    home = tmp_path_factory.mktemp("cell")
                    name = f"{component} {fault} {number}"
                    subject = make(f"cell {len(waiting)}", stack, request, home)
                    subject.change(OLD)
                    waiting[name] = (
                        (component, fault),
                        executor.submit(outcome, subject, variant, component in PARTIAL),
                    )
        outcomes: dict[tuple[str, str], str] = {}
        for cell, future in waiting.values():
            happened = future.result()
            outcomes[cell] = FAILS if FAILS in {happened, outcomes.get(cell)} else happened
        yield outcomes


def outcome(subject: Subject, fault: Fault, partial: bool) -> str:
    """What happens when there is a fault during a change, and that nothing is lost by it."""
    before = subject.state()
    subject.proxy.fault = fault
    failure = failure_of(subject)
    assert failure is None or subject.setting in failure, failure
    assert failure is None or partial or subject.state() == before
    subject.proxy.fault = NONE
    subject.change(NEW)
    after = subject.state()
    assert after != before
    subject.change(NEW)
    assert subject.state() == after
    return PASSES if failure is None else FAILS


def failure_of(subject: Subject) -> str | None:
    """What a change says that fails; none of one that does not."""
    try:
        subject.change(NEW)
    except Exception as error:  # noqa: BLE001  (whatever it is, it has to say what it is about)
        return f"{type(error).__name__}: {error}"
    return None


def written(outcomes: dict[tuple[str, str], str]) -> str:
    lines = [f"| | {' | '.join(SUBJECTS)} |", "|---" * (len(SUBJECTS) + 1) + "|"]
    for fault in FAULTS:
        cells = [outcomes[component, fault] for component in SUBJECTS]
        lines.append(f"| {fault} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_nothing_is_lost_or_doubled_and_the_document_says_what_happens(
    matrix: dict[tuple[str, str], str],
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    if os.environ.get("DS_ASSETS_WRITE_FAULTS"):
        start, end = text.index("| |"), text.index("\n\n", text.index("| |"))
        text = text[:start] + written(matrix) + text[end:]
        DOCUMENT.write_text(text, encoding="utf-8")
    assert written(matrix) in text
