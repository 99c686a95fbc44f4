"""The image, the services of compose.yaml, and Dagster's instance on a server."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from tenacity import Retrying, stop_after_delay, wait_fixed

from ds_assets.definitions import defs
from ds_assets.errors import InputError
from ds_assets.local_servers.postgresql import PostgreSQLServer
from ds_assets.local_servers.process import free_port
from ds_assets.settings import load_settings
from ds_assets_tests.deploy.files import (
    ADDRESSES,
    DEPLOY,
    ROOT,
    SERVICES,
    compose_check,
    compose_command,
    compose_service,
    filled_in,
    parse_command,
    read_variables,
    read_yaml,
    settings_of,
)
from ds_assets_tests.programs import running

BIN = Path(sys.executable).parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
TEXTS = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"]
PATIENCE_SECONDS = 240
LOCATIONS = "{workspaceOrError{... on Workspace{locationEntries{name loadStatus}}}}"
"""Question to the webserver, which code locations it has."""


def instructions(name: str) -> list[list[str]]:
    """The words of the Dockerfile's instructions of a name."""
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [line.split()[1:] for line in lines if line.startswith(f"{name} ")]


def copied() -> set[str]:
    """What the Dockerfile copies of the checkout."""
    words = [it for it in instructions("COPY") if not it[0].startswith("--from")]
    return {name for it in words for name in it[:-1]}


