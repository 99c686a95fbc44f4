"""Pages for people: what they link to, name and tell readers to run must exist."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.main import get_command

from ds_assets.cli import keys
from ds_assets.cli.main import COMMANDS
from ds_assets.core.lineage import lineage_of
from ds_assets.game import load_game
from ds_assets.infra.lake.provenance import stored_folders
from ds_assets.settings import DEMO_GAME, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks" / "README.md"])
FOLDERS = (ROOT, ROOT / "ds_assets", ROOT / "ds_assets_tests", ROOT / "benchmarks")
"""Where a path in a text may start, besides the folder of its page."""
PATH = re.compile(r"[\w.-]+/[\w./-]*\.(?:py|md|yaml|toml|json|lua|txt)|(?:[a-z_]+/){1,}")
STORED = (
    *(
        f"{folder}/"
        for lineage in lineage_of(load_game(DEMO_GAME)).values()
        for folder in stored_folders(lineage)
    ),
    "raw/",
    "quarantine/",
    "event_ids/",
    "promotions/",
    "shown_offers/",
    "promotion_changes/",
    "user_effects/",
    "promotion_messages/",
    "promotion_outcomes/",
    "promotion_results/",
    "models/",
    "provenance/",
    "lake_cache/",
    "plans/",
    "source/",
    "truth/",
    "_staging/",
    "_temporary/",
    "_delta_log/",
    "verdicts/",
)
"""Folders of a lake, an installation or a log source, not of this repository."""
OF_TESTS = {"DS_ASSETS_WRITE_FAULTS"}
"""Variables that only tests read."""


def texts() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def code_of(text: str) -> str:
    """All code of a page: fenced, indented and inline."""
    return "\n".join(re.findall(r"^```.*?^```|^ {4}.*?$|`[^`\n]+`", text, re.MULTILINE | re.DOTALL))


def anchors_of(text: str) -> set[str]:
    """Anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named(pattern: str) -> dict[str, str]:
    """What the code of all pages names by a pattern, with a page that does."""
    return {name: page for page, text in texts() for name in re.findall(pattern, code_of(text))}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8"))
    targets = [((page.parent / name) if name else page, anchor) for name, anchor in links]
    assert [str(path) for path, _ in targets if not path.exists()] == []
    missing = [
        f"{path}#{anchor}"
        for path, anchor in targets
        if anchor and anchor not in anchors_of(path.read_text(encoding="utf-8"))
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_folder_that_is_named_exists(page: Path) -> None:
    inline = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    paths = [
        text
        for text in inline
        if PATH.fullmatch(text) and not text.startswith(STORED) and "NAME" not in text
    ]
    starts = (*FOLDERS, page.parent)
    assert [path for path in paths if not any((start / path).exists() for start in starts)] == []


def test_every_ds_assets_command_is_one() -> None:
    commands = get_command(keys.app).commands  # type: ignore[attr-defined]
    assert named(r"\bds-assets (\w[\w-]*)").keys() <= COMMANDS.keys()
    assert named(r"\bds-assets keys (\w+)").keys() <= commands.keys()


def test_every_make_target_is_one() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named(r"\bmake ([a-z][a-z-]*)").keys() <= set(targets)


def test_every_module_that_is_run_is_one() -> None:
    modules = named(r"\bpython -m ([\w.]+)")
    assert [module for module in modules if find_spec(module) is None] == []


def test_every_setting_is_one() -> None:
    settings = {f"DS_ASSETS_{name.upper()}" for name in Settings.model_fields} | OF_TESTS
    assert named(r"\bDS_ASSETS_[A-Z_]+").keys() <= settings


def test_every_setting_is_in_the_example_of_an_environment() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert [
        name for name in Settings.model_fields if f"DS_ASSETS_{name.upper()}=" not in example
    ] == []


def test_every_decision_is_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("0*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((0[^)]*)\)", index) == records
    titles = [(folder / name).read_text(encoding="utf-8").splitlines()[0][2:] for name in records]
    assert titles == [
        f"{number}. {title}"
        for number, title in re.findall(r"^\| \[(\d+)\]\([^)]*\) \| (.*) \|$", index, re.MULTILINE)
    ]
