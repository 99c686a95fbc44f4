"""The package as people install it: a wheel in an environment of its own, without a checkout."""

import re
from pathlib import Path

import pytest
from tenacity import Retrying, stop_after_attempt, wait_fixed

from ds_assets.local_servers.process import free_port
from ds_assets_tests.deploy.files import compose_check, compose_command
from ds_assets_tests.exports import EXPORTS
from ds_assets_tests.programs import running
from ds_assets_tests.strangers import walk
from ds_assets_tests.wheel import ROOT, install_wheel, run, strangers_environment


@pytest.fixture(scope="module")
def wheel_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the programs of an environment that only has the wheel and what it needs."""
    return install_wheel(tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("sources"))


@pytest.mark.slow
def test_the_first_game_of_the_documentation_is_predicted(
    wheel_programs: Path, tmp_path: Path
) -> None:
    for command in commands_of((ROOT / "docs" / "first_game.md").read_text(encoding="utf-8")):
        program, *arguments = command.replace("2000 --days 45", "100 --days 30").split()
        output = run(wheel_programs / program, *arguments, folder=tmp_path, codes=(0, 1))
        if settings := re.findall(r"^ +export (.*)$", output, re.MULTILINE):
            (tmp_path / ".env").write_text("\n".join(settings))
    assert '"as_of":"2026-01-30"' in output


def commands_of(page: str) -> list[str]:
    """The commands of a page that are marked as run by these tests."""
    mark = r"<!-- run by: ds_assets_tests/integration/test_wheel.py -->\n```sh\n(.*?)```"
    return "".join(re.findall(mark, page, re.DOTALL)).splitlines()


@pytest.mark.slow
def test_an_installed_wheel_has_the_configuration_of_dagster(wheel_programs: Path) -> None:
    assert list(wheel_programs.parent.glob("lib/python3*/site-packages/ds_assets/dagster.yaml"))


@pytest.mark.slow
def test_a_stranger_gets_from_a_table_of_all_days_to_predictions(
    wheel_programs: Path, tmp_path: Path
) -> None:
    walked = walk(wheel_programs / "ds-assets", EXPORTS["intendo_revenue"], 100, 45, tmp_path)
    assert walked.wrong_keys == {}
    assert "churn_probability" in walked.prediction


@pytest.mark.slow
def test_an_installed_wheel_serves_the_graph_as_a_container_does(
    wheel_programs: Path, tmp_path: Path
) -> None:
    port = str(free_port())
    serve, check = (
        [port if word == "4000" else word for word in command]
        for command in (compose_command("code"), compose_check("code"))
    )
    command = [str(wheel_programs / serve[0]), *serve[1:]]
    with running(command, cwd=tmp_path, env=strangers_environment()):
        for attempt in Retrying(stop=stop_after_attempt(30), wait=wait_fixed(1), reraise=True):
            with attempt:
                run(wheel_programs / check[0], *check[1:], folder=tmp_path)