def test_the_dockerfile_passes_its_linter() -> None:
    process = subprocess.run(  # noqa: S603  (a command of these tests)
        [BIN / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert not process.stdout + process.stderr


def test_the_builder_gets_what_the_dockerfile_copies_and_nothing_else() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "requirements.lock" in copied()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied()
    assert [name for name in copied() if not (ROOT / name).exists()] == []


def test_the_image_has_the_library_that_lightgbm_is_linked_with() -> None:
    _, last_stage = DOCKERFILE.rsplit("FROM ", 1)
    assert "install --yes --no-install-recommends libgomp1" in last_stage


def test_the_image_does_not_run_as_root() -> None:
    (*_, (user,)) = instructions("USER")
    assert int(user) > 0


def test_the_image_serves_the_api_by_default() -> None:
    ((*words,),) = instructions("CMD")
    assert json.loads(" ".join(words)) == compose_command("api")[:-2]
    assert "8000/healthz" in DOCKERFILE


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_setting_of_a_file_is_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    names = re.findall(r"\bDS_ASSETS_([A-Z_]+)", text)
    assert {name.lower() for name in names} <= type(load_settings()).model_fields.keys()


def test_the_placeholders_of_the_settings_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        load_settings(settings_of(read_variables("example.env")))
    assert set(re.findall(r"DS_ASSETS_\w+", str(refused.value))) >= ADDRESSES


def test_compose_refuses_an_empty_password_and_has_none_of_its_own() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    variables = read_variables("compose.example.env")
    assert set(variables.values()) == {""}
    assert set(re.findall(r"\$\{(\w+):\?", text)) == variables.keys()
    assert re.findall(r"\$\{\w+[^}:\w]", text) == re.findall(r"\$\{\w+\}", text) == []


def test_files_of_settings_are_not_committed() -> None:
    names = ["deploy/.env", "deploy/settings.env", "deploy/example.env"]
    ignored = subprocess.run(  # noqa: S603  (a command of these tests)
        ["git", "check-ignore", *names],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout.split() == names[:-1]


@pytest.mark.parametrize("name", ["code", "api", "stores"])
def test_a_container_of_the_installation_stores_everything_on_servers(name: str) -> None:
    passwords = dict.fromkeys(read_variables("compose.example.env"), "a" * 44)
    environment = filled_in(compose_service(name)["environment"], passwords)
    assert environment.keys() >= ADDRESSES
    load_settings(settings_of(environment))
    services = read_yaml("compose.yaml")["services"]
    hosts = re.findall(r"(?:@|//)([a-z0-9]+):\d+", "\n".join(environment.values()))
    assert len(hosts) == len(ADDRESSES)
    assert set(hosts) | {environment["DAGSTER_POSTGRES_HOST"]} <= services.keys()


@pytest.mark.parametrize("name", [*SERVICES, "tables"])
def test_a_container_runs_a_command_that_exists(name: str) -> None:
    parse_command(compose_command(name))


@pytest.mark.parametrize("name", ["daemon", "webserver", "tables"])
def test_daemon_and_webserver_know_no_secret_but_that_of_their_storage(name: str) -> None:
    environment = compose_service(name)["environment"]
    assert not settings_of(environment)
    assert {it for it in environment.values() if "$" in it} == {
        environment["DAGSTER_POSTGRES_PASSWORD"]
    }


def test_ports_are_published_on_this_machine_alone() -> None:
    services = read_yaml("compose.yaml")["services"].values()
    ports = [port for service in services for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_an_instance_on_one_machine_differs_in_its_storage_alone() -> None:
    here = yaml.safe_load((ROOT / "ds_assets" / "dagster.yaml").read_text(encoding="utf-8"))
    on_servers = read_yaml("dagster.yaml")
    assert here.keys() <= on_servers.keys()
    assert {key: it for key, it in here.items() if not it.items() <= on_servers[key].items()} == {}


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with the files of deploy/, on a PostgreSQL and on ports of its own."""
    home = tmp_path / "dagster"
    home.mkdir()
    with PostgreSQLServer(tmp_path / "postgresql") as server:
        for name, port in {"dagster.yaml": server.port, "workspace.yaml": free_port()}.items():
            text = (DEPLOY / name).read_text(encoding="utf-8")
            (home / name).write_text(re.sub(r"port: \d+", f"port: {port}", text), encoding="utf-8")
        url = sa.make_url(server.url)
        variables = {
            "HOST": url.host,
            "DB": url.database,
            "USER": url.username,
            "PASSWORD": url.password,
        }
        for name, value in variables.items():
            monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", str(value))
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        monkeypatch.setenv("DAGSTER_CODE_HOST", "127.0.0.1")
        monkeypatch.setenv("DS_ASSETS_HOME", str(tmp_path / "home"))
        yield home


@pytest.mark.server
@pytest.mark.slow
def test_one_run_at_a_time_is_in_each_pool_of_the_graph(dagster_home: Path) -> None:
    assets = defs().resolve_asset_graph().get_all_asset_keys()
    pools = {defs().resolve_assets_def(key).op.pool for key in assets} - {None}
    assert len(pools) > 1
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        storage = instance.event_log_storage
        for pool in map(str, pools):
            storage.initialize_concurrency_limit_to_default(pool)
            claims = [storage.claim_concurrency_slot(pool, run, "step") for run in ("a", "b")]
            assert [claim.is_claimed for claim in claims] == [True, False]


@contextmanager
def started(name: str, home: Path, ports: dict[str, int]) -> Iterator[None]:
    """A service of compose.yaml, with the programs and on the ports of this machine."""
    program, *words = (str(ports.get(word, word)) for word in compose_command(name))
    with (
        (home / f"{name}.txt").open("wb") as log,
        running([BIN / program, *words], cwd=home, stdout=log, stderr=log),
    ):
        yield


def wait_until_healthy(name: str, home: Path, ports: dict[str, int]) -> None:
    """Repeat the health check of a service until it passes."""
    program, *words = compose_check(name)
    words = [re.sub(r"\b\d{4}\b", lambda it: str(ports[it[0]]), word) for word in words]
    for attempt in Retrying(stop=stop_after_delay(PATIENCE_SECONDS), wait=wait_fixed(1)):
        with attempt:
            subprocess.run([BIN / program, *words], cwd=home, check=True, capture_output=True)  # noqa: S603


@pytest.mark.server
@pytest.mark.slow
def test_the_services_find_each_other_and_pass_their_health_checks(
    dagster_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dagster_home)
    (location,) = yaml.safe_load((dagster_home / "workspace.yaml").read_text())["load_from"]
    ports = {"4000": location["grpc_server"]["port"], "3000": free_port()}
    program, *words = compose_command("tables")
    subprocess.run([BIN / program, *words], cwd=dagster_home, check=True)  # noqa: S603
    with ExitStack() as services:
        for name in ("code", "daemon", "webserver"):
            services.enter_context(started(name, dagster_home, ports))
        for name in ("code", "daemon", "webserver"):
            wait_until_healthy(name, dagster_home, ports)
        request = Request(
            f"http://127.0.0.1:{ports['3000']}/graphql",
            json.dumps({"query": LOCATIONS}).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as reply:  # noqa: S310
            workspace = json.load(reply)["data"]["workspaceOrError"]
    assert workspace == {"locationEntries": [{"name": "ds_assets", "loadStatus": "LOADED"}]}
