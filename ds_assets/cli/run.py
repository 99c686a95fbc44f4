"""`ds-assets run`."""

import datetime as dt
from typing import Annotated

import typer

from ds_assets.cli.progress import Progress
from ds_assets.definitions import build_defs
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.refresh import describe_changed_days, describe_days, find_changed_days
from ds_assets.installation import load_installation
from ds_assets.runs import open_instance, run_graph

app = typer.Typer()
_DAY = "%Y-%m-%d"


@app.command()
def run(
    first: Annotated[dt.datetime, typer.Argument(formats=[_DAY], metavar="FIRST_DAY")],
    last: Annotated[
        dt.datetime | None, typer.Argument(formats=[_DAY], metavar="[LAST_DAY]")
    ] = None,
) -> None:
    """Run the whole graph for a day, or for a range of days in one run."""
    installation, until = load_installation(), last or first
    defs = build_defs(installation)
    changed = find_changed_days(open_records(installation.game, installation.lake()))
    if changed:
        typer.echo(f"warning: {describe_changed_days(changed, None)}", err=True)
    with open_instance(installation.settings.home) as instance, Progress() as progress:
        done = run_graph(
            defs, installation, first.date(), until.date(), instance, progress.report_step
        )
    for sentence in done.left_out:
        typer.echo(f"left out: {sentence}", err=True)
    typer.echo(f"{first.date()} to {until.date()} done")
    if done.refreshed:
        typer.echo(f"made again, as they look back on these days: {describe_days(done.refreshed)}")
    if done.compared:
        days = ", ".join(map(str, done.compared))
        typer.echo(f"compared with what happened afterwards: predictions of {days}")
