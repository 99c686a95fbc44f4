"""The command line: `ds-assets`.

Belongs here: words of the command line, and turning a user's mistake into one sentence. Everything
heavy is imported by the command that needs it: `--help` is instant.
"""

import datetime as dt
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ds_assets.errors import InputError, Unavailable

app = typer.Typer(
    help="Daily player predictions: from raw game logs to churn, payment and clusters.",
    epilog="Exit codes: 0 done; 2 a mistake in the input; 3 a server is unavailable, retry later.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys = typer.Typer(help="API keys: who may ask the API.", no_args_is_help=True)
app.add_typer(keys, name="keys")
Day = Annotated[dt.datetime, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
Share = Annotated[float, typer.Option(min=0.0, max=1.0, metavar="SHARE")]


def main() -> None:
    """Run the command line; an error that a user can act on is a message and an exit code."""
    try:
        app()
    except InputError as error:
        _exit(error, 2)
    except Unavailable as error:
        _exit(error, 3)


def _exit(error: Exception, code: int) -> NoReturn:
    typer.echo(f"ds-assets: {error}", err=True)
    sys.exit(code)


@app.command()
def check() -> None:
    """Check the environment and the game file, and say where everything lies."""
    from ds_assets.installation import load_installation  # noqa: PLC0415  (as all: see the module)

    found = load_installation()
    settings = found.settings
    typer.echo(f"game      {found.game.name} ({settings.game})")
    for name, place in settings.places().items():
        typer.echo(f"{name:<9} {place}")
    typer.echo("All settings are valid.")


@app.command()
def simulate(  # noqa: PLR0913, PLR0917  (options of a command line)
    users: Annotated[int, typer.Option(help="Accounts.")],
    days: Annotated[int, typer.Option(help="Days of logs.")],
    out: Annotated[Path, typer.Option(help="Folder to write: source/, truth/ and game.yaml.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    start: Day = dt.datetime(2026, 1, 1),  # noqa: DTZ001  (a day on the game's own clock)
    broken: Share = 0.0,
    duplicates: Share = 0.0,
    late: Share = 0.0,
    skewed: Share = 0.0,
    unknown_types: Share = 0.0,
    missing_day: Annotated[list[dt.datetime] | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    changed_from: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="From then on behaviour is different."
        ),
    ] = None,
    *,
    new_fields: Annotated[bool, typer.Option("--new-fields")] = False,
    groups_differ: Annotated[
        bool, typer.Option("--groups-differ", help="Each country has ways of its own.")
    ] = False,
) -> None:
    """Write the logs of a simulated game, with as much of a mess as asked for."""
    from ds_assets.simulate import SimulationOptions, simulate  # noqa: PLC0415

    with _as_mistakes(ValueError, OSError), _progress("simulating", days) as advance:
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
        )
        summary = simulate(options, out, advance)
    rate = summary.lines / summary.seconds
    typer.echo(f"{summary.lines:,} lines of {summary.days} days in {out}, {rate:,.0f} a second")
    typer.echo(f"injected: {summary.injected}")


@app.command()
def run(
    first: Annotated[dt.datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="FIRST_DAY")],
    last: Annotated[
        dt.datetime | None, typer.Argument(formats=["%Y-%m-%d"], metavar="[LAST_DAY]")
    ] = None,
) -> None:
    """Run the whole graph for a day, or for a range of days in one run."""
    import dagster as dg  # noqa: PLC0415

    from ds_assets.assets.prediction_outcomes import due  # noqa: PLC0415
    from ds_assets.definitions import build_defs  # noqa: PLC0415
    from ds_assets.installation import load_installation  # noqa: PLC0415
    from ds_assets.jobs import DAILY, OUTCOMES  # noqa: PLC0415
    from ds_assets.runs import materialize_days  # noqa: PLC0415

    installation, until = load_installation(), last or first
    defs = build_defs(installation)
    with _as_mistakes(dg.DagsterError):
        instance = dg.DagsterInstance.get()
    with instance:
        left_out = materialize_days(defs, DAILY, first.date(), until.date(), instance)
        judged, _ = due(installation.lake(), installation.game)
        if judged:
            materialize_days(defs, OUTCOMES, judged[0], judged[-1], instance)
    for sentence in left_out:
        typer.echo(f"left out: {sentence}", err=True)
    typer.echo(f"{first.date()} to {until.date()} are done")
    if judged:
        typer.echo(f"compared with what happened: predictions of {', '.join(map(str, judged))}")


@app.command()
def predict(user_ids: Annotated[list[str], typer.Argument(metavar="USER_ID...")]) -> None:
    """Answer what is predicted for users, a line of JSON each."""
    import asyncio  # noqa: PLC0415

    from ds_assets.installation import load_installation  # noqa: PLC0415
    from ds_assets.serving.sources import INTERACTIVE_TIMEOUT_S  # noqa: PLC0415

    async def ask() -> None:
        with load_installation().service(INTERACTIVE_TIMEOUT_S) as service:
            try:
                await service.refresh()
                for answer in await service.answer(user_ids):
                    typer.echo(answer.to_json().decode())
                if degraded := service.health().degraded:
                    typer.echo(f"down, and left out: {', '.join(degraded)}", err=True)
            finally:
                await service.close()

    asyncio.run(ask())


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen at.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
) -> None:
    """Answer over HTTP, until told to end. /docs says what can be asked."""
    from ds_assets.installation import load_installation  # noqa: PLC0415

    load_installation().serve(host, port, workers)


@keys.command()
def add(name: Annotated[str, typer.Argument(help="Who will use it.")]) -> None:
    """Make a key and show it, this once: only its hash is kept."""
    from ds_assets.installation import load_key_file  # noqa: PLC0415

    typer.echo(load_key_file().add(name))


@keys.command("list")
def list_keys() -> None:
    """Names of the keys, and the day on which each was made."""
    from ds_assets.installation import load_key_file  # noqa: PLC0415

    for key in load_key_file().read():
        typer.echo(f"{key.created} {key.name}")


@keys.command()
def revoke(name: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """Make a key worthless, within a second also where the API is running."""
    from ds_assets.installation import load_key_file  # noqa: PLC0415

    load_key_file().revoke(name)


@app.command()
def rebuild_cache() -> None:
    """Fill the cache again from the predictions in the lake."""
    from ds_assets.assets.prediction_cache import rebuild  # noqa: PLC0415
    from ds_assets.installation import load_installation  # noqa: PLC0415

    installation = load_installation()
    with installation.cache() as cache:
        puts = rebuild(installation.lake(), cache, installation.settings.cache_days)
    for day, put in puts.items():
        typer.echo(f"{day}: {put.written:,} users put, {put.kept_newer:,} have a newer day")


@app.command()
def demo(
    home: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path(
        ".demo"
    ),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the summary's numbers here.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 3000,
    *,
    serve: Annotated[bool, typer.Option(help="Serve the Dagster UI afterwards.")] = True,
    services: Annotated[
        bool, typer.Option("--services", help="On private servers: S3, Blob, MySQL and Redis.")
    ] = False,
) -> None:
    """A year of real daily logs through the whole graph, a summary, and the UI."""
    from ds_assets.demo.run import run_demo  # noqa: PLC0415

    run_demo(home.absolute(), json_file, port if serve else None, servers=services)


@contextmanager
def _as_mistakes(*kinds: type[Exception]) -> Iterator[None]:
    """Errors by which a library tells a user's mistake, as just that."""
    try:
        yield
    except kinds as error:
        raise InputError(str(error).partition("\nYou can resolve")[0]) from None


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
