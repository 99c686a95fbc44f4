"""The command line, in the form in which Typer writes it."""

from typing import Any

import typer
from typer.cli import get_docs_for_click
from typer.core import TyperGroup
from typer.main import get_command

from ds_assets.cli.main import COMMANDS, app, load_command
from reference_pages.markdown import WRITTEN

_NAME = "ds-assets"


def page() -> str:
    """The text of the page."""
    group = command_line()
    context = typer.Context(group, info_name=_NAME)
    text = get_docs_for_click(obj=group, ctx=context, name=_NAME, title="The command line")
    head, _, rest = text.partition("\n\n")
    return f"{head}\n\n{WRITTEN}\n\n{rest.strip()}\n"


def command_line() -> TyperGroup:
    """The command line with all commands and their options, which it else imports when called."""
    listed = get_command(app)
    commands = {name: _renamed(load_command(name), name) for name in COMMANDS}
    return TyperGroup(name=_NAME, commands=commands, help=listed.help, epilog=listed.epilog)


def _renamed(command: Any, name: str) -> Any:
    command.name = name
    return command
