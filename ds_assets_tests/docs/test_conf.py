import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc="https?:|<link[^>]*\shref="https?:""")
"""What a browser would load from elsewhere."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: warnings, as of a broken link, are errors."""
    out = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", "docs"]
    options += ["-d", str(out / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, ".", str(out / "html")]
    build = subprocess.run(  # noqa: S603  (our own command)
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert build.returncode == 0, build.stderr
    return out / "html"


@pytest.mark.slow
def test_every_page_is_in_the_table_of_contents(site: Path) -> None:
    contents = (site / "docs" / "index.html").read_text(encoding="utf-8")
    for page in ROOT.glob("docs/**/*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("")
        assert f'href="{name}.html"' in contents or name == Path("index")


@pytest.mark.slow
def test_the_start_of_the_site_leads_to_the_index(site: Path) -> None:
    assert "url=docs/index.html" in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    assert [page for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
