"""`ds-assets status`."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ds_assets.cli.standing import read_status
from ds_assets.core.day_status import DayCounts, DayStatus, Status
from ds_assets.errors import NEEDS_A_PERSON
from ds_assets.installation import load_installation

app = typer.Typer(add_completion=False)


@app.command()
def status(
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON, as docs/operations.md describes it.")
    ] = False,
) -> None:
    """Show where each day stands, what happens next, and what needs a person."""
    present = read_status(load_installation(), dt.datetime.now(dt.UTC))
    if json:
        typer.echo(present.model_dump_json(indent=2))
    else:
        print_status(present, Console())
    raise typer.Exit(NEEDS_A_PERSON if present.needs_a_person else 0)


def print_status(present: Status, out: Console) -> None:
    """Print a status for people: a table in a terminal, else lines."""
    if present.older is not None:
        out.print(_describe_counts(present.older), soft_wrap=True, highlight=False)
    if present.days:
        if out.is_terminal:
            out.print(_table(present.days))
        else:
            for day in present.days:
                out.print("  ".join(filter(None, _cells(day))), soft_wrap=True, highlight=False)
    for name, text in {**present.models, **present.promotions}.items():
        out.print(f"{name}: {text}", soft_wrap=True, highlight=False)
    for heading, sentences in (
        ("Needs a person", (*present.attention, *present.unread)),
        ("Next", present.next),
    ):
        if sentences:
            out.print(f"\n[bold]{heading}[/bold]")
        for sentence in sentences:
            out.print(f"- {sentence}", soft_wrap=True, highlight=False, markup=False)


def _table(days: tuple[DayStatus, ...]) -> Table:
    table = Table()
    for column in ("day", "logs", "activity", "predictions", "delivery", "outcomes", "remarks"):
        table.add_column(column)
    for day in days:
        table.add_row(*_cells(day))
    return table


def _cells(day: DayStatus) -> tuple[str, ...]:
    outcomes = f"known on {day.outcomes_on}" if day.outcomes_on else ""
    return (
        str(day.day),
        day.logs.replace("_", " "),
        "" if day.activity == "none" else day.activity,
        "predicted" if day.predicted else "",
        "delivered" if day.delivered else "",
        "compared" if day.compared else outcomes,
        _remarks(day),
    )


def _remarks(day: DayStatus) -> str:
    again = f"to be made again: {', '.join(day.outdated)}" if day.outdated else ""
    run = day.run and f"run {day.run}" if not day.error else f"run failed: {day.error}"
    waits = f"waits {day.note}" if day.note else ""
    return "; ".join(filter(None, (run, day.reason, waits, again)))


def _describe_counts(counts: DayCounts) -> str:
    numbers = {
        name.replace("_", " "): count
        for name, count in counts.model_dump(exclude={"first", "last", "days"}).items()
        if count
    }
    words = ", ".join(f"{count:,} {name}" for name, count in numbers.items())
    return f"{counts.days:,} days from {counts.first} to {counts.last}: {words}"
