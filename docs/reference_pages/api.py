"""The HTTP API, from its OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from ds_assets.serving.http.openapi import build_document
from ds_assets.serving.http.problems import PROBLEMS
from reference_pages.markdown import WRITTEN, code, describe_type, table

_INTRODUCTION = f"""# The HTTP API

{WRITTEN}

`ds-assets serve` shows the same at `/docs`, and as an OpenAPI document at `/openapi.json`.
[Predictions in real time](../serving.md) is the guide.
"""


def page() -> str:
    """The text of the page."""
    document = build_document()
    operations = [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    shapes = [_shape(name, it) for name, it in document["components"]["schemas"].items()]
    return "".join([_INTRODUCTION, *operations, _errors(), "\n## Bodies\n", *shapes])


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    key = "A key is required, if there are any." if "security" in operation else "No key is needed."
    about = f"{operation.get('description', '')} {key}".strip()
    parts = [f"\n## {method.upper()} {path}\n\n{operation['summary']}. {about}\n\n"]
    if "parameters" in operation:
        heads = ["parameter", "in", "accepted", "meaning"]
        parts += [table(heads, map(_parameter, operation["parameters"])), "\n"]
    if "requestBody" in operation:
        parts.append(f"Request: {_body(operation['requestBody'])}\n\n")
    parts.append(table(["status", "meaning", "body"], _responses(operation["responses"])))
    return "".join(parts)


def _parameter(parameter: Mapping[str, Any]) -> list[str]:
    required = ", required" if parameter.get("required") else ""
    accepted = describe_type(parameter["schema"])
    name, place = code(parameter["name"]), parameter["in"]
    return [name, place, accepted + required, parameter["description"]]


def _responses(responses: Mapping[str, Any]) -> Iterator[list[str]]:
    for status, response in sorted(responses.items()):
        headers = ", ".join(map(code, response.get("headers", ())))
        meaning = response["description"] + (f" Headers: {headers}." if headers else "")
        yield [status, meaning, _body(response)]


def _body(message: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{describe_type(content['schema'])} as `{kind}`"
        for kind, content in message.get("content", {}).items()
    )


def _errors() -> str:
    rows = ([str(it.status), code(it.type), it.title] for it in PROBLEMS)
    return (
        "\n## Errors\n\nProblem details (RFC 9457). `detail` says what is wrong with the "
        "request, and what to do.\n\n" + table(["status", "type", "title"], rows)
    )


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = (
        [
            code(field),
            describe_type(shape),
            "yes" if field in required else "",
            shape.get("description", ""),
        ]
        for field, shape in schema.get("properties", {}).items()
    )
    about = f"{schema['description']}\n\n" if "description" in schema else ""
    return f"\n### {name}\n\n{about}" + table(["field", "type", "always", "meaning"], rows)
