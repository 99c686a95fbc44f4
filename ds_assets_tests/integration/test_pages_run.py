"""The code of the pages runs: what `ds_assets_tests/docs/snippets.py` says of it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ds_assets_tests.assets.factories import finished
from ds_assets_tests.docs.snippets import BLOCKS, PAGES, ROOT, Block

RUNNING = {
    page: [it for it in BLOCKS if it.page == page and not it.mark and it.language != "yaml"]
    for page in PAGES
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page, blocks in RUNNING.items() if blocks],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_code_of_a_page_runs_in_its_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished().copy(tmp_path / "ds_assets_home")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    names: dict[str, Any] = {}
    for block in RUNNING[page]:
        run(block, names)


def run(block: Block, names: dict[str, Any]) -> None:
    match block.language:
        case "python":
            exec(compile(block.code, str(block), "exec"), names)  # noqa: S102  (of our own pages)
        case "sql":
            with closing(sqlite3.connect("ds_assets_home/results.sqlite")) as database:
                database.executescript(block.code)
        case "sh":
            script = ["bash", "-euo", "pipefail", "-c", block.code]
            shell = subprocess.run(script, capture_output=True, text=True, check=False)  # noqa: S603
            assert shell.returncode == 0, f"{block}: {shell.stderr}"
