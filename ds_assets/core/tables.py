"""The stored tables: every column declared once, with its type, unit and meaning.

The Parquet schema, the SQL DDL, the table schema in the UI and the documentation come from here.
How a column is computed is in the modules that fill it.
"""

from ds_assets.core.schema import Column, Table
from ds_assets.core.targets import BUILT_IN, EXPECTED_SPEND, SPEND_HIGH, SPEND_LOW

EVENT_IDS = Table(
    "event_ids",
    (
        Column("event_key", "integer", "Hash of an event's id, and of its user."),
        Column("probe", "integer", "Hash of a fixed text: equal for days that can be compared."),
    ),
    ("event_key",),
    "The ids of the events that arrived on a day, each once.",
)

QUARANTINE = Table(
    "quarantine",
    (
        Column("file", "text", "Name of the raw file, below its day."),
        Column(
            "line", "integer", "Line in that file, from 1; none for a whole file.", nullable=True
        ),
        Column("reason", "text", "Why the line was not used."),
        Column("content", "text", "The line, its first 10,000 characters.", nullable=True),
    ),
    ("file", "line"),
    "Lines of a day that are not used, and why.",
)

CLUSTERS = Table(
    "clusters",
    (
        Column("user_id", "text", "The user."),
        Column("cluster", "integer", "Id of the user's cluster; it stays the same over days."),
        Column("cluster_name", "text", "What sets the cluster apart."),
        Column("distance", "real", "Distance to the cluster's centre, in scaled features."),
    ),
    ("user_id",),
    "The cluster of each active user.",
)

PREDICTIONS = Table(
    "predictions",
    (
        Column("user_id", "text", "The user."),
        Column("as_of", "date", "Day at whose end the prediction was made."),
        Column("last_seen", "date", "Day on which the user was last active.", nullable=True),
        *(
            Column(
                target.probability_column,
                "real",
                f"Chance of {target.wording.outcome} in the {target.name} horizon; "
                "none where data is not enough.",
                nullable=True,
            )
            for target in BUILT_IN
        ),
        *(
            Column(
                target.amount_column,
                "real",
                f"Spend to expect in the {target.name} horizon; none where data is not enough.",
                nullable=True,
            )
            for target in BUILT_IN
            if target.amount_column is not None
        ),
        Column("cluster", "integer", "Id of the user's cluster.", nullable=True),
        Column("cluster_name", "text", "What sets the cluster apart.", nullable=True),
        Column(
            "user_group", "text", "Group of the user, for which models are made.", nullable=True
        ),
        *(
            Column(
                target.reasons_column,
                "json",
                f"The three strongest reasons of the chance of {target.wording.event}, as JSON.",
                nullable=True,
            )
            for target in BUILT_IN
        ),
        *(
            Column(
                target.missing_column,
                "text",
                f"What data a trained {target.name} model lacks, and when it will be enough; none "
                "where there is one. With a probability, that is an early one.",
                nullable=True,
            )
            for target in BUILT_IN
        ),
        *(
            Column(
                target.model_column,
                "text",
                f"Version of the {target.name} model; begins with early- for an early one.",
                nullable=True,
            )
            for target in BUILT_IN
        ),
        Column("cluster_model", "text", "Version of the cluster model.", nullable=True),
        *(
            Column(
                name,
                "real",
                f"{end} end of the 80 % interval of an early {target.probability_column}; none "
                "from a trained model.",
                nullable=True,
                is_recent=True,
            )
            for target in BUILT_IN
            for end, name in (("Lower", target.low_column), ("Upper", target.high_column))
        ),
        *(
            Column(
                target.days_left_column,
                "integer",
                "Median of the open days to the last active day before the user leaves; 0 if the "
                f"chance of {target.wording.event} is one half or more, none without a trained "
                "model, and where the median is further away than the history shows.",
                nullable=True,
                is_recent=True,
            )
            for target in BUILT_IN
            if target.days_left_column is not None
        ),
    ),
    ("as_of", "user_id"),
    "What is predicted of each active user.",
)

