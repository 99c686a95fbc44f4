"""`ds-assets import-logs`."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ds_assets.core.day_ranges import list_ranges
from ds_assets.core.events import LEFT_OUT
from ds_assets.errors import NEEDS_A_PERSON, InputError
from ds_assets.game import Game
from ds_assets.infra.log_import import UNDATED, Import, ReportBytes, list_files, open_importer
from ds_assets.installation import Installation, load_installation
from ds_assets.onboarding.guess import printable
from ds_assets.progress import ReportDays, open_progress

app = typer.Typer(add_completion=False)
_MEGABYTE = 1_000_000
_SHOWN_LENGTH = 100


@app.command("import-logs")
def import_logs(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="Logs of any number of days.")
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to, instead of that of the log source.")
    ] = None,
) -> None:
    """Split log files that hold many days into files of days, in the log source."""
    installation = load_installation()
    game, place = installation.game, _choose_place(out, paths, installation)
    files = list_files(paths)
    limit = installation.settings.memory_limit_mb
    with open_importer(game, place, limit) as importer, open_progress(unit="MB") as progress:
        for name, path in files.items():
            size = 1 + path.stat().st_size // _MEGABYTE
            with progress.tracking(name, size) as report:
                importer.add(name, path, _in_megabytes(report))
                report(size)
    problems = [*find_problems(importer.result, game, place)]
    typer.echo(_summarize(importer.result, len(files), place))
    for sentence in problems:
        typer.echo(f"warning: {sentence}", err=True)
    if problems:
        raise typer.Exit(NEEDS_A_PERSON)


def _in_megabytes(report: ReportDays) -> ReportBytes:
    return lambda done: report(done // _MEGABYTE)


def _choose_place(out: Path | None, paths: list[Path], installation: Installation) -> Path:
    settings = installation.settings
    if out is None and settings.source_url:
        raise InputError(
            f"the log source is {settings.source_url}; write to a folder with --out, and copy what "
            "is in it there"
        )
    place = (out or settings.source).resolve()
    for path in paths:
        if path.is_dir() and path.resolve() in {place, *place.parents}:
            raise InputError(
                f"the files of days would be written into {path} itself; name the files in it, or "
                "another folder with --out"
            )
    return place


def _summarize(result: Import, files: int, place: Path) -> str:
    text = f"{_count(result.lines.total(), 'line')} of {_count(files, 'file')}"
    if not result.lines:
        return f"{text}, none of which has a day"
    changes = ", ".join(f"{count:,} {change}" for change, count in sorted(result.files.items()))
    days = f"{_count(len(result.lines), 'day')} from {min(result.lines)} to {max(result.lines)}"
    return f"{text}, now in files of {days} in {place}: {changes}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def find_problems(result: Import, game: Game, place: Path) -> Iterator[str]:
    """Yield a sentence for each thing that is not as it should be after an import."""
    for name, reason in result.damaged.items():
        yield f"{name} is not imported: {reason}"
    for (name, reason), undated in result.undated.items():
        if reason != LEFT_OUT:
            yield (
                f"{name}: lines without a day because of {reason!r}: {undated.lines:,}, kept in "
                f"{place / UNDATED}; the first is line {undated.line:,}: {_show(undated.content)}"
            )
    for name, days in result.earlier.items():
        yield (
            f"{name} of {list_ranges(days)} is of an earlier import, and this one has no lines of "
            "those days; delete it there unless both count"
        )
    yield from _describe_days_without_use(result, game)
    if (marker := game.logs.marker) and (waiting := _find_unmarked(result, game, place, marker)):
        yield (
            f"{list_ranges(waiting)} are collected when {marker} is in their folders; the import "
            "does not write it"
        )


def _describe_days_without_use(result: Import, game: Game) -> Iterator[str]:
    days = sorted(result.lines)
    for key, own, unused in (
        ("first_day", game.first_day, [day for day in days if day < game.first_day]),
        ("last_day", game.last_day, [day for day in days if day > (game.last_day or day)]),
    ):
        if unused:
            end = unused[0 if key == "first_day" else -1]
            yield (
                f"{list_ranges(unused)} will not be collected, because {key} is {own}; set it to "
                f"{end} to use them"
            )


def _find_unmarked(result: Import, game: Game, place: Path, marker: str) -> list[dt.date]:
    days = sorted(result.lines)
    return [day for day in days if not (place / game.log_path.fill(day) / marker).is_file()]


def _show(content: str) -> str:
    text = printable(content[:_SHOWN_LENGTH])
    return f"{text.strip()}{'…' * (len(content) > _SHOWN_LENGTH)}"
