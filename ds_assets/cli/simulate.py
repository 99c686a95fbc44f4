"""`ds-assets simulate`."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from ds_assets.errors import InputError
from ds_assets.simulate import ProgressCallback, SimulationOptions, simulate
from ds_assets.simulate.offer_plan import NO_OFFERS, read_offer_plan

app = typer.Typer(add_completion=False)
_DAY = "%Y-%m-%d"
Day = Annotated[
    dt.datetime, typer.Option(formats=[_DAY], metavar="YYYY-MM-DD", help="First day of logs.")
]


def _share(text: str) -> Any:
    """An option that is a share of a day's events."""
    return typer.Option(min=0.0, max=1.0, metavar="SHARE", help=text)


@app.command("simulate")
def write_logs(  # noqa: PLR0913, PLR0917  (options of a command line)
    users: Annotated[int, typer.Option(help="Number of accounts.")],
    days: Annotated[int, typer.Option(help="Days of logs.")],
    out: Annotated[Path, typer.Option(help="Folder to write: source/, truth/ and game.yaml.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    start: Day = dt.datetime(2026, 1, 1),  # noqa: DTZ001  (a day on the game's own clock)
    broken: Annotated[
        float, _share("Share of events with a broken line beside the good one.")
    ] = 0.0,
    duplicates: Annotated[float, _share("Share of events whose line is written twice.")] = 0.0,
    late: Annotated[float, _share("Share of events that arrive one to three days later.")] = 0.0,
    skewed: Annotated[float, _share("Share of events dated past their arrival day.")] = 0.0,
    unknown_types: Annotated[
        float, _share("Share of events that one of a type follows that game.yaml lacks.")
    ] = 0.0,
    missing_day: Annotated[
        list[dt.datetime] | None,
        typer.Option(formats=[_DAY], metavar="YYYY-MM-DD", help="A day without a folder."),
    ] = None,
    changed_from: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=[_DAY], metavar="YYYY-MM-DD", help="Behaviour changes from this day on."
        ),
    ] = None,
    offers: Annotated[
        Path | None,
        typer.Option(
            help="CSV file of offers in effect, to which users respond: user_id, offer (retention "
            "or sale), from, until. truth/ then has the effect of each kind on each user."
        ),
    ] = None,
    *,
    new_fields: Annotated[
        bool, typer.Option("--new-fields", help="Events get more fields in the middle of the days.")
    ] = False,
    groups_differ: Annotated[
        bool, typer.Option("--groups-differ", help="Users of each country behave differently.")
    ] = False,
) -> None:
    """Write the logs of a simulated game, as messy as you ask for."""
    try:
        options = SimulationOptions(
            users=users,
            days=days,
            seed=seed,
            start=start.date(),
            broken=broken,
            duplicates=duplicates,
            late=late,
            skewed=skewed,
            unknown_types=unknown_types,
            missing_days=tuple(day.date() for day in missing_day or ()),
            new_fields=new_fields,
            groups_differ=groups_differ,
            changed_from=None if changed_from is None else changed_from.date(),
            effects=offers is not None,
        )
        plan = NO_OFFERS if offers is None else read_offer_plan(offers)
        with _progress_bar(days) as progress:
            summary = simulate(options, out, progress, plan)
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from None
    rate = summary.lines / summary.seconds
    typer.echo(f"{summary.lines:,} lines of {summary.days} days in {out}, {rate:,.0f} a second")
    typer.echo(f"injected: {summary.injected}")


@contextmanager
def _progress_bar(days: int) -> Iterator[ProgressCallback]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("simulating", total=days)
        yield lambda done: progress.update(task, completed=done)