TARGET_PREDICTIONS = Table(
    "target_predictions",
    (
        Column("as_of", "date", "Day at whose end the prediction was made."),
        Column("user_id", "text", "The user."),
        Column("target", "text", "Name of the target in game.yaml; spend_30 for spend in 30 days."),
        Column(
            "probability",
            "real",
            "Chance that the target is reached in its horizon, of a purchase for spend; "
            "none where data is not enough.",
            nullable=True,
        ),
        Column(
            "reasons", "json", "The three strongest reasons of that chance, as JSON.", nullable=True
        ),
        Column(
            "missing",
            "text",
            "What data is missing for a prediction, and when it will be enough; "
            "none where there is one.",
            nullable=True,
        ),
        Column("model", "text", "Version of the target's model.", nullable=True),
        Column(
            EXPECTED_SPEND,
            "real",
            "Spend to expect in the horizon; none where it is not predicted.",
            nullable=True,
            is_recent=True,
        ),
        Column(
            SPEND_LOW,
            "real",
            "Lower end of the interval that contains a user's spend with a probability of 80 %.",
            nullable=True,
            is_recent=True,
        ),
        Column(
            SPEND_HIGH,
            "real",
            "Upper end of that interval.",
            nullable=True,
            is_recent=True,
        ),
    ),
    ("as_of", "user_id", "target"),
    "Predictions of the targets and horizons of spend of game.yaml, for each active user.",
)
"""Targets are rows, because columns would change with the game file."""

PREDICTED_NUMBERS = (
    *(target.probability_column for target in BUILT_IN),
    *(target.amount_column for target in BUILT_IN if target.amount_column is not None),
)
"""Columns of `PREDICTIONS` whose average says something about a group of users."""

MODEL_VERSIONS = (*(target.model_column for target in BUILT_IN), "cluster_model")
"""Columns of `PREDICTIONS` that name the models of a day."""

CLUSTER_PROFILES = Table(
    "cluster_profiles",
    (
        Column("as_of", "date", "Day at whose end the users were clustered."),
        Column("cluster", "integer", "Id of the cluster; it stays the same over days."),
        Column("cluster_name", "text", "What sets the cluster apart."),
        Column("users", "integer", "Users in it."),
        Column("share", "real", "Share of the day's users that are in it."),
        Column(
            "stayed",
            "integer",
            "Users who were in it a week before, too; none without clusters then.",
            nullable=True,
        ),
        Column(
            "came",
            "integer",
            "Users who were elsewhere a week before; none without clusters then.",
            nullable=True,
        ),
        Column(
            "went",
            "integer",
            "Users of a week before who are elsewhere now; none without clusters then.",
            nullable=True,
        ),
        *(
            Column(
                target.probability_column,
                "real",
                f"Mean chance of {target.wording.outcome} in the {target.name} horizon; "
                "none where data is not enough.",
                nullable=True,
            )
            for target in BUILT_IN
        ),
        *(
            Column(
                target.amount_column,
                "real",
                "Mean of the spend that is expected of a user; none where it is not predicted.",
                nullable=True,
            )
            for target in BUILT_IN
            if target.amount_column is not None
        ),
        Column(
            "active_days",
            "real",
            "Mean active days in the shortest window of four weeks or more, else in the longest.",
        ),
        Column("payers", "real", "Share of its users with a purchase in that window."),
        Column("spend", "real", "Mean spend in that window."),
        Column(
            "typical_values",
            "text",
            "Medians as JSON: feature, then the cluster's and that of all users.",
        ),
        Column(
            "target_probabilities",
            "json",
            "Mean probability of each of the game's own targets, as JSON; none without targets.",
            nullable=True,
            is_recent=True,
        ),
    ),
    ("as_of", "cluster"),
    "The clusters of each day: size, typical values, what is predicted of their users.",
)

COHORTS = Table(
    "cohorts",
    (
        Column("as_of", "date", "Day on which the changes became known."),
        Column(
            "cohort",
            "date",
            "First day of the week of the users' first active day; the first day of the game in "
            "its first week.",
        ),
        Column(
            "value",
            "text",
            "Value of the attribute in cohorts.by of game.yaml, all without one, unknown, or other "
            "beyond the largest.",
        ),
        Column("age_days", "integer", "Days since each user's own first active day."),
        Column("users", "integer", "Users that joined the cohort, less those that left it."),
        Column("active_users", "integer", "Users that were active at the age."),
        Column("payers", "integer", "Users whose first purchase was at the age."),
        Column("purchases", "integer", "Purchases at the age."),
        Column("spend", "real", "Spend at the age."),
        Column(
            "cost_per_user",
            "real",
            "What a new user cost as of the day; none where game.yaml has no cost.",
            nullable=True,
        ),
    ),
    ("as_of", "cohort", "value", "age_days"),
    "What each day adds to cohorts of users: sums over days are the cohorts as known at the last "
    "of them. Late events, and users that move to another cohort, make rows that take something "
    "back.",
)

