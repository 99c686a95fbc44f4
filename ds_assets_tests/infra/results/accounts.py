"""Makes accounts that have the documented rights, and no others."""

import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from ds_assets_tests.infra.results.databases import execute, kind_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "results.md"
_CREATE_USER = {
    "mysql": "CREATE USER '{}'@'%%' IDENTIFIED BY '{}'",
    "postgresql": "CREATE USER \"{}\" PASSWORD '{}'",
}
_QUOTES = {"mysql": "'", "postgresql": '"'}


def new_account(url: str, role: str, *, without: Sequence[str] = ()) -> str:
    """URL of the same database for a new account with a role's documented rights.

    Args:
        url: Of an account with all rights.
        role: owner, writer or reader.
        without: Parts of the names of relations that an older schema lacks.
    """
    kind, name, password = kind_of(url), f"{role}_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    database, quote = sa.make_url(url).database, _QUOTES[kind_of(url)]
    statements = [
        statement.replace("player_insights", str(database))
        .replace(f"{quote}{role}{quote}", f"{quote}{name}{quote}")
        .replace("%", "%%")
        for statement in _grants(kind, role)
        if not any(name in statement for name in without)
    ]
    assert all(name in statement for statement in statements)
    execute(url, _CREATE_USER[kind].format(name, password), *statements)
    own = sa.make_url(url).set(username=name, password=password)
    return own.render_as_string(hide_password=False)


def _grants(kind: str, role: str) -> list[str]:
    """The document's statements for a role."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("\n## Accounts ")[2]
    heading = {"mysql": "\n### MySQL\n", "postgresql": "\n### PostgreSQL\n"}[kind]
    section = text.partition(heading)[2].partition("\n### ")[0].partition("\n## ")[0]
    blocks = re.findall(r"```sql\n-- The (\w+)\n(.*?)```", section, re.DOTALL)
    return [statement.strip() for statement in dict(blocks)[role].split(";") if statement.strip()]
