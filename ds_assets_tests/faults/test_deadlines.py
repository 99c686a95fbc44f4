"""With a server that never answers, each asset fails within a minute, with a message."""

import multiprocessing
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ds_assets.core import tables
from ds_assets.core.contracts import conform
from ds_assets.errors import Unavailable
from ds_assets.infra.lake.tables import store_rows
from ds_assets_tests.assets.factories import Installation, day, make_installation
from ds_assets_tests.core.promotions.factories import assign_days, user_ids
from ds_assets_tests.faults.proxy import BLACK_HOLE, UNREACHABLE, FaultProxy, Plain
from ds_assets_tests.infra import receivers
from ds_assets_tests.infra.factories import row, table

pytestmark = [pytest.mark.slow, pytest.mark.server]

MAX_SECONDS = 60
SECRET = "s3cret-of-the-test"  # noqa: S105  (of a server that does not answer)
# Runs are processes of their own, forked from one that has imported what they need.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["ds_assets.definitions", "ds_assets_tests.assets.factories"])
CASES = {
    "DS_ASSETS_SOURCE_URL": ("raw_logs", "s3://logs/game", "AWS_ENDPOINT_URL_S3"),
    "DS_ASSETS_LAKE_URL": ("raw_logs", "http://127.0.0.1:{port}/private/lake", None),
    "DS_ASSETS_RESULTS_URL": (
        "rds_results",
        f"mysql+pymysql://owner:{SECRET}@127.0.0.1:{{port}}/db",
        None,
    ),
    "DS_ASSETS_CACHE_URL": ("prediction_cache", f"redis://:{SECRET}@127.0.0.1:{{port}}/0", None),
    "DS_ASSETS_WEBHOOK_URL": ("promotion_changes", f"http://127.0.0.1:{{port}}/{SECRET}", None),
}
PROMOTIONS = {"bundle": {"who": "true"}}


def environment_of(setting: str, port: int) -> Mapping[str, str]:
    _, url, endpoint = CASES[setting]
    environment = {setting: url.format(port=port)}
    if endpoint:
        environment[endpoint] = f"http://127.0.0.1:{port}"
    credentials = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AZURE_STORAGE_KEY": "czNjcmV0LW9mLXRoZS10ZXN0",
        "DS_ASSETS_WEBHOOK_SECRET": receivers.SECRET,
    }
    return {**os.environ, **credentials, **environment}


def store_day(installation: Installation) -> None:
    """Store predictions and assignments of a day, which deliveries bring to servers."""
    lake = installation.lake
    store_rows(table(row("u1", day(0))), "predictions", day(0), lake)
    (assigned,) = assign_days(installation.game, user_ids(9), [day(0)]).values()
    store_rows(conform(tables.PROMOTIONS, assigned.rows), "promotions", day(0), lake)


def run_asset(home: Path, asset: str, environment: Mapping[str, str], output: Path) -> None:
    """Run an asset whose server is not available, and exit with the message of its failure."""
    os.environ.update(environment)
    with output.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    started = time.monotonic()
    try:
        Installation(home).run(day(0), assets=[asset])
    except Unavailable as error:
        sys.exit(f"{error}\nafter {time.monotonic() - started:.0f} s")


@pytest.mark.parametrize("fault", [BLACK_HOLE, UNREACHABLE])
def test_an_asset_whose_server_does_not_answer_fails_within_a_minute_and_names_it(
    fault: Plain, redis_url: str, tmp_path: Path
) -> None:
    port = urlsplit(redis_url).port
    assert port
    with ExitStack() as stack:
        runs = {}
        for setting, (asset, *_) in CASES.items():
            installation = make_installation(tmp_path / setting, promotions=PROMOTIONS)
            store_day(installation)
            proxy = stack.enter_context(FaultProxy(port))
            proxy.fault = fault
            environment = environment_of(setting, proxy.port)
            runs[setting] = _PROCESSES.Process(
                target=run_asset,
                args=(installation.home, asset, environment, tmp_path / f"{setting}.txt"),
            )
            runs[setting].start()
        for run in runs.values():
            run.join()
    for setting, run in runs.items():
        text = (tmp_path / f"{setting}.txt").read_text(encoding="utf-8")
        assert run.exitcode == 1, text
        assert setting in text
        assert not {SECRET, "czNjcmV0LW9m", "Traceback"} & set(re.findall(r"[\w-]+", text)), text
        (seconds,) = re.findall(r"^after (\d+) s$", text, re.MULTILINE)
        assert int(seconds) < MAX_SECONDS
