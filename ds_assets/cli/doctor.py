"""`ds-assets doctor`."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds_assets.core.log_counts import DayLogs, Moment
from ds_assets.core.log_diagnostics import Examination, worst
from ds_assets.errors import INPUT_ERROR, NEEDS_A_PERSON, UNAVAILABLE
from ds_assets.installation import load_installation
from ds_assets.onboarding.examination import examine
from ds_assets.onboarding.guess import printable

app = typer.Typer(add_completion=False)
_COLUMNS = ("day", "files", "bytes", "lines", "valid", "users", "first", "last", "types")
_COLORS = {"info": "green", "warning": "yellow", "error": "red"}
_LISTED_TYPES = 8
_NEWEST = 3


@app.command()
def doctor(
    *,
    day: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day to look at, instead."
        ),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=31, help="How many of the newest days to look at.")
    ] = _NEWEST,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, as docs/operations.md describes it.")
    ] = False,
) -> None:
    """Examine the logs of the last days, and write to every place what is taken back."""
    now = dt.datetime.now(dt.UTC)
    examination = examine(load_installation(), day.date() if day else None, days, now)
    if json:
        typer.echo(examination.model_dump_json(indent=2))
    else:
        print_examination(examination, Console())
    raise typer.Exit(exit_code(examination))


def exit_code(examination: Examination) -> int:
    """Return the exit code by the worst that was found."""
    codes = {it.code for it in examination.diagnostics if it.severity == "error"}
    if codes == {"unavailable"}:
        return UNAVAILABLE
    by_severity = {"info": 0, "warning": NEEDS_A_PERSON, "error": INPUT_ERROR}
    return by_severity[worst(examination.diagnostics)]


def print_examination(examination: Examination, out: Console) -> None:
    """Print an examination for people: a table in a terminal, else lines."""
    if out.is_terminal and examination.days:
        table = Table(*_COLUMNS)
        table.columns[0].no_wrap = True
        for day in examination.days:
            table.add_row(*map(Text, _cells(day)))
        out.print(table)
    else:
        for day in examination.days:
            cells = zip(_COLUMNS[1:], _cells(day)[1:], strict=True)
            text = "  ".join(f"{name} {cell}" for name, cell in cells if cell)
            out.print(f"{day.day}  {text}", soft_wrap=True, highlight=False, markup=False)
    for diagnostic in examination.diagnostics:
        out.print(diagnostic.severity, style=_COLORS[diagnostic.severity], end=" ")
        out.print(printable(diagnostic.sentence), soft_wrap=True, highlight=False, markup=False)


def _cells(day: DayLogs) -> tuple[str, ...]:
    types = list(day.types.items())
    more = f" and {day.type_count - _LISTED_TYPES:,} more"
    listed = ", ".join(f"{name} {counts.lines:,}" for name, counts in types[:_LISTED_TYPES])
    cells = (
        str(day.day),
        f"{day.files:,} ({day.place})",
        f"{day.size:,}",
        f"{day.lines:,}",
        f"{day.valid / day.lines:.1%}" if day.lines else "",
        f"{day.users:,}",
        _show(day.first),
        _show(day.last),
        listed + (more if day.type_count > _LISTED_TYPES else ""),
    )
    return tuple(map(printable, cells))


def _show(moment: Moment | None) -> str:
    """A time in the words of the file, and on the game's clock."""
    if moment is None:
        return ""
    clock = f"{moment.on_the_clock:%Y-%m-%d %H:%M:%S}"
    return f"{moment.written} = {clock} on the game's clock"