MODEL_METRICS = Table(
    "model_metrics",
    (
        Column("as_of", "date", "Day at whose end the model was made."),
        Column("target", "text", "Target that the model predicts."),
        Column(
            "contender",
            "text",
            "What was measured: delivered, global, champion, challenger, "
            "logistic_regression, early or recency.",
        ),
        Column(
            "segment",
            "text",
            "Users that it was measured on: all, first_week, or a group such as cluster=3.",
        ),
        Column("snapshot", "date", "Validation snapshot."),
        Column("measure", "text", "What was measured, as auc, pr_auc or brier."),
        Column("users", "integer", "Users of the segment in that snapshot."),
        Column("positives", "integer", "Number of positive labels."),
        Column("value", "real", "What was found."),
        Column(
            "low",
            "real",
            "Lower end of its 95 % bootstrap interval over users; none where there is no interval.",
            nullable=True,
        ),
        Column(
            "high",
            "real",
            "Upper end of its 95 % bootstrap interval over users; none where there is no interval.",
            nullable=True,
        ),
    ),
    ("as_of", "target", "contender", "segment", "snapshot", "measure"),
    "How the models of each day were validated, a row for each measure.",
)

PREDICTION_OUTCOMES = Table(
    "prediction_outcomes",
    (
        Column("as_of", "date", "Day of the predictions."),
        Column("target", "text", "Target that was predicted."),
        Column("segment", "text", "Whom they were about: all, or a group as cluster=3."),
        Column("users", "integer", "Users with a prediction whose horizon has passed."),
        Column("predicted", "real", "Mean probability that was delivered."),
        Column("happened", "real", "Share of positive outcomes."),
        Column(
            "predicted_spend",
            "real",
            "Mean spend that was delivered; none where none was predicted.",
            nullable=True,
        ),
        Column(
            "spend",
            "real",
            "Mean spend in the horizon; none where none was predicted.",
            nullable=True,
        ),
        Column(
            "auc",
            "real",
            "Area under the ROC curve of what was delivered; none where all had the same outcome.",
            nullable=True,
        ),
        Column(
            "auc_low",
            "real",
            "Lower end of the 95 % bootstrap interval over users of auc.",
            nullable=True,
        ),
        Column(
            "auc_high",
            "real",
            "Upper end of the 95 % bootstrap interval over users of auc.",
            nullable=True,
        ),
        Column(
            "brier",
            "real",
            "Mean squared difference of probability and outcome; none where it was not measured.",
            nullable=True,
        ),
        Column(
            "log_loss",
            "real",
            "Mean negative logarithm of the probability of what happened; "
            "none where it was not measured.",
            nullable=True,
        ),
        Column(
            "ece",
            "real",
            "Expected calibration error, from 0 to 1; none where it was not measured.",
            nullable=True,
        ),
        Column(
            "promised_auc_low",
            "real",
            "Lower end of the auc that the model card promised.",
            nullable=True,
        ),
        Column(
            "promised_auc_high",
            "real",
            "Upper end of the auc that the model card promised.",
            nullable=True,
        ),
        Column(
            "promised_happened_low",
            "real",
            "Lower end of the share that the predictions promised.",
            nullable=True,
        ),
        Column(
            "promised_happened_high",
            "real",
            "Upper end of the share that the predictions promised.",
            nullable=True,
        ),
        Column(
            "drift",
            "real",
            "Largest PSI of a feature against the training snapshots.",
            nullable=True,
        ),
        Column("verdict", "text", "How it went: as_promised, outside, useless or too_few_users."),
        Column(
            "spend_ratio",
            "real",
            "Total spend divided by the predicted total; none where it was not measured.",
            nullable=True,
            is_recent=True,
        ),
        Column(
            "spend_ratio_low",
            "real",
            "Lower end of the 95 % bootstrap interval over users of spend_ratio.",
            nullable=True,
            is_recent=True,
        ),
        Column(
            "spend_ratio_high",
            "real",
            "Upper end of the 95 % bootstrap interval over users of spend_ratio.",
            nullable=True,
            is_recent=True,
        ),
        Column(
            "spend_verdict",
            "text",
            "Whether total spend is within noise: as_predicted, more_than_predicted, "
            "less_than_predicted or too_few_users; none where none was predicted.",
            nullable=True,
            is_recent=True,
        ),
    ),
    ("as_of", "target", "segment"),
    "The outcomes of the predictions of each day, once their horizon has passed.",
)

_PROMOTION = Column("promotion", "text", "Name of the promotion in game.yaml.")
_ARM = Column("arm", "text", "What the user gets: treated, control, as_before or holdout.")
_OFFER = Column(
    "offer", "text", "Name that a client shows; none for control and holdout.", nullable=True
)
_ASSIGNMENT_ID = Column(
    "assignment_id", "text", "Id of the assignment, the same whenever it is made."
)

