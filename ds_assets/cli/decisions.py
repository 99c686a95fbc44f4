"""Deciding about a day, for `ds-assets accept` and `ds-assets refuse`."""

import datetime as dt
from typing import Annotated, TypeAlias

import typer

from ds_assets.core.verdicts import Decision, Verdict
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.installation import Installation, operator_name

Day: TypeAlias = Annotated[
    dt.datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="DAY", help="YYYY-MM-DD.")
]


def decide(
    installation: Installation, day: dt.datetime, decision: Decision, reason: str
) -> Verdict:
    """Decide about a day of an installation as the user who runs this process."""
    return decide_by_operator(
        day.date(), decision, reason, operator_name(), installation.lake(), installation.game
    )
