"""The OpenAPI 3.1 document.

Scope: operations and their descriptions. Fields of an answer come from the tables of predictions,
fields of a request from the types that decode it, and errors from the list of problems.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

import msgspec

from ds_assets.core.prediction_json import OPTIONAL
from ds_assets.core.schema import Column, ColumnType
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.user_offers import PROMOTIONS
from ds_assets.core.user_targets import COLUMNS as TARGET_COLUMNS
from ds_assets.core.user_targets import TARGETS
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets.serving.answer import Source, Status
from ds_assets.serving.health import Health
from ds_assets.serving.http import examples, problems
from ds_assets.serving.http.problems import PROBLEMS, Problem, RequestError
from ds_assets.serving.http.protocol import OutcomesRequest, PredictionsRequest, ScoreRequest
from ds_assets.serving.http.requests import REPLACEMENT_CHARACTER
from ds_assets.serving.unusable_events import MAX_EVENTS_NAMED

STATUSES, SOURCES = get_args(Status), get_args(Source)

_OWN = (
    Column("status", "text", "How reliable the answer is; see the documentation of the service."),
    Column("source", "text", "Where the prediction was found; `default`: averages."),
    Column("age_seconds", "integer", "Seconds since the end of the day `as_of`.", nullable=True),
)
"""Fields of an answer in addition to the columns of the table."""
_FIRST = ("user_id", "status", "source", "age_seconds", "as_of", "last_seen")
_TYPES: dict[ColumnType, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "real": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "date-time"},
    "boolean": {"type": "boolean"},
}
_ENUMS = {"status": STATUSES, "source": SOURCES}
_NEVER_NULL = {"user_id", *_ENUMS}
_REF = "#/components/schemas/{name}"
_REASON = {
    "code": {"type": "string", "description": "Stable; the words may change."},
    "effect": {"type": "number", "description": "Effect on the log-odds; above 0: likelier."},
    "values": {
        "type": "array",
        "items": {"type": ["number", "string", "null"]},
        "description": "The numbers and texts in the words.",
    },
    "words": {"type": "string"},
}
_OFFER = {
    "offer": {"type": "string", "description": "Name of what to show to the user."},
    "assignment_id": {
        "type": "string",
        "description": "Id of the assignment, by which the client reports that it was shown.",
    },
    "until": {
        "type": "string",
        "format": "date",
        "description": "Last day of the offer, in the game's time zone.",
    },
}
_REASONS = {"type": ["array", "null"], "items": {"$ref": _REF.format(name="Reason")}}
_GET_PROBLEMS = (
    *(problems.MALFORMED, problems.NO_KEY, problems.NOT_ACCEPTED, problems.RATE_LIMITED),
    *(problems.FAILED, problems.OVERLOADED),
)
_POST_PROBLEMS = (*_GET_PROBLEMS, problems.TOO_SLOW, problems.TOO_LARGE, problems.NOT_JSON)


def answer_columns() -> list[Column]:
    """Fields of an answer, in their order."""
    columns = {column.name: column for column in (*PREDICTIONS.columns, *_OWN)}
    rest = [column for name, column in columns.items() if name not in _FIRST]
    return [*(columns[name] for name in _FIRST), *rest]


@cache
def build_document() -> dict[str, Any]:
    """Build the document. The result is shared and must not be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Player predictions",
            "version": "1",
            "description": "Predictions for players in real time: probability of leaving and of a "
            "purchase, expected spend, cluster and reasons. A dependency that is down does not "
            "cause an error: the answer comes from another source, and says so.",
        },
        "paths": {
            "/v1/users/{user_id}/prediction": {"get": _one_user()},
            "/v1/predictions": {"post": _many_users()},
            "/v1/score": {"post": _score()},
            "/v1/outcomes": {"post": _outcomes()},
            "/healthz": {"get": _health()},
            "/readyz": {"get": _ready()},
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": _schemas(), "securitySchemes": {"key": _KEY}},
    }


_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "Create a key with `ds-assets keys add NAME`. Without any key, only clients on "
    "the same machine are served.",
}


