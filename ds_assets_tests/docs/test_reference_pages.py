import types
from collections.abc import Iterator
from typing import Any

import pytest

import ds_assets.settings
import reference_pages
from ds_assets.core.game_settings import list_keys
from reference_pages import commands, game, markdown, settings, tables


@pytest.mark.parametrize("name", reference_pages.PAGES)
def test_a_page_says_what_the_code_declares(name: str) -> None:
    stored = (reference_pages.DOCS / name).read_text(encoding="utf-8")
    assert stored == reference_pages.PAGES[name](), "run `make reference`"


def test_every_key_of_the_game_file_has_a_meaning() -> None:
    keys = {key.name: key.meaning for key in game.find_keys()}
    assert list(keys) == list_keys()
    assert all(keys.values())


@pytest.mark.slow
def test_keys_of_values_that_are_compared_as_a_whole_are_listed_with_a_meaning() -> None:
    parts = {part.name: part.meaning for key in game.find_keys() for part in key.parts}
    files = ("files", "format", "csv", "time_format", "times_without_zone", "optional")
    assert {f"logs.kinds.*.{name}" for name in files} <= set(parts)
    assert {"logs.kinds.*.fields.amount", "logs.leave_out[].values"} <= set(parts)
    assert all(parts.values())
    assert all(f"| `{name}` |" in game.page() for name in parts)


def test_every_column_has_a_meaning() -> None:
    rows = [line for line in tables.page().splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert [row for row in rows if row.endswith("|  |")] == []


def test_settings_that_may_hold_a_password_are_marked() -> None:
    rows = settings.page().splitlines()
    marked = {row.split("`")[1] for row in rows if row.endswith("*Secret.* |")}
    assert {"DS_ASSETS_RESULTS_URL", "DS_ASSETS_CACHE_URL"} <= marked
    assert "DS_ASSETS_THREADS" not in marked


def parameters(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for parameter in command.params:
        yield f"{name} {parameter.name}", parameter
    for other, part in getattr(command, "commands", {}).items():
        yield from parameters(part, f"{name} {other}")


def test_every_option_and_argument_of_a_command_is_explained() -> None:
    explained = {
        name: getattr(it, "help", None) or "USER_ID" in (it.metavar or "")
        for name, it in parameters(commands.command_line(), "ds-assets")
    }
    assert "ds-assets simulate users" in explained
    assert [name for name, text in explained.items() if not text] == []


def test_a_meaning_is_the_text_below_a_field() -> None:
    meanings = markdown.read_meanings(ds_assets.settings)
    assert meanings["Settings.threads"] == "Threads of the embedded engine."
    assert markdown.read_meanings(types) == {}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "whole number from 1 to 1,000"),
        ({"type": ["string", "null"], "maxLength": 9}, "text of up to 9 characters, or null"),
        (
            {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
            "number above 0",
        ),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"type": "array", "items": {"type": "boolean"}}, "list of `true` or `false`"),
        ({"$ref": "#/components/schemas/Answer"}, "[Answer](#answer)"),
    ],
)
def test_a_type_is_described_in_words(schema: dict[str, object], words: str) -> None:
    assert markdown.describe_type(schema) == words


def test_a_cell_cannot_break_its_table() -> None:
    assert markdown.table(["a"], [["one\n| two"]]) == "| a |\n| --- |\n| one \\| two |\n"
