"""Examples of requests and replies, for the OpenAPI document and its page.

Scope: what the demo's shop is asked and replies, with rounded numbers.
"""

from typing import Any

PLAYED_AT = "2026-02-01T18:00:00Z"
"""Time of the event in the request. The page puts the present time in its place."""

USER_IDS: dict[str, Any] = {"user_ids": ["144", "76", "nobody"]}

SCORE: dict[str, Any] = {
    "users": [
        {
            "user_id": "new1",
            "events": [
                {
                    "type": "visit",
                    "id": "b1",
                    "time": PLAYED_AT,
                    "user": {"id": "new1"},
                    "store": {"id": "333"},
                    "basket": {"items": 5, "total": 30.5},
                }
            ],
        }
    ],
    "reasons": False,
}

_MODELS = {
    "churn_model": "56a0156e2d1d",
    "payment_model": "b6c22d0c5e21",
    "cluster_model": "5c0cb886467d",
}

ANSWER: dict[str, Any] = {
    "user_id": "144",
    "status": "ok",
    "source": "cache",
    "age_seconds": 46800,
    "as_of": "2026-01-31",
    "last_seen": "2026-01-31",
    "churn_probability": 0.482,
    "payment_probability": 0.21,
    "expected_spend": 1.92,
    "cluster": 1,
    "cluster_name": "typical",
    "user_group": "cluster=1",
    "churn_reasons": [
        {
            "code": "active_days",
            "effect": 1.45,
            "values": [1, 1],
            "words": "1 active day in the last 28, 1 in the last 7",
        }
    ],
    "payment_reasons": [
        {
            "code": "spend",
            "effect": -0.56,
            "values": [3.99, 3.99],
            "words": "3.99 spent in the last 28 days, 3.99 in the last 7",
        }
    ],
    "churn_missing": None,
    "payment_missing": None,
    **_MODELS,
    "days_left": 1,
    "promotions": [
        {
            "offer": "weekend_bundle",
            "assignment_id": "9b1f2c04d7e8a35610fe",
            "until": "2026-02-14",
        }
    ],
}

ANSWERS: dict[str, Any] = {"predictions": [ANSWER]}

SCORES: dict[str, Any] = {
    "predictions": [
        ANSWER
        | {
            "user_id": "new1",
            "source": "live",
            "age_seconds": 0,
            "as_of": "2026-02-01",
            "last_seen": "2026-02-01",
            "cluster": 4,
            "cluster_name": "new, low-spend",
            "user_group": "cluster=4",
            "churn_reasons": None,
            "payment_reasons": None,
            "days_left": 0,
        }
    ]
}

OUTCOMES: dict[str, Any] = {
    "outcomes": [{"user_id": "144", "assignment_id": "9b1f2c04d7e8a35610fe", "shown_at": PLAYED_AT}]
}

STORED: dict[str, Any] = {"stored": 1}

HEALTH = {"status": "ok"}

READY: dict[str, Any] = {
    "status": "ok",
    "degraded": [],
    "as_of": "2026-01-31",
    "age_seconds": 46800,
    "models": {"churn": "56a0156e2d1d", "payment": "b6c22d0c5e21", "cluster": "5c0cb886467d"},
    "breakers": {"cache": "closed", "table": "closed", "live": "closed"},
    "lag_days": 0,
    "foreign": [],
}

NOT_READY: dict[str, Any] = READY | {
    "status": "no_data",
    "as_of": None,
    "age_seconds": None,
    "models": {},
    "lag_days": None,
}

METRICS = """\
# HELP ds_assets_answers_total Answers by source.
# TYPE ds_assets_answers_total counter
ds_assets_answers_total{source="cache",worker="2038"} 1.0
"""