PROMOTIONS = Table(
    "promotions",
    (
        Column("as_of", "date", "Day on which the user was assigned."),
        Column("user_id", "text", "The user."),
        _PROMOTION,
        Column(
            "version",
            "text",
            "Hash of what defines the users that are compared: who, shares, target and offer.",
        ),
        _ARM,
        _OFFER,
        _ASSIGNMENT_ID,
        Column("until", "date", "Last day on which the assignment is in effect."),
        Column("chosen_by", "text", "What chose the user: rule, policy, exploration or outside."),
        Column(
            "weight",
            "real",
            "Users who qualify that the user stands for: more than one if chosen by exploration.",
        ),
        *(
            Column(
                target.probability_column,
                "real",
                f"Chance of {target.wording.outcome} as of the day; none if it is not predicted.",
                nullable=True,
            )
            for target in BUILT_IN
        ),
        Column(
            EXPECTED_SPEND,
            "real",
            "Spend to expect as of the day; none where it is not predicted.",
            nullable=True,
        ),
        Column(
            "target_probability",
            "real",
            "Chance of the promotion's target as of the day; none where it is not predicted.",
            nullable=True,
        ),
        Column("cluster", "integer", "Id of the user's cluster as of the day.", nullable=True),
        Column("cluster_name", "text", "What sets the cluster apart.", nullable=True),
        Column(
            "user_group", "text", "Group of the user, for which models are made.", nullable=True
        ),
        Column(
            "cost", "real", "Cost of the offer in the currency of the reports; 0 without an offer."
        ),
    ),
    ("as_of", "user_id", "promotion"),
    "The users that each promotion was assigned to on a day, with those that are kept without it.",
)

USER_EFFECTS = Table(
    "user_effects",
    (
        Column("as_of", "date", "Day as of which the effect is predicted."),
        Column("user_id", "text", "A user who qualifies for the promotion."),
        _PROMOTION,
        Column("model_version", "text", "Version of the effect models."),
        Column("effect", "real", "How much likelier the promotion makes what is wanted."),
        Column("effect_low", "real", "Lower end of the 95 % interval of the mean effect."),
        Column("effect_high", "real", "Upper end of that interval."),
        Column("spend_effect", "real", "Effect on spend; none without a model.", nullable=True),
        Column("spend_effect_low", "real", "Lower end of its 95 % interval.", nullable=True),
        Column("spend_effect_high", "real", "Upper end of that interval.", nullable=True),
        Column("profit", "real", "Expected profit of treating the user: effects less the cost."),
        Column(
            "treats",
            "boolean",
            "Whether the policy treats the user; none while the rule chooses all who qualify.",
            nullable=True,
        ),
        Column("reasons", "json", "What makes the effect larger or smaller than that on others."),
    ),
    ("as_of", "user_id", "promotion"),
    "The effect that a promotion is expected to have on each user who qualifies.",
)

PROMOTION_OUTCOMES = Table(
    "promotion_outcomes",
    (
        Column("as_of", "date", "Day on which the users were first assigned."),
        Column("promotion", "text", "Name of the promotion; all for all of them together."),
        Column("version", "text", "Version of the promotion."),
        Column("segment", "text", "Users that are counted: all, or a group such as cluster=3."),
        Column("arm", "text", "What they get: treated, control or as_before."),
        Column("outcome", "text", "What was measured: churn, payment, spend, cost, profit, shown."),
        Column("users", "integer", "Users that were assigned to the promotion for the first time."),
        Column("mean", "real", "Mean of the outcome."),
        Column("variance", "real", "Sample variance of the outcome."),
        Column("covariate_mean", "real", "Mean of what was predicted before; 0 without it."),
        Column("covariate_variance", "real", "Sample variance of what was predicted before."),
        Column("covariance", "real", "Sample covariance of the outcome and the prediction."),
        Column("target", "text", "The outcome that the promotion is meant to change."),
        Column("detects", "real", "Smallest difference of it that a result must be able to show."),
        Column(
            "share",
            "real",
            "Planned share of the arm; none where another program has assigned.",
            nullable=True,
        ),
        Column("ends", "date", "Last day of assignments; none without an end.", nullable=True),
    ),
    ("as_of", "promotion", "version", "segment", "arm", "outcome"),
    "The outcomes of the users that a promotion was first assigned to on a day, as moments.",
)

