"""`ds-assets run`."""

import datetime as dt
import time
from collections.abc import Iterable
from typing import Annotated

import dagster as dg
import typer

from ds_assets.core.day_ranges import list_days, list_ranges
from ds_assets.definitions import build_defs
from ds_assets.errors import NEEDS_A_PERSON, InputError
from ds_assets.graph_runs import GraphRun, GraphRunner, find_newest_day, find_unread_days
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.refresh import describe_changed_days, describe_days, find_changed_days
from ds_assets.installation import Installation, load_installation
from ds_assets.progress import open_progress
from ds_assets.runs import open_instance, refuse_other_days
from ds_assets.summary import print_summary, summarize

app = typer.Typer(add_completion=False)
_DAY = "%Y-%m-%d"


@app.command()
def run(
    first: Annotated[
        dt.datetime | None,
        typer.Argument(formats=[_DAY], metavar="[FIRST_DAY]", help="YYYY-MM-DD."),
    ] = None,
    last: Annotated[
        dt.datetime | None,
        typer.Argument(formats=[_DAY], metavar="[LAST_DAY]", help="FIRST_DAY if omitted."),
    ] = None,
    *,
    only_last: Annotated[
        bool,
        typer.Option("--last", help="Read the whole history, and predict its newest day only."),
    ] = False,
) -> None:
    """Run the whole graph for a day, for a range of days, or for the newest day alone."""
    started = time.monotonic()
    installation = load_installation()
    if text := installation.settings.missing_game:
        raise InputError(text)
    first_day, last_day = _choose_days(first, last, installation, only_last=only_last)
    defs = build_defs(installation)
    refuse_other_days(defs, first_day, last_day)
    _warn_of_changed_settings(installation)
    _announce_earlier_days(installation, first_day, last_day, only_last=only_last)
    with open_instance(installation.settings.home) as instance, open_progress() as progress:
        runner = GraphRunner(defs, installation, instance, progress)
        done = runner.run_last(last_day) if only_last else runner.run(first_day, last_day)
    _report(done)
    days = list_days(first_day, last_day)
    summary = summarize(installation, time.monotonic() - started, {*done.collected, *days})
    print_summary(summary, installation.settings.places())
    left_out = done.left_out
    if only_last:
        left_out += _prepare_next_days(installation, defs, last_day)
    if left_out or summary.refused:
        raise typer.Exit(NEEDS_A_PERSON)


def _choose_days(
    first: dt.datetime | None,
    last: dt.datetime | None,
    installation: Installation,
    *,
    only_last: bool,
) -> tuple[dt.date, dt.date]:
    if only_last:
        if last is not None:
            raise InputError("--last predicts one day: name that day, or none for the newest one")
        day = find_newest_day(installation) if first is None else first.date()
        return day, day
    if first is None:
        raise InputError("name a day, such as 2026-01-31, or a first and a last one; or use --last")
    return first.date(), (last or first).date()


def _warn_of_changed_settings(installation: Installation) -> None:
    changed = find_changed_days(open_records(installation.game, installation.lake()))
    if changed:
        typer.echo(f"warning: {describe_changed_days(changed, None)}", err=True)


def _announce_earlier_days(
    installation: Installation, first: dt.date, last: dt.date, *, only_last: bool
) -> None:
    unread = find_unread_days(installation, last)
    if earlier := [day for day in unread if day < first]:
        why = "models learn from them" if only_last else "features look back on them"
        days = list_ranges(earlier)
        typer.echo(f"the logs of {days} are read first: {why}", err=True)


def _prepare_next_days(installation: Installation, defs: dg.Definitions, day: dt.date) -> list[str]:
    """Make what models of the next days learn from, once the day itself is delivered."""
    typer.echo(f"\n{day} is delivered; what models of the next days learn from follows", err=True)
    with open_instance(installation.settings.home) as instance, open_progress() as progress:
        left_out = GraphRunner(defs, installation, instance, progress).prepare_next_days(day)
    _name_left_out(left_out)
    return left_out


def _report(done: GraphRun) -> None:
    _name_left_out(done.left_out)
    if done.refreshed:
        typer.echo(f"made again, as they look back on these days: {describe_days(done.refreshed)}")
    if done.compared:
        days = list_ranges(done.compared)
        typer.echo(f"compared with what happened afterwards: predictions of {days}")


def _name_left_out(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        typer.echo(f"left out: {sentence}", err=True)