def _one_user() -> dict[str, Any]:
    pattern = f"^[^{REPLACEMENT_CHARACTER}]+$"
    shape = {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": pattern}
    parameter = {
        "name": "user_id",
        "in": "path",
        "required": True,
        "description": "The user id, percent-encoded. For an id with the character U+FFFD, which "
        "stands for invalid UTF-8, use POST.",
        "schema": shape,
        "example": "144",
    }
    _, fields = msgspec.json.schema_components([PredictionsRequest])
    group = dict(fields[PredictionsRequest.__name__]["properties"]["user_group"])
    group_parameter = {
        "name": "user_group",
        "in": "query",
        "description": group.pop("description"),
        "schema": group,
    }
    tags_parameter = {
        "name": "If-None-Match",
        "in": "header",
        "description": "Entity tags of answers that the client has.",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "prediction",
        "summary": "Get the prediction for one user",
        "security": [{"key": []}],
        "parameters": [parameter, group_parameter, tags_parameter],
        "responses": {
            "200": {**_json("The prediction.", "Answer", examples.ANSWER), "headers": _CACHING},
            "304": {"description": "Not modified: your copy is current.", "headers": _CACHING},
            **_problems(_GET_PROBLEMS),
        },
    }


_CACHING = {
    "ETag": {"schema": {"type": "string"}, "description": "Changes with the answer."},
    "Cache-Control": {"schema": {"type": "string"}, "description": "How long to reuse it."},
}


def _many_users() -> dict[str, Any]:
    return {
        "operationId": "predictions",
        "summary": "Get the predictions for up to 1,000 users, in the order of the request",
        "security": [{"key": []}],
        "requestBody": _body(PredictionsRequest.__name__, examples.USER_IDS),
        "responses": {
            "200": _json("One prediction per user.", "Answers", examples.ANSWERS),
            **_problems(_POST_PROBLEMS),
        },
    }


def _score() -> dict[str, Any]:
    return {
        "operationId": "score",
        "summary": "Score users now, from their features or recent raw events",
        "description": "For new users, and for users whose day is not over yet. The example has an "
        "event of the demo's game; one of your game has the fields of its logs.",
        "security": [{"key": []}],
        "requestBody": _body(ScoreRequest.__name__, examples.SCORE),
        "responses": {
            "200": _json("One prediction per user.", "Answers", examples.SCORES),
            **_problems(_POST_PROBLEMS),
        },
    }


def _outcomes() -> dict[str, Any]:
    return {
        "operationId": "outcomes",
        "summary": "Report offers that were shown to users",
        "description": "Up to 1,000 in one request. They are stored safely before the reply. An "
        "offer that is reported again counts once, so a request without a reply is sent again.",
        "security": [{"key": []}],
        "requestBody": _body(OutcomesRequest.__name__, examples.OUTCOMES),
        "responses": {
            "200": _json("How many reports are stored.", "OutcomesStored", examples.STORED),
            **_problems((*_POST_PROBLEMS, problems.NOT_STORED)),
        },
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "healthz",
        "summary": "Check that the process is running",
        "responses": {
            "200": {
                "description": "The process is running.",
                "content": _content({"type": "object"}, examples.HEALTH),
            }
        },
    }


def _ready() -> dict[str, Any]:
    return {
        "operationId": "readyz",
        "summary": "Check that the service can answer, and list degraded dependencies",
        "responses": {
            "200": _json("Ready to serve requests.", "Ready", examples.READY),
            "503": _json(
                "Not ready: no data loaded, outdated data, or leaving.", "Ready", examples.NOT_READY
            ),
        },
    }


def _metrics() -> dict[str, Any]:
    refused = (problems.NO_KEY, problems.NOT_ACCEPTED, problems.RATE_LIMITED)
    text = {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}}
    return {
        "operationId": "metrics",
        "summary": "Get the metrics of each worker",
        "security": [{"key": []}],
        "responses": {
            "200": {"description": "Metrics in Prometheus text format.", "content": text},
            **_problems(refused),
        },
    }


def _body(name: str, example: dict[str, Any]) -> dict[str, Any]:
    content = _content({"$ref": _REF.format(name=name)}, example)
    return {"required": True, "content": content}


def _json(description: str, name: str, example: dict[str, Any]) -> dict[str, Any]:
    content = _content({"$ref": _REF.format(name=name)}, example)
    return {"description": description, "content": content}


def _content(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "example": example}}


def _problems(kinds: Sequence[Problem]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {
        str(kind.status): {"description": kind.title + ".", "content": content}
        for kind in sorted(kinds, key=lambda kind: kind.status)
    }


def _schemas() -> dict[str, Any]:
    _, structs = msgspec.json.schema_components(
        [PredictionsRequest, ScoreRequest, OutcomesRequest, Health, RequestError],
        ref_template=_REF,
    )
    health = structs.pop(Health.__name__)
    state = {"type": "string", "enum": ["ok", "degraded", "no_data", "outdated", "leaving"]}
    answers = {"type": "array", "items": {"$ref": _REF.format(name="Answer")}}
    return {
        "Answer": _answer(),
        "TargetPrediction": _object(
            {column.name: _field(column) for column in TARGET_COLUMNS if column.name != "target"}
        ),
        "PromotionOffer": _object(_OFFER),
        "Reason": _object(_REASON),
        "Answers": _object({"predictions": answers}),
        **structs,
        "Ready": _object({"status": state, **health["properties"]}),
        "OutcomesStored": _object({"stored": {"type": "integer"}}),
        "Problem": _problem(),
    }


def _problem() -> dict[str, Any]:
    problem = _object(
        {
            "type": {"type": "string", "enum": [kind.type for kind in PROBLEMS]},
            "title": {"type": "string", "description": "The same for all problems of a type."},
            "status": {"type": "integer"},
            "detail": {
                "type": "string",
                "description": "What is wrong with this request, and what to do.",
            },
        }
    )
    problem["properties"]["errors"] = {
        "type": "array",
        "description": f"The first {MAX_EVENTS_NAMED} events that cannot be used; `detail` has the "
        "number of the others. Only in replies of `/v1/score`.",
        "items": {"$ref": _REF.format(name=RequestError.__name__)},
    }
    return problem


def _answer() -> dict[str, Any]:
    answer = _object({column.name: _field(column) for column in answer_columns()})
    answer["required"] = [name for name in answer["required"] if name not in OPTIONAL]
    answer["properties"][TARGETS] = {
        "type": "object",
        "description": "Predictions for the game's own targets, by the target's name in game.yaml. "
        "A target for which the user is not in the population is left out, and so is the whole "
        "field if there is none.",
        "additionalProperties": {"$ref": _REF.format(name="TargetPrediction")},
    }
    answer["properties"][PROMOTIONS] = {
        "type": "array",
        "description": "Offers of the game's promotions that are in effect for the user, in the "
        "order of priority: show the first if there is room for one. The field is left out where "
        "there is none.",
        "items": {"$ref": _REF.format(name="PromotionOffer")},
    }
    return answer


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _field(column: Column) -> dict[str, Any]:
    description = {"description": column.description.replace(", as JSON", "")}
    if column.type == "json":
        return _REASONS | description
    shape = _TYPES[column.type] | description
    if column.name in _ENUMS:
        return shape | {"enum": list(_ENUMS[column.name])}
    # A column that every row of the table has can still be missing for an unknown user.
    return shape if column.name in _NEVER_NULL else shape | {"type": [shape["type"], "null"]}
