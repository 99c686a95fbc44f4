"""`ds-assets refresh`."""

from typing import Annotated

import typer

from ds_assets.core.game_settings import ACTIVITY, FEATURES, describe_key, find_changes, settings_of
from ds_assets.definitions import build_defs
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.refresh import (
    describe_days,
    describe_duration,
    find_changed_days,
    find_days_without_files,
    keep_changed_activity,
    keep_days_without_files,
)
from ds_assets.installation import Installation, load_installation, operator_name
from ds_assets.progress import open_progress
from ds_assets.runs import (
    estimate_duration,
    find_outdated_days,
    open_instance,
    refresh_days,
)

app = typer.Typer(add_completion=False)


@app.command()
def refresh(
    keep: Annotated[
        str, typer.Option(help="Why user_activity of another game.yaml stays as it is.")
    ] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Make the days again.")] = False,
) -> None:
    """Explain what a changed game.yaml means, and make outdated days again."""
    installation = load_installation()
    defs = build_defs(installation)
    game, lake = installation.game, installation.lake()
    with open_instance(installation.settings.home) as instance:
        if keep.strip():
            kept = keep_changed_activity(keep.strip(), operator_name(), game, lake)
            if kept:
                typer.echo(f"{describe_days(kept)} of user_activity stay as they are")
        for line in _explain_changes(installation):
            typer.echo(line)
        outdated = {asset: find_outdated_days(asset, game, lake) for asset in (ACTIVITY, FEATURES)}
        days = {day for of_asset in outdated.values() for day in of_asset}
        if duration := estimate_duration(instance, len(days)) if days else None:
            typer.echo(f"it takes about {describe_duration(duration)}, by earlier runs")
        if not yes:
            typer.echo("nothing was made again; `ds-assets refresh --yes` does it")
            return
        keep_days_without_files(game, lake)
        with open_progress() as progress:
            left_out = refresh_days(defs, installation, instance, progress)
    for sentence in left_out:
        typer.echo(f"left out: {sentence}", err=True)
    typer.echo("all days are made with the present game.yaml")


def _explain_changes(installation: Installation) -> list[str]:
    """A line for each changed key, and for the days that it concerns."""
    game, lake = installation.game, installation.lake()
    records = open_records(game, lake)
    now, changed = settings_of(game), find_changed_days(records)
    before = [version for version in (records.newest_settings(ACTIVITY),) if version]
    keys = {key for version in before for key in find_changes(version, now)}
    keys.update(key for part in changed for key in part.keys)
    lines = []
    for key in sorted(keys):
        declared = describe_key(key)
        effect = f"{declared.consequence} ({declared.effect})" if declared else "not known"
        lines.append(f"{key}: {effect}")
    lines += [f"to be made again: {part}" for part in changed]
    if gone := find_days_without_files(records.changed_days(ACTIVITY), lake):
        lines.append(f"{describe_days(gone)} stay as they are, because their raw files are gone")
    outdated = find_outdated_days(FEATURES, game, lake)
    if outdated:
        lines.append(f"to be made again from features on: {describe_days(outdated)}")
    return lines or ["game.yaml has not changed"]