PROMOTION_RESULTS = Table(
    "promotion_results",
    (
        Column("as_of", "date", "Last day of assignments whose outcomes are known."),
        Column(
            "promotion",
            "text",
            "Name of the promotion; all for all of them together against the holdout.",
            max_length=48,
        ),
        Column("version", "text", "Version of the promotion.", max_length=64),
        Column(
            "analysis",
            "text",
            "Users that the effect is on: assigned, or shown for those who saw the offer.",
            max_length=16,
        ),
        Column("segment", "text", "Users that are compared: all, or a group such as cluster=3."),
        Column(
            "outcome",
            "text",
            "What is compared: churn, payment, a target, spend, cost or profit of each user.",
            max_length=48,
        ),
        Column(
            "arm", "text", "What is compared with control: treated or as_before.", max_length=16
        ),
        Column("users_treated", "integer", "Users in the arm, each counted once."),
        Column("users_control", "integer", "Users in control, each counted once."),
        Column(
            "value_treated",
            "real",
            "Mean of the arm, as observed.",
            nullable=True,
        ),
        Column(
            "value_control",
            "real",
            "Mean of control, as observed.",
            nullable=True,
        ),
        Column(
            "effect",
            "real",
            "Difference of the means, less what predictions explain of it; none without a result.",
            nullable=True,
        ),
        Column(
            "low",
            "real",
            "Lower end of its 95 % interval; wider where several segments are looked at.",
            nullable=True,
        ),
        Column("high", "real", "Upper end of its interval.", nullable=True),
        Column(
            "p_value",
            "real",
            "Chance of a difference as large if there is none, corrected for several segments; "
            "where a result is withheld, of sizes of arms as unlikely as these.",
            nullable=True,
        ),
        Column(
            "state",
            "text",
            "Whether there is a result: result, not_yet or withheld.",
        ),
        Column("words", "text", "What came out, or what is missing, in one sentence."),
        Column("wave", "integer", "Which wave of users it is about, from 1."),
        Column("assigned_from", "date", "Day of the wave's first assignments."),
        Column("assigned_until", "date", "Day of its latest ones."),
    ),
    ("as_of", "promotion", "version", "analysis", "segment", "outcome", "arm"),
    "What promotions changed, as known at the end of each day's horizon.",
)

PLAYER_PROMOTIONS = Table(
    "player_promotions",
    (
        Column("as_of", "date", "Day at whose end the assignment is in effect."),
        Column("user_id", "text", "The user."),
        _PROMOTION,
        _ARM,
        _OFFER,
        _ASSIGNMENT_ID,
        Column("assigned_on", "date", "Day on which the user was assigned."),
        Column("until", "date", "Last day on which the assignment is in effect."),
    ),
    ("as_of", "user_id", "promotion"),
    "The promotions that are in effect for users at the end of a day.",
)

PROMOTION_OFFERS = Table(
    "promotion_offers",
    (
        Column("as_of", "date", "Day at whose end the offer is in effect."),
        Column("user_id", "text", "The user."),
        _PROMOTION,
        Column("offer", "text", "Name that a client shows."),
        Column("assignment_id", "text", "Id of the assignment."),
        Column("until", "date", "Last day of the offer."),
    ),
    ("as_of", "user_id", "promotion"),
    "The offers that users had at the end of a day when its changes were stored.",
)

PROMOTION_CHANGES = Table(
    "promotion_changes",
    (
        Column("as_of", "date", "Day whose end is compared with that of the stored day before."),
        Column("user_id", "text", "The user."),
        _PROMOTION,
        Column("change", "text", "What happened to the offer: entered, left or changed."),
        Column(
            "offer",
            "text",
            "Name that a client shows; none where it is the same as before, and of an offer that "
            "has left.",
            nullable=True,
        ),
        Column("assignment_id", "text", "Id of the assignment; of the last one if it has left."),
        Column("until", "date", "Last day of the offer; none like the name.", nullable=True),
    ),
    ("as_of", "user_id", "promotion"),
    "Offers that began, ended or changed on a day. Users that are kept without one are not here.",
)

PROMOTION_SHOWN = Table(
    "promotion_shown",
    (
        Column("as_of", "date", "Day on which it became known that the offer was shown."),
        Column("user_id", "text", "The user."),
        _PROMOTION,
        Column("assignment_id", "text", "Id of the assignment whose offer was shown."),
        Column("shown_on", "date", "First day on which it was shown, of what the day brought."),
    ),
    ("as_of", "user_id", "assignment_id"),
    "Offers that were really shown, from reports to the API and events of the logs.",
)
