"""`ds-assets status`: lines for people, JSON for programs, and an exit code for both."""

import json

import pytest

from ds_assets_tests.assets.factories import Installation, day, event
from ds_assets_tests.cli.test_main import Shell, shell

__all__ = ["shell"]


@pytest.mark.slow
def test_a_home_without_logs_names_the_first_commands_and_needs_a_person(shell: Shell) -> None:
    code, out, err = shell("status")
    assert (code, err) == (1, "")
    assert "there are no logs in" in out
    assert "`ds-assets run --last` makes the first predictions" in out


@pytest.mark.slow
def test_days_are_lines_without_a_terminal_and_the_same_in_json(shell: Shell) -> None:
    installation = Installation(shell.home)
    for number in (38, 39):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    code, out, err = shell("status")
    assert (code, err) == (1, "")
    assert f"{day(39)}  in source" in out.splitlines()
    assert out.splitlines()[0] == f"26 days from {day(0)} to {day(25)}: 26 missing"
    code, out, err = shell("status", "--json")
    content = json.loads(out)
    assert (code, err, content["format"]) == (1, "", 1)
    assert [it["logs"] for it in content["days"]] == ["missing"] * 12 + ["in_source"] * 2
    assert content["older"]["missing"] == 26


def test_an_instance_of_dagster_that_cannot_be_opened_is_named(shell: Shell) -> None:
    file = shell.home.parent / "dagster" / "dagster.yaml"
    file.write_text("no_such_key: 1\n")
    code, out, _ = shell("status")
    assert code == 1
    assert "what Dagster knows of runs cannot be read" in out
