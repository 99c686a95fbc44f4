"""Dagster's definitions: assets, checks, jobs, sensors and resources, put together."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from ds_assets import checks
from ds_assets.assets import (
    cluster_profiles,
    clusters,
    cohorts,
    effect_models,
    prediction_cache,
    prediction_outcomes,
    predictions,
    promotion_changes,
    promotion_results,
    promotion_shown,
    promotions,
    raw_logs,
    rds_results,
    target_model,
    user_activity,
    user_effects,
    user_features,
    user_lifetimes,
)
from ds_assets.core.targets import targets_of
from ds_assets.game import Game
from ds_assets.installation import Installation, load_installation
from ds_assets.jobs import (
    accept_day,
    collect_logs,
    daily_predictions,
    deliver_again,
    examine_logs,
    judge_predictions,
    predict_again,
    promotion_decisions,
    refresh,
    refuse_day,
    remove_expired_days,
    serve_predictions,
)
from ds_assets.resources import resources_of
from ds_assets.schedules import daily_retention
from ds_assets.sensors.log_source import log_source_sensor
from ds_assets.sensors.sensor import raw_files_sensor
from ds_assets.settings import Settings

_ASSETS = (
    raw_logs,
    user_activity,
    user_lifetimes,
    user_features,
    cohorts,
    clusters,
    predictions,
    cluster_profiles,
    rds_results,
    prediction_cache,
    prediction_outcomes,
)


def build_defs(
    installation: Installation, overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Assemble the definitions.

    Args:
        installation: Its settings and its game.
        overrides: Resources by name that replace those of the settings.
    """
    settings, game = installation.settings, installation.game
    collect, predict, again = collect_logs(), daily_predictions(), predict_again()
    deliver, judge = deliver_again(), judge_predictions()
    remove = remove_expired_days(game, installation.retention)
    with warnings.catch_warnings():
        # Backfill policies and partition mappings before the first day are beta in Dagster 1.13
        # without an alternative; the warning would be of no use to users.
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        return dg.Definitions(
            assets=[_show_technologies(asset, settings) for asset in _build_assets(game)],
            asset_checks=checks.build(game),
            jobs=[
                *(collect, predict, again, deliver, judge),
                *(accept_day(game), refuse_day(game), refresh(game), serve_predictions(game)),
                *(examine_logs(installation), remove, *promotion_decisions(game)),
            ],
            schedules=[daily_retention(remove, game, settings, installation.retention)],
            sensors=[
                log_source_sensor(game, collect, settings),
                raw_files_sensor(game, predict, again, deliver, judge),
            ],
            resources=resources_of(installation) | dict(overrides or {}),
            # One process per run: starting one for each asset takes longer than most assets.
            executor=dg.in_process_executor,
        )


def _build_assets(game: Game) -> Iterator[dg.AssetsDefinition]:
    yield from (module.build(game) for module in _ASSETS)
    yield from (target_model.build(target, game) for target in targets_of(game).values())
    if game.promotions:
        assigned = (effect_models, user_effects, promotions)
        acted_on = (promotion_changes, promotion_shown, promotion_results)
        yield from (module.build(game) for module in (*assigned, *acted_on))


def _show_technologies(asset: dg.AssetsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """The asset with what its resources run on, among its kinds, in place of their names."""
    technologies = settings.technologies()

    def show(spec: dg.AssetSpec) -> dg.AssetSpec:
        kinds = {technologies.get(kind, kind) for kind in spec.kinds}
        return spec.replace_attributes(kinds=kinds)

    return asset.map_asset_specs(show)


def installed_defs() -> dg.Definitions:
    """The definitions of the installation that the environment describes.

    Raises:
        InputError: a setting or the game file is not valid.
    """
    return build_defs(load_installation())


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions that Dagster loads."""
    return installed_defs()
