"""Pages of the documentation that are written from the code: `make reference`.

Scope: which pages there are. The words come from the declarations that the code itself uses, so a
missing meaning is added there.
"""

from pathlib import Path

from reference_pages import api, commands, features, game, settings, tables

DOCS = Path(__file__).parents[1]
PAGES = {
    "features.md": features.page,
    "reference/settings.md": settings.page,
    "reference/game.md": game.page,
    "reference/tables.md": tables.page,
    "reference/cli.md": commands.page,
    "reference/api.md": api.page,
}
"""Each page by its place below the documentation, with what writes its text."""
