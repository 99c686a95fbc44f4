"""The `game.yaml` of the simulated game.

Belongs here: what the pipeline is told of the simulated game, and the numbers that the truth must
share with it.
"""

import datetime as dt

from ds_assets.simulate.mess import CLOCK_SKEW_MINUTES, MOST_DAYS_LATE
from ds_assets.simulate.options import SimulationOptions

HORIZON_DAYS = 7
ACTIVE_DAYS = 14
WINDOWS, LONGER_WINDOWS = (1, 3, 7, 14, 28), (90, 180)
"""A longer window is for logs that are as long."""

_TEXT = """\
# A simulated game, seed {seed}. `truth/` beside this file holds what nobody could know better;
# the pipeline does not read it.
name: Simulated game
first_day: {first_day}
last_day: {last_day}
time_zone: UTC

# A folder a day, by the day on which the lines arrived.
logs:
  path: dt=%Y-%m-%d
  format: jsonl

# Where each fact stands in a line; dots reach into nested objects.
fields:
  user_id: user.id
  event_time: ts
  event_type: type
  event_id: id
  amount: amount

events:
  activity: [session_start]
  purchases: [purchase]
  sessions: [session_start]
  counted: [stage_clear, level_up, ad_view, gacha_draw]

# Numbers that are summed a user and day.
properties:
  minutes: props.minutes

# Facts about the user; the latest value counts.
attributes:
  country: {{field: user.country, type: text}}
  channel: {{field: user.channel, type: text}}
  level: {{field: user.level, type: number}}

# Who was seen in this many days is active and gets predictions.
active_days: {active_days}
# Days that a prediction looks ahead.
horizons: {{churn: {horizon}, payment: {horizon}}}
# Days to wait for late logs before a label counts as matured.
grace_days: {grace_days}
# Days that the features look back; who buys seldom is known by what was bought months ago.
windows: {windows}
# Events dated up to this long after their arrival day's end are taken.
clock_skew_minutes: {clock_skew}
clusters: {{min: 3, max: 8}}
# Groups that may have models of their own: clusters, none, or an attribute such as country.
user_groups: clusters
"""


def game_file(options: SimulationOptions) -> str:
    """Text of the `game.yaml` that describes the logs of a simulation."""
    return _TEXT.format(
        seed=options.seed,
        first_day=options.start,
        last_day=options.start + dt.timedelta(options.days - 1),
        active_days=ACTIVE_DAYS,
        horizon=HORIZON_DAYS,
        grace_days=MOST_DAYS_LATE if options.late else 0,
        windows=[*WINDOWS, *(one for one in LONGER_WINDOWS if one <= options.days)],
        clock_skew=CLOCK_SKEW_MINUTES,
    )
