"""The code that pages show: all of it is checked, and whatever can run does.

A block of sh, python, sql or yaml runs, on a copy of the small finished game, in the order of its
page (`integration/test_pages_run.py`). A block that cannot has the reason in a comment before it,
`<!-- not run: REASON -->`, or the test that runs it, `<!-- run by: FILE -->`; such a block is
parsed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])
LANGUAGES = {"sh", "python", "sql", "yaml"}
UNCHECKED = {"", "console", "json"}
"""Languages of what is no code of a reader: output, usage, parts of answers."""
MARK = re.compile(r"<!-- (not run|run by): (.+) -->", re.DOTALL)


class Block(NamedTuple):
    """A fenced block of code of a page.

    Attributes:
        page: The page.
        line: Its line in the page.
        language: The language after the fence.
        code: Its text, without the indentation of a list.
        mark: `not run` or `run by`; empty for a block that runs.
        reason: What the mark says.
    """

    page: Path
    line: int
    language: str
    code: str
    mark: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read_blocks(page: Path) -> Iterator[Block]:
    before = ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.info in LANGUAGES:
            marked = MARK.fullmatch(before.strip())
            mark, reason = marked.groups() if marked else ("", "")
            assert token.map is not None
            yield Block(page, token.map[0] + 1, token.info, token.content, mark, reason)
        before = token.content if token.type == "html_block" else ""


BLOCKS = [block for page in PAGES for block in read_blocks(page)]
