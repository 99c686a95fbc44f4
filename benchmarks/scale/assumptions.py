"""What the plan takes as given: the size of the game and choices of the operator."""

from pydantic import BaseModel, ConfigDict, Field


class Assumptions(BaseModel):
    """Size of the game and choices of the operator; none of them was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    daily_players: float = Field(default=10_000_000, gt=0, description="players a day")
    events: float = Field(default=5_000_000_000, gt=0, description="events a day")
    active_users: float = Field(
        default=20_000_000,
        gt=0,
        description="active users: seen in the last 7 days (`active_days: 7`)",
    )
    cached_users: float = Field(
        default=25_000_000,
        gt=0,
        description="users in Redis: the active ones, and those not yet expired",
    )
    all_users: float = Field(
        default=100_000_000, gt=0, description="users that ever played, who have a lifetime"
    )
    bytes_per_event: float = Field(
        default=100, gt=0, description="compressed bytes per event in S3"
    )
    file_mb: float = Field(default=128, gt=0, description="compressed MB per raw file")
    hours: float = Field(
        default=1, gt=0, description="hours that each part of a day's run may take"
    )
    source_days: int = Field(default=30, gt=0, description="days of logs that S3 keeps")
    raw_days: int = Field(default=91, gt=0, description="`DS_ASSETS_RAW_DAYS`")
    table_days: int = Field(default=184, gt=0, description="`DS_ASSETS_TABLE_DAYS`")
    results_days: int = Field(default=30, gt=0, description="`DS_ASSETS_RESULTS_DAYS`")
    duplicate_days: int = Field(
        default=3,
        ge=0,
        description="`logs.duplicate_days`: days in which an event id is looked for",
    )
    window_days: int = Field(default=28, gt=0, description="longest window of the features")
    requests: float = Field(default=5, gt=0, description="requests per player and day")
    peak: float = Field(default=3, ge=1, description="requests in the busiest second over the mean")
    load: float = Field(
        default=0.7, gt=0, le=1, description="share of a worker's rate that is used"
    )
    reserve: float = Field(
        default=0.25, ge=0, lt=1, description="share of Redis's memory kept free"
    )
    replicas: int = Field(default=1, ge=0, description="replicas of each Redis node")
    redis_node_gib: float = Field(
        default=26.32, gt=0, description="GiB of a Redis node (cache.r7g.xlarge)"
    )
    run_machine_gb: float = Field(
        default=128, gt=0, description="GB of the machine that runs the graph (r7g.4xlarge)"
    )
