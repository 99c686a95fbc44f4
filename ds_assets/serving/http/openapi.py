"""The OpenAPI 3.1 document, made from what is declared elsewhere.

Belongs here: operations and their words. Fields of an answer come from the table of predictions,
those of a request from the types that decode it, and errors from the list of problems.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

import msgspec

from ds_assets.core.schema import Column, ColumnType
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets.serving.answer import Source, Status
from ds_assets.serving.health import Health
from ds_assets.serving.http import problems
from ds_assets.serving.http.problems import PROBLEMS, Problem
from ds_assets.serving.http.protocol import ScoreRequest, UserIds
from ds_assets.serving.http.requests import BROKEN

STATUSES, SOURCES = get_args(Status), get_args(Source)

_OWN = (
    Column("status", "text", "What kind of answer it is."),
    Column("source", "text", "Where the answer comes from."),
    Column("age_seconds", "integer", "Seconds since the end of that day.", nullable=True),
)
"""What an answer says beside the columns of the table."""
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
_REASONS = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "required": ["code", "effect", "values", "words"],
        "properties": {
            "code": {"type": "string", "description": "Stays as it is; words may change."},
            "effect": {"type": "number", "description": "In log-odds; above 0: likelier."},
            "values": {"type": "array", "description": "The figures in the words."},
            "words": {"type": "string"},
        },
    },
}
_ASKED = (
    *(problems.MALFORMED, problems.NO_KEY, problems.NOT_ACCEPTED, problems.TOO_OFTEN),
    *(problems.FAILED, problems.OVERLOADED),
)
_SENT = (*_ASKED, problems.TOO_SLOW, problems.TOO_LARGE, problems.NOT_JSON)


def answer_columns() -> list[Column]:
    """What an answer says, in the order of its keys."""
    columns = {column.name: column for column in (*PREDICTIONS.columns, *_OWN)}
    rest = [column for name, column in columns.items() if name not in _FIRST]
    return [*(columns[name] for name in _FIRST), *rest]


@cache
def document() -> dict[str, Any]:
    """The document. It is shared: who reads it does not change it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Player predictions",
            "version": "1",
            "description": "What is predicted for a player, at once: chances of leaving and of "
            "a purchase, expected spend, cluster, and the reasons. A part of the service that is "
            "down is never an error: the answer then comes from what is left, and says so.",
        },
        "paths": {
            "/v1/users/{user_id}/prediction": {"get": _one_user()},
            "/v1/predictions": {"post": _many_users()},
            "/v1/score": {"post": _score()},
            "/healthz": {"get": _health()},
            "/readyz": {"get": _ready()},
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": _schemas(), "securitySchemes": {"key": _KEY}},
    }


_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key made by `ds-assets keys add NAME`. Without any key the service answers "
    "this machine only.",
}


def _one_user() -> dict[str, Any]:
    pattern = f"^[^{BROKEN}]+$"
    shape = {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": pattern}
    parameter = {
        "name": "user_id",
        "in": "path",
        "required": True,
        "description": "The user, percent-encoded. One that has the character U+FFFD, as "
        "which broken UTF-8 is read, can be asked for by POST only.",
        "schema": shape,
    }
    _, fields = msgspec.json.schema_components([UserIds])
    group = dict(fields[UserIds.__name__]["properties"]["user_group"])
    asked = {
        "name": "user_group",
        "in": "query",
        "description": group.pop("description"),
        "schema": group,
    }
    known = {
        "name": "If-None-Match",
        "in": "header",
        "description": "Tags of answers that the client has.",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "prediction",
        "summary": "The answer for one user",
        "security": [{"key": []}],
        "parameters": [parameter, asked, known],
        "responses": {
            "200": {**_json("The answer.", "Answer"), "headers": _CACHING},
            "304": {"description": "What the client has still holds.", "headers": _CACHING},
            **_refusals(_ASKED),
        },
    }


_CACHING = {
    "ETag": {"schema": {"type": "string"}, "description": "Changes with the answer."},
    "Cache-Control": {"schema": {"type": "string"}, "description": "How long it may be kept."},
}


def _many_users() -> dict[str, Any]:
    return {
        "operationId": "predictions",
        "summary": "The answers for up to 1,000 users, in the order asked for",
        "security": [{"key": []}],
        "requestBody": _body(UserIds.__name__),
        "responses": {"200": _json("An answer for each.", "Answers"), **_refusals(_SENT)},
    }


def _score() -> dict[str, Any]:
    return {
        "operationId": "score",
        "summary": "Users scored now, by features or by recent raw events",
        "description": "For users whose day is not over, or who are new.",
        "security": [{"key": []}],
        "requestBody": _body(ScoreRequest.__name__),
        "responses": {"200": _json("An answer for each.", "Answers"), **_refusals(_SENT)},
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "healthz",
        "summary": "Whether the process lives",
        "responses": {"200": {"description": "It does.", "content": _content({"type": "object"})}},
    }


def _ready() -> dict[str, Any]:
    return {
        "operationId": "readyz",
        "summary": "Whether there is something to answer from, and what is degraded",
        "responses": {
            "200": _json("There is.", "Ready"),
            "503": _json("There is no data at all yet, or the service ends soon.", "Ready"),
        },
    }


def _metrics() -> dict[str, Any]:
    refused = (problems.NO_KEY, problems.NOT_ACCEPTED, problems.TOO_OFTEN)
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "summary": "Figures in Prometheus' text format, of each worker",
        "security": [{"key": []}],
        "responses": {"200": {"description": "They.", "content": text}, **_refusals(refused)},
    }


def _body(name: str) -> dict[str, Any]:
    return {"required": True, "content": _content({"$ref": _REF.format(name=name)})}


def _json(words: str, name: str) -> dict[str, Any]:
    return {"description": words, "content": _content({"$ref": _REF.format(name=name)})}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _refusals(kinds: Sequence[Problem]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {
        str(kind.status): {"description": kind.title + ".", "content": content}
        for kind in sorted(kinds, key=lambda kind: kind.status)
    }


def _schemas() -> dict[str, Any]:
    _, requests = msgspec.json.schema_components([UserIds, ScoreRequest, Health], ref_template=_REF)
    health = requests.pop(Health.__name__)
    state = {"type": "string", "enum": ["ok", "degraded", "no_data", "leaving"]}
    answers = {"type": "array", "items": {"$ref": _REF.format(name="Answer")}}
    return {
        "Answer": _object({column.name: _field(column) for column in answer_columns()}),
        "Answers": _object({"predictions": answers}),
        **requests,
        "Ready": _object({"status": state, **health["properties"]}),
        "Problem": _object(
            {
                "type": {"type": "string", "enum": [kind.type for kind in PROBLEMS]},
                "title": {"type": "string", "description": "The same for all of a type."},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "What to do about it."},
            }
        ),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _field(column: Column) -> dict[str, Any]:
    words = {"description": column.meaning.replace(", as JSON", "")}
    if column.name.endswith("_reasons"):
        return _REASONS | words
    shape = _TYPES[column.type] | words
    if column.name in _ENUMS:
        return shape | {"enum": list(_ENUMS[column.name])}
    # A column that no row of the table is without may be missing of an unknown user.
    return shape if column.name in _NEVER_NULL else shape | {"type": [shape["type"], "null"]}
