"""The `game.yaml` of the simulated game.

Scope: the description that the pipeline gets, and the numbers that it shares with the truth.
"""

import datetime as dt

from ds_assets.simulate.mess import CLOCK_SKEW_MINUTES, MAX_DAYS_LATE
from ds_assets.simulate.options import SimulationOptions

HORIZON_DAYS = 7
ACTIVE_DAYS = 14
WINDOWS, LONGER_WINDOWS = (1, 3, 7, 14, 28), (90, 180)
"""A longer window is for logs that are as long."""

_TEXT = """\
# A simulated game, seed {seed}. `truth/` next to this file has the best possible predictions;
# the pipeline does not read it.
name: Simulated game
first_day: {first_day}
last_day: {last_day}
time_zone: UTC

# One folder per day on which lines arrived.
logs:
  path: dt=%Y-%m-%d
  format: jsonl

# Field of each fact in a line; dots reach into nested objects.
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

# Numbers that are summed per user and day.
properties:
  minutes: props.minutes

# Facts about the user; the latest value counts.
attributes:
  country: {{field: user.country, type: text}}
  channel: {{field: user.channel, type: text}}
  level: {{field: user.level, type: number}}

# Users seen in this many days are active and get predictions.
active_days: {active_days}
# Days that a prediction looks ahead.
horizons: {{churn: {horizon}, payment: {horizon}}}
# Days to wait for late logs before a label counts as matured.
grace_days: {grace_days}
# Days that the features look back; rare buyers are predicted from purchases months ago.
windows: {windows}
# Events dated up to this long after the end of their arrival day are accepted.
clock_skew_minutes: {clock_skew}
# Cohorts of new users by channel, and what a new user of a channel costs.
cohorts: {{by: channel, cost_per_user: {{ads: 18, cross_promo: 45, referral: 4.5}}}}
clusters: {{min: 3, max: 8}}
# Groups that may get their own models: clusters, none, or an attribute such as country.
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
        grace_days=MAX_DAYS_LATE if options.late else 0,
        windows=[*WINDOWS, *(window for window in LONGER_WINDOWS if window <= options.days)],
        clock_skew=CLOCK_SKEW_MINUTES,
    )
