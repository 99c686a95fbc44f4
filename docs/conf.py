"""How Sphinx builds the site from the Markdown of this repository: `make docs`.

The source folder is the root of the repository, so that every link between pages, and to a file
beside them, is the one that GitHub follows. Nothing is read from a network.
"""

import re
from importlib.metadata import version as installed_version

from sphinx.application import Sphinx

project = "ds_assets"
release = version = installed_version("ds_assets")
copyright = "ds_assets maintainers"  # noqa: A001  (Sphinx's name)

nitpicky = True
root_doc = "docs/index"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/**.md", "benchmarks/README.md", "examples/**/README.md"]
exclude_patterns = [".*", "build", "ds_assets*"]
myst_heading_anchors = 4
"""Headings get the anchors that GitHub gives them."""

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
templates_path = ["templates"]
html_additional_pages = {"index": "to_the_index.html"}

_CONTENTS = ("docs/index", "docs/decisions/README")
"""Pages whose links are the table of contents."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^):#]+)\.md\)")


def setup(app: Sphinx) -> None:
    """Let pages of contents stand for Sphinx's own tables of contents."""
    app.connect("source-read", _add_tables_of_contents)


def _add_tables_of_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    if page in _CONTENTS:
        sections = re.split(r"^##? ", source[0], flags=re.MULTILINE)
        source[0] += "".join(map(_table_of_contents, sections))


def _table_of_contents(section: str) -> str:
    """The hidden toctree of the pages that a section links to, under its heading.

    A page has the text of its link there, or its own title if that is a number.
    """
    links = _LINK.findall(section)
    pages = "\n".join(page if text.isdigit() else f"{text} <{page}>" for text, page in links)
    caption = section.partition("\n")[0]
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n{pages}\n```\n" if pages else ""
