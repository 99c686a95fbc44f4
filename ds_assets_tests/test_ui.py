"""The Dagster UI of an installation, by its own GraphQL, as a browser uses it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from ds_assets.errors import InputError
from ds_assets.local_servers.process import free_port
from ds_assets.runs import open_instance
from ds_assets.ui import HOST, start_ui
from ds_assets_tests.assets.factories import LAST, finished

pytestmark = pytest.mark.slow

PATIENCE = 300
"""Seconds after which a test would wait for ever."""
SELECTOR = {"repositoryLocationName": "ds_assets", "repositoryName": "__repository__"}
CODE_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name
    locationOrLoadError { ... on RepositoryLocation { name } ... on PythonError { message } }
} } } }"""
DEFAULT_CONFIG = """query($selector: PipelineSelector!) {
    runConfigSchemaOrError(selector: $selector) { ... on RunConfigSchema { rootDefaultYaml } } }"""
RUNS = """{ runsOrError(filter: {pipelineName: "__ASSET_JOB"}) { ... on Runs { results {
    jobName status repositoryOrigin { repositoryName repositoryLocationName } } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status } }
    logsForRun(runId: $id) { ... on EventConnection { events {
    __typename ... on MessageEvent { message } ... on ExecutionStepOutputEvent { metadataEntries {
    label ... on TableMetadataEntry { table { records schema { columns { name } } } } } } } } } }"""


class Ui:
    """The UI of an installation with predictions, in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.log = home / "ui.log"
        command = [sys.executable, "-c", "from ds_assets.cli.main import main; main()", "ui"]
        environment = {
            **{name: text for name, text in os.environ.items() if name != "DAGSTER_HOME"},
            "DS_ASSETS_HOME": str(home),
        }
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603  (our own command)
                [*command, "--port", str(self.port)],
                env=environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )
        wait_for(self._is_up, self.log)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            entries = self.ask(CODE_LOCATIONS)["workspaceOrError"]["locationEntries"]
        except httpx.HTTPError:
            return False
        return bool(entries) and entries[0]["locationOrLoadError"] is not None

    def ask(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        reply = httpx.post(f"http://{HOST}:{self.port}/graphql", json=body, timeout=60).json()
        assert "errors" not in reply, reply
        return reply["data"]

    def commands(self) -> dict[int, str]:
        """Running processes of the installation, which inherit its environment, by id."""
        marked = f"\0DS_ASSETS_HOME={self.log.parent}\0".encode()
        commands = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile, or is of another user
                if marked in b"\0" + (folder / "environ").read_bytes():
                    commands[int(folder.name)] = (folder / "cmdline").read_bytes().decode()
        return commands

    def interrupt(self) -> int:
        """End it as Ctrl-C in its terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENCE)


def wait_for(happened: Any, log: Path) -> None:
    waiting = Retrying(
        retry=retry_if_result(lambda done: not done),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(PATIENCE),
        retry_error_callback=lambda _: pytest.fail(log.read_text()[-3000:]),
    )
    waiting(happened)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = finished().copy(tmp_path_factory.mktemp("ui") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        with open_instance(copy.home) as instance:
            copy.run(LAST, assets=["cohorts"], instance=instance)
        patch.delenv("DAGSTER_HOME")
    return copy.home


@contextmanager
def running_ui(home: Path) -> Iterator[Ui]:
    running = Ui(home)
    try:
        yield running
    finally:
        for process in running.commands():
            os.kill(process, signal.SIGKILL)
        running.process.wait()


@pytest.fixture(scope="module")
def ui(home: Path) -> Iterator[Ui]:
    with running_ui(home) as running:
        yield running


def test_the_ui_has_one_code_location(ui: Ui) -> None:
    (entry,) = ui.ask(CODE_LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert entry == {"name": "ds_assets", "locationOrLoadError": {"name": "ds_assets"}}


def test_the_overview_has_the_runs_of_the_command_line(ui: Ui) -> None:
    runs = ui.ask(RUNS)["runsOrError"]["results"]
    assert runs
    origin = {"repositoryName": "__repository__", "repositoryLocationName": "ds_assets"}
    for run in runs:
        assert (run["jobName"], run["status"]) == ("__ASSET_JOB", "SUCCESS")
        assert run["repositoryOrigin"] == origin


def test_no_launchpad_shows_a_resource_or_a_secret(ui: Ui) -> None:
    for job in ("__ASSET_JOB", "daily_predictions", "collect_logs", "serve_predictions"):
        config = yaml.safe_load(default_config(ui, job)) or {}
        assert config.get("resources", {}) == {}


def default_config(ui: Ui, job: str) -> str:
    selector = {**SELECTOR, "pipelineName": job}
    text: str = ui.ask(DEFAULT_CONFIG, selector=selector)["runConfigSchemaOrError"][
        "rootDefaultYaml"
    ]
    return text


def test_the_launchpads_own_config_shows_users_of_the_newest_day(ui: Ui) -> None:
    config = default_config(ui, "serve_predictions")
    assert yaml.safe_load(config) == {"ops": {"answer": {"config": {"user_ids": []}}}}
    params = {"selector": {**SELECTOR, "jobName": "serve_predictions"}, "runConfigData": config}
    launched = ui.ask(LAUNCH, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def status() -> str:
        text: str = ui.ask(RUN, id=run_id)["runOrError"]["status"]
        return text

    wait_for(lambda: status() in {"SUCCESS", "FAILURE"}, ui.log)
    assert status() == "SUCCESS"
    events = ui.ask(RUN, id=run_id)["logsForRun"]["events"]
    messages = [event["message"] for event in events if "message" in event]
    assert f"user_ids is empty, so these are users of {LAST}; write the ids of others" in str(
        messages
    )
    assert sum(": churn " in message and "payment " in message for message in messages) == 5
    (entries,) = [event["metadataEntries"] for event in events if event.get("metadataEntries")]
    (table,) = [entry["table"] for entry in entries if entry["label"] == "answers"]
    assert [column["name"] for column in table["schema"]["columns"]][:2] == ["user_id", "status"]
    assert len(table["records"]) == 5


def test_a_port_that_is_in_use_is_a_mistake() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on {HOST}, port {port}"):
            start_ui(port)


def test_ctrl_c_ends_the_ui_and_its_daemon_without_an_error(ui: Ui) -> None:
    assert f"http://{HOST}:{ui.port}" in ui.log.read_text()
    assert ui.interrupt() == 0
    assert "Traceback" not in ui.log.read_text()
    with socket.create_server((HOST, ui.port)):
        pass


@pytest.fixture
def in_background() -> Iterator[None]:
    """Started processes ignore SIGINT, as those that a shell starts in the background."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("in_background")
def test_sigterm_to_the_command_alone_ends_webserver_and_daemon(home: Path) -> None:
    with running_ui(home) as ui:
        parts = ("dagster_webserver", "dagster._daemon")
        wait_for(lambda: all(part in str(ui.commands()) for part in parts), ui.log)
        ui.process.terminate()
        assert ui.process.wait(PATIENCE) == 0
        wait_for(lambda: not ui.commands(), ui.log)
        assert "Traceback" not in ui.log.read_text()
        with socket.create_server((HOST, ui.port)):
            pass
