"""What CONTRIBUTING shows works: the code of a recipe is applied to a copy of the package."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ds_assets
from ds_assets.assets import user_features
from ds_assets.core.clusters.clustering import fit_clusters
from ds_assets.core.clusters.profiles import cluster_profiles
from ds_assets.core.encoding import fit_encoding
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.models.inference.reasons import (
    plan_reasons,
    reasons_of_frame,
    reasons_of_users,
)
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features, make_game
from ds_assets_tests.core.test_features import GAME, World, day, make_row

PACKAGE = Path(ds_assets.__file__).parent
ROOT = PACKAGE.parent
RECIPE = ROOT / "docs" / "recipes" / "feature.md"


def code_blocks(recipe: Path) -> list[str]:
    """The Python of a recipe, without the indentation of the list that it stands in."""
    blocks = re.findall(
        r"^   ```python\n(.*?)^   ```$", recipe.read_text(), re.DOTALL | re.MULTILINE
    )
    return ["".join(line[3:] for line in block.splitlines(keepends=True)) for block in blocks]


def with_feature(catalog: str, function: str, declaration: str) -> str:
    """The catalog as the recipe changes it: a function, and a line at the end of a tuple."""
    (target,) = (
        node
        for node in ast.parse(catalog).body
        if isinstance(node, ast.FunctionDef) and node.name == "_lookback_features"
    )
    assert target.end_lineno is not None
    lines = catalog.splitlines(keepends=True)
    first, closing = target.lineno - 1, target.end_lineno - 1
    assert lines[closing] == "    )\n", "the function ends with the tuple that it returns"
    declared = [
        f"        {line}" for line in f"{declaration.rstrip()},\n".splitlines(keepends=True)
    ]
    return "".join(
        [*lines[:first], function, "\n\n", *lines[first:closing], *declared, *lines[closing:]]
    )


def look_at(name: str) -> dict[str, Any]:
    """What each part of the system makes of a feature; runs where the package has it."""
    users, declared = make_features(200), FEATURES
    fitted = fit_clusters(users, declared, ClusterRange(min=3, max=3), None, as_of=FIRST_DAY)
    profiles = cluster_profiles(FIRST_DAY, users, declared, fitted.assignments, users, None)
    (feature,) = (spec for spec in declared if spec.name == name)
    with tempfile.TemporaryDirectory() as folder:
        rows = [make_row("a", 6, events=3), make_row("a", 7, events=9), make_row("a", 8)]
        described = World(Path(folder), GAME).describe(rows, [day(8)])
    (spec,) = user_features.build(make_game()).specs
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    return {
        "package": str(Path(ds_assets.__file__).parent.parent),
        "columns": user_features_table(make_game()).names,
        "value": described[day(8), "a"][name],
        "reasons": reasons_of(name),
        "distances": fitted.card.encoding.names,
        "family": feature.family,
        "profiles": [list(json.loads(text)) for text in profiles["typical_values"]],
        "ui": columns[name].description,
    }


def reasons_of(name: str) -> list[Any]:
    """Reasons in a batch and online of a user whom this feature alone moves."""
    users = make_features(5).assign(**{name: 12.0})[:1]
    encoding = fit_encoding([users])
    plan = plan_reasons(encoding, declare_features(make_game()), 0)
    values = np.array([[float(column == name) for column in encoding.names]], dtype=np.float32)
    batch = reasons_of_frame(users, plan, values).to_pylist()
    user = {str(column): value for column, value in users.iloc[0].items()}
    online = reasons_of_users([user], plan, values)
    return [json.loads(text) for text in (*batch, *online)]


@pytest.fixture(scope="module")
def feature_facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the package to which the recipe was applied makes of the feature."""
    folder = tmp_path_factory.mktemp("recipe")
    copy = shutil.copytree(
        PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    catalog = copy / "core" / "feature_catalog.py"
    catalog.write_text(with_feature(catalog.read_text(), *code_blocks(RECIPE)))
    code = (
        "import json; from ds_assets_tests.test_recipes import look_at;"
        "print(json.dumps(look_at('busiest_day')))"
    )
    finished = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
    )
    assert finished.returncode == 0, finished.stderr
    output: dict[str, Any] = json.loads(finished.stdout)
    assert output["package"] == str(folder)
    return output


@pytest.mark.slow
def test_a_feature_of_the_recipe_is_a_column_with_its_description(
    feature_facts: dict[str, Any],
) -> None:
    assert "busiest_day" in feature_facts["columns"]
    assert feature_facts["ui"] == "Most events on one day."


@pytest.mark.slow
def test_a_feature_of_the_recipe_is_computed(feature_facts: dict[str, Any]) -> None:
    assert feature_facts["value"] == 9.0


@pytest.mark.slow
def test_a_feature_of_the_recipe_is_given_as_a_reason(feature_facts: dict[str, Any]) -> None:
    expected = {
        "code": "busiest_day",
        "effect": 1.0,
        "values": [12],
        "words": "most events on one day: 12",
    }
    assert feature_facts["reasons"] == [[expected], [expected]]


@pytest.mark.slow
def test_a_feature_of_the_recipe_counts_in_clusters_and_their_profiles(
    feature_facts: dict[str, Any],
) -> None:
    assert "busiest_day" in feature_facts["distances"]
    assert feature_facts["family"] == "activity"
    assert len(feature_facts["profiles"]) == 3
    assert all(names[-1] == "busiest_day" for names in feature_facts["profiles"])
