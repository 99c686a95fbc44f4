import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from markdown_it import MarkdownIt

from ds_assets.cli.main import COMMANDS, load_command
from ds_assets.game import Game
from ds_assets.settings import PREFIX, load_settings
from ds_assets.simulate import SimulationOptions
from ds_assets.simulate.game_file import game_file
from ds_assets_tests.docs.snippets import (
    BLOCKS,
    LANGUAGES,
    PAGES,
    ROOT,
    UNCHECKED,
    Block,
    read_blocks,
)

ASSIGNMENT = re.compile(r"[A-Z_]+=")
OTHER_COMMANDS = {
    *(".", "cd", "cp", "curl", "date", "mkdir", "pip"),
    *("az", "dagster", "dagster-daemon", "dagster-webserver", "dg", "docker", "helm", "install"),
    *("kubectl", "python3", "systemctl", "systemd-run", "useradd"),
}
"""Commands of others, whose options are not checked."""


def of(language: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "block", [it for it in BLOCKS if it.language == language], ids=str
    )


def commands_of(code: str) -> Iterator[list[str]]:
    """The commands of a script, without assignments before them."""
    pending = ""
    for line in re.sub(r"\$\([^)]*\)", "SUBSTITUTED", code).splitlines():
        pending += line.removesuffix("\\") if line.endswith("\\") else f"{line}\n"
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quote that ends on a later line
            continue
        if not line.endswith("\\"):
            pending = ""
            yield from filter(None, map(without_assignments, split_commands(words)))


def split_commands(words: Sequence[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in words:
        if word in {"&&", "||", "|", ";"}:
            yield command
            command = []
        else:
            command.append(word)
    yield command


def without_assignments(words: Sequence[str]) -> list[str]:
    start = next((n for n, word in enumerate(words) if not ASSIGNMENT.match(word)), len(words))
    return list(words[start:])


def check_command(words: Sequence[str]) -> None:
    name, *arguments = words
    match name.rpartition("/")[2]:
        case "ds-assets":
            assert arguments[0] in COMMANDS
            parse(load_command(arguments[0]), arguments[0], arguments[1:])
        case "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert [it for it in arguments if "=" not in it and it not in targets] == []
        case "export":
            pairs = (it.split("=", 1) for it in arguments if it.startswith(PREFIX))
            load_settings({key.removeprefix(PREFIX).lower(): value for key, value in pairs})
        case "python" if arguments[0] == "-m":
            assert find_spec(arguments[1]) is not None
        case "python":
            assert list(ROOT.rglob(arguments[0]))
        case other:
            assert other in OTHER_COMMANDS


def parse(command: Any, name: str, arguments: list[str]) -> None:
    """Parse the arguments of a command as Typer does, without calling it."""
    context = command.make_context(name, arguments)
    if hasattr(command, "resolve_command"):
        _, part, rest = command.resolve_command(context, arguments)
        parse(part, arguments[0], rest)


def merge(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: merge(values[key], change) if isinstance(change, dict) else change
        for key, change in changes.items()
        if isinstance(values.get(key), dict)
    }
    return values | changes | both


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_has_a_language_that_is_checked(page: Path) -> None:
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    languages = {token.info for token in tokens if token.type == "fence"}
    assert languages <= LANGUAGES | UNCHECKED


@pytest.mark.parametrize("block", [it for it in BLOCKS if it.mark == "run by"], ids=str)
def test_the_test_that_runs_a_block_exists(block: Block) -> None:
    assert (ROOT / block.reason).is_file()


@pytest.mark.slow
@of("sh")
def test_every_command_is_one_and_has_the_options(block: Block) -> None:
    commands = list(commands_of(block.code))
    assert commands
    for words in commands:
        check_command(words)


@of("python")
def test_python_compiles(block: Block) -> None:
    ast.parse(block.code)


@of("sql")
def test_sql_can_be_parsed(block: Block) -> None:
    dialect = "mysql" if "@'%'" in block.code else "postgres"
    assert all(sqlglot.parse(block.code, dialect=dialect))


@pytest.mark.parametrize(
    "block", [it for it in BLOCKS if it.language == "yaml" and not it.mark], ids=str
)
def test_keys_of_a_game_file_are_valid_in_one(block: Block) -> None:
    minimal = yaml.safe_load(game_file(SimulationOptions(users=1, days=40)))
    Game.model_validate(merge(minimal, yaml.safe_load(block.code)))


def test_a_command_is_found_behind_assignments_comments_quotes_and_line_ends() -> None:
    code = "A=1 make demo  # all\nexport B=2 && curl -d '{\n}' \\\n  URL\n"
    assert list(commands_of(code)) == [
        ["make", "demo"],
        ["export", "B=2"],
        ["curl", "-d", "{\n}", "URL"],
    ]


@pytest.mark.parametrize(
    "line", ["ds-assets nothing", "make nothing", "nothing", "ds-assets run x"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"."):
        check_command(shlex.split(line))


def test_a_mark_belongs_to_the_block_after_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marked = "- a\n\n  <!-- not run: it costs money -->\n  ```sh\n  az login\n  ```\n"
    page.write_text(f"{marked}\n```sql\nSELECT 1\n```\n", encoding="utf-8")
    assert [(it.code, it.reason) for it in read_blocks(page)] == [
        ("az login\n", "it costs money"),
        ("SELECT 1\n", ""),
    ]
