"""Variables, parameters and functions are named by what they hold or do (docs/style.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REFUSED = {"one", "found", "known", "seen", "told", "said", "asked", "made", "there"}
EXEMPT = {
    "ds_assets/infra/results/migrations/versions",  # past migrations are not edited
}


def bound_names(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of whatever a module binds, except for attributes and imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name


def refused_names(source: str) -> list[tuple[int, str]]:
    return [(line, name) for line, name in bound_names(source) if name.strip("_") in REFUSED]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["ds_assets", "ds_assets_tests", "benchmarks", "docs"])
def test_no_name_says_how_a_value_came_rather_than_what_it_is(folder: str) -> None:
    files = [file.relative_to(ROOT) for file in (ROOT / folder).rglob("*.py")]
    assert files
    checked = [file for file in files if not EXEMPT & set(map(str, file.parents))]
    refused = {
        f"{file}:{line}: {name}"
        for file in checked
        for line, name in refused_names((ROOT / file).read_text(encoding="utf-8"))
    }
    assert refused == set()


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "def f(one): ...",
        "def _asked(): ...",
        "f = lambda *asked: 0",
        "[0 for known in ()]",
        "for _, there in (): ...",
        "if (seen := 1): ...",
    ],
)
def test_a_refused_name_is_found_wherever_it_is_bound(source: str) -> None:
    assert len(refused_names(source)) == 1


def test_attributes_and_texts_may_have_any_name() -> None:
    assert refused_names("a.found = b.one['known'](made=1)  # said") == []
