"""Tests mirror the source: a module's tests are where its name says."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOTS = (TESTS.parent / "ds_assets", TESTS.parent)
"""Folders that the tests mirror: the package, and beside it benchmarks, docs and examples."""
ACROSS = {
    "faults": "every server with every fault",
    "integration": "the whole graph",
    "properties": "rules of time that hold for all of it",
    "rehearsal": "a year of operation",
    "soak": "the service under load",
}
"""Folders of tests that belong to no module, with what they are about."""
EXCEPTIONS = {
    "cli/test_environment_mistakes.py": "settings that are wrong, through the commands",
    "docs/test_pages.py": "all pages",
    "docs/test_snippets.py": "the code of all pages",
    "infra/cache/test_faults.py": "a cache whose server is damaged or slow",
    "infra/engines/test_engines.py": "the suite of every engine",
    "infra/lake/test_lakes.py": "the suite of every lake",
    "infra/log_source/test_log_sources.py": "the suite of every log source",
    "infra/results/test_accounts.py": "accounts with narrow rights, on every server",
    "infra/results/test_faults.py": "a database whose server is damaged or slow",
    "serving/http/test_fuzz.py": "the whole API",
    "serving/http/test_typed_client.py": "a client generated from the document",
    "serving/test_service_faults.py": "the service with its sources behind faults",
    "test_imports.py": "all modules",
    "test_layout.py": "all tests",
    "test_names.py": "all modules",
    "test_recipes.py": "the recipes for contributors",
}
"""Test modules of no single module or package, with what they are about."""


def is_mirrored(test: Path) -> bool:
    """Whether a module or a package has the test module's place and name."""
    source = test.parent / test.stem.removeprefix("test_")
    return any((root / f"{source}.py").is_file() or (root / source).is_dir() for root in ROOTS)


def test_every_test_module_mirrors_its_source_or_says_what_it_is_about() -> None:
    modules = {file.relative_to(TESTS) for file in TESTS.rglob("test_*.py")}
    strays = {
        str(test) for test in modules if test.parts[0] not in ACROSS and not is_mirrored(test)
    }
    assert strays == set(EXCEPTIONS)


@pytest.mark.parametrize("folder", ACROSS)
def test_folders_without_a_source_hold_tests(folder: str) -> None:
    assert list((TESTS / folder).glob("test_*.py"))
    assert not (ROOTS[0] / folder).exists()
