"""`ds-assets init`."""

import datetime as dt
import os
import shlex
import sys
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds_assets.errors import InputError
from ds_assets.game import load_game
from ds_assets.installation import open_lake, open_log_source
from ds_assets.onboarding.game_text import write_game_text
from ds_assets.onboarding.guess import Guess, Question, printable, show_value
from ds_assets.onboarding.guessing import GuessedGame
from ds_assets.onboarding.looking import look_at
from ds_assets.onboarding.sources import Browsable, LakeFiles, SingleFile
from ds_assets.path_patterns import PathPattern
from ds_assets.settings import DEMO_GAME, Settings, load_settings

app = typer.Typer(add_completion=False)
_MAX_QUESTIONS = 3
_NO_PATTERN = PathPattern("*/dt=%Y-%m-%d")
"""Listing folder by folder compares no name with the pattern."""


@app.command()
def init(  # noqa: PLR0913  (options of a command line)
    source: Annotated[
        str,
        typer.Argument(
            help="A log file, a folder of them, s3://BUCKET/PREFIX, or the address of a lake."
        ),
    ],
    *,
    name: Annotated[str, typer.Option(help="Name of the game.")] = "",
    time_zone: Annotated[str, typer.Option(help="Time zone of the game's days.")] = "",
    user_id: Annotated[str, typer.Option(metavar="FIELD", help="Field of the user.")] = "",
    event_time: Annotated[str, typer.Option(metavar="FIELD", help="Field of the time.")] = "",
    event_type: Annotated[str, typer.Option(metavar="FIELD", help="Field of the type.")] = "",
    amount: Annotated[str, typer.Option(metavar="FIELD", help="Field of what is paid.")] = "",
    worth: Annotated[
        list[str] | None,
        typer.Option(metavar="CURRENCY=NUMBER", help="What one unit is worth in the reports."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing game file.")] = False,
) -> None:
    """Look at the logs of a game, and write a game file with what they show."""
    settings = load_settings()
    target = _target(settings)
    if target.exists() and not force:
        raise InputError(f"there is a game file at {target}; to replace it, add --force")
    given: dict[str, Any] = {
        "time_zone": time_zone and _read_zone(time_zone),
        "currencies": _read_worths(worth or []),
        "fields.user_id": user_id,
        "fields.event_time": event_time,
        "fields.event_type": event_type,
        "fields.amount": amount,
    }
    look = look_at(_open(source, settings), source, name or _name_of(source))
    given = {key: value for key, value in given.items() if value}
    today = dt.datetime.now(dt.UTC).date()
    game = GuessedGame(look.source, given, today)
    if not yes and sys.stdin.isatty():
        game = GuessedGame(look.source, given | _ask(game), today)
    guesses = game.guesses()
    export = game.export.name if game.export else None
    _write(target, write_game_text(look.source.name, guesses, export))
    _print(guesses, target, [*look.others, *game.notes()], Console())
    _print_next_steps(source, settings, has_days=look.source.layout is not None)


def _target(settings: Settings) -> Path:
    return settings.home / "game.yaml" if settings.game == DEMO_GAME else settings.game


def _open(source: str, settings: Settings) -> Browsable:
    if "s3://" in source:
        url = load_settings({"source_url": source}).source_url
        return open_log_source(url, settings.source, _NO_PATTERN)
    if source.startswith(("http://", "https://")):
        url = load_settings({"lake_url": source}).lake_url
        return LakeFiles(open_lake(url, settings.lake, settings.lake_cache))
    path = Path(source)
    if not source or not path.exists():
        raise InputError(f"there is no file or folder {source!r}")
    folder = path if path.is_dir() else path.parent
    opened = open_log_source("", folder.absolute(), _NO_PATTERN)
    return opened if path.is_dir() else SingleFile(opened, path.name)


def _name_of(source: str) -> str:
    """A name for the game: the last one in the address of its logs that says something."""
    url = urlsplit(source)
    path = f"{url.netloc}{url.path}" if "://" in source else f"{Path(source).absolute()}"
    names = [name.partition(".")[0] for name in path.split("/")]
    telling = [name for name in names if name not in {"", "source", "logs", "raw"}]
    return show_value(telling[-1]) if telling else "my game"


def _read_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"time_zone: found {text!r}; write the name of a time zone, for example Asia/Seoul"
        ) from None
    return text


def _read_worths(texts: list[str]) -> dict[str, float]:
    worths = {}
    for text in texts:
        currency, _, number = text.partition("=")
        try:
            worth = float(number)
        except ValueError:
            worth = 0
        if not currency.strip() or not 0 < worth < inf:
            raise InputError(
                f"found {text!r}; write a currency and its worth, for example KRW=0.00072"
            )
        worths[currency.strip()] = worth
    return worths


def _ask(game: GuessedGame) -> dict[str, Any]:
    return {it.key: _ask_until_valid(it) for it in [*game.questions()][:_MAX_QUESTIONS]}


def _ask_until_valid(question: Question) -> Any:
    while True:
        text = typer.prompt(question.text, default=question.default)
        try:
            if question.key == "time_zone":
                return _read_zone(text)
            return _read_worths(text.split(","))
        except InputError as error:
            typer.echo(str(error), err=True)


def _write(target: Path, text: str) -> None:
    """Write a game file that is valid, or none.

    Raises:
        InputError: the file cannot be written, or an option has made it invalid.
    """
    written = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, encoding="utf-8")
        load_game(written)
        written.replace(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{error}".replace(f"{written}", f"{target}")) from None
    finally:
        with suppress(OSError):
            written.unlink()


def _print(guesses: list[Guess], target: Path, notes: list[str], out: Console) -> None:
    if out.is_terminal:
        table = Table("key", "value", "why")
        for guess in guesses:
            cells = (guess.key, str(guess.value), guess.evidence)
            table.add_row(*(Text(printable(it)) for it in cells))
        out.print(table)
    else:
        for guess in guesses:
            text = f"{guess.key}: {guess.value}  ({guess.evidence})"
            out.print(printable(text), soft_wrap=True, highlight=False, markup=False)
    for note in notes:
        typer.echo(note)
    typer.echo(f"{target} is written; each key has its evidence as a comment.")
    for guess in guesses:
        if not guess.is_certain:
            typer.echo(printable(f"Please check {guess.key}: {guess.value} ({guess.evidence})."))


def _print_next_steps(source: str, settings: Settings, *, has_days: bool) -> None:
    typer.echo("Next:")
    for line in (*_settings_of(source, settings, has_days=has_days), *_commands(source, has_days)):
        typer.echo(f"  {line}")


def _settings_of(source: str, settings: Settings, *, has_days: bool) -> list[str]:
    if "s3://" in source:
        name, value, present = "SOURCE_URL", source, settings.source_url
    elif source.startswith(("http://", "https://")):
        name, value, present = "LAKE_URL", source, settings.lake_url
    else:
        name, value, present = "SOURCE", f"{_folder_of(source)}", f"{settings.source.absolute()}"
    is_set = value == present or not has_days
    return [] if is_set else [f"export DS_ASSETS_{name}={shlex.quote(value)}"]


def _folder_of(source: str) -> Path:
    path = Path(source).absolute()
    return path if path.is_dir() else path.parent


def _commands(source: str, has_days: bool) -> list[str]:
    first = [] if has_days else [f"ds-assets import-logs {shlex.quote(source)}"]
    return [*first, "ds-assets doctor", "ds-assets run --last", "ds-assets status"]
