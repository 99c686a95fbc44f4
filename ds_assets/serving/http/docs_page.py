"""The documentation as one HTML page, made from the OpenAPI document.

It loads nothing, so that it works without the internet. Its only script sends the requests of the
forms; the security policy of the page allows that script alone, and requests to this service alone.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from ds_assets.serving.http.examples import PLAYED_AT
from ds_assets.serving.http.problems import PROBLEMS

_ADDRESS = "http://127.0.0.1:8000"
"""Of commands, unless the page's script puts its own address in place of it."""
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem } code { background: #eef } table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ccd; padding: .3rem; text-align: left; vertical-align: top }
pre { background: #eef; padding: .5rem; overflow: auto; max-height: 30rem }
label { display: block } textarea { width: 100%; font-family: monospace }
pre:has(output:empty) { display: none }
:target { background: #ffc }
"""

_SCRIPT = """
const key = document.getElementById("key")
const now = new Date().toISOString()
for (const command of document.querySelectorAll("pre > code")) {
  command.textContent = command.textContent
    .replace("ADDRESS", location.origin).replace("PLAYED_AT", now)
}
for (const body of document.querySelectorAll("textarea")) {
  // An event of the example happens now: one of the past may lie before the game's first day.
  body.value = body.value.replace("PLAYED_AT", now)
}
function build(form) {
  let path = form.dataset.path
  const query = new URLSearchParams(), headers = {}
  for (const {name, value, dataset} of form.querySelectorAll("input")) {
    if (dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value))
    else if (value && dataset.in === "query") query.set(name, value)
    else if (value) headers[name] = value
  }
  if (key.value) headers.Authorization = `Bearer ${key.value}`
  const body = form.querySelector("textarea")?.value
  if (body !== undefined) headers["Content-Type"] = "application/json"
  const options = {method: form.dataset.method, headers, body, cache: "no-store"}
  return [query.size ? `${path}?${query}` : path, options]
}
async function send(form) {
  const reply = await fetch(...build(form))
  const text = await reply.text()
  const isJson = reply.headers.get("Content-Type")?.includes("json")
  const shown = isJson && text ? JSON.stringify(JSON.parse(text), null, 2) : text
  return `${reply.status} ${reply.statusText}\\n${shown}`
}
document.addEventListener("submit", async (event) => {
  event.preventDefault()
  const output = event.target.querySelector("output")
  output.textContent = "…"
  output.textContent = await send(event.target).catch((error) => `No reply: ${error.message}`)
})
""".replace("PLAYED_AT", PLAYED_AT).replace("ADDRESS", _ADDRESS)
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SCRIPT_HASH}'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""The policy of the page, as a header of its reply."""


def render_page(api: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        api: The OpenAPI document.
    """
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>{escape(api['info']['title'])}</title><style>{_STYLE}</style>",
            *_head(api),
            *_operations(api["paths"]),
            *_schemas(api["components"]["schemas"]),
            *_errors(),
            f"<script>{_SCRIPT}</script></html>",
        ]
    )


def _head(api: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h1>{escape(api['info']['title'])}</h1><p>{_prose(api['info']['description'])}</p>"
    key = api["components"]["securitySchemes"]["key"]["description"]
    yield f"<p>Clients authenticate with <code>Authorization: Bearer KEY</code>. {_prose(key)}</p>"
    yield (
        "<p><label>API key for the forms below, which is not stored: "
        '<input id="key" type="password" autocomplete="off"></label></p>'
    )
    yield '<p>OpenAPI document: <a href="/openapi.json">/openapi.json</a>.</p>'


def _operations(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            description = _prose(operation.get("description", ""))
            yield f"<p>{escape(operation['summary'])}. {description}</p>"
            yield f"<pre><code>{escape(_write_command(path, method, operation))}</code></pre>"
            yield from _form(path, method, operation)
            if parameters := operation.get("parameters"):
                yield from _fields((parameter["name"], parameter) for parameter in parameters)
            if body := operation.get("requestBody"):
                yield f"<p>Request body: {_content(body)}.</p>"
            rows = (
                (status, _prose(response["description"]), _content(response))
                for status, response in operation["responses"].items()
            )
            yield from _table(("status", "meaning", "body"), rows)
            yield from _examples(operation["responses"])


def _form(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """A form with which a reader sends the request to this service."""
    yield f'<form data-path="{escape(path)}" data-method="{method.upper()}">'
    for it in operation.get("parameters", ()):
        value, required = escape(it.get("example", "")), " required" * it.get("required", False)
        yield (
            f'<label>{it["name"]} <input name="{it["name"]}" data-in="{it["in"]}" '
            f'value="{value}"{required}></label>'
        )
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = json.dumps(content["example"], indent=2)
        rows = min(body.count("\n") + 1, 12)
        yield f'<textarea aria-label="Body" rows="{rows}">{escape(body)}</textarea>'
    yield "<button>Try it</button> <pre><output></output></pre></form>"


def _examples(responses: Mapping[str, Any]) -> Iterator[str]:
    for status, response in responses.items():
        for content in response.get("content", {}).values():
            if example := content.get("example"):
                text = example if isinstance(example, str) else json.dumps(example, indent=2)
                yield f"<details><summary>Example of {status}</summary>"
                yield f"<pre><code>{escape(text)}</code></pre></details>"


def _write_command(path: str, method: str, operation: Mapping[str, Any]) -> str:
    """Write an operation's example as a command for a shell."""
    parameters = operation.get("parameters", ())
    examples = {it["name"]: it["example"] for it in parameters if "example" in it}
    parts = [f"curl -s {_ADDRESS}{path.format(**examples)}"]
    if "security" in operation:
        parts.append("-H 'Authorization: Bearer KEY'")
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        body = json.dumps(content["example"])
        parts += [f"-X {method.upper()} -H 'Content-Type: {media_type}'", f"-d '{body}'"]
    return " \\\n  ".join(parts)


def _schemas(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f'<h2 id="{name}">{name}</h2><p>{_prose(schema.get("description", ""))}</p>'
        yield from _fields(schema["properties"].items())


def _errors() -> Iterator[str]:
    yield "<h2>Problem types</h2>"
    rows = (
        (f'<span id="{problem.name}">{problem.type}</span>', str(problem.status), problem.title)
        for problem in PROBLEMS
    )
    yield from _table(("type", "status", "title"), rows)


def _fields(fields: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    rows = (
        (
            f"<code>{name}</code>",
            _type(field.get("schema", field)),
            _prose(field.get("description", "")),
        )
        for name, field in fields
    )
    yield from _table(("name", "type", "meaning"), rows)


def _prose(text: str) -> str:
    """A description as HTML; what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"<table><tr><th>{'<th>'.join(head)}"
    yield from (f"<tr><td>{'<td>'.join(row)}" for row in rows)
    yield "</table>"


def _content(part: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_type(content['schema'])} as <code>{media_type}</code>"
        for media_type, content in part.get("content", {}).items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "items" in schema and "properties" not in schema["items"]:
        return f"array of {_type(schema['items'])}"
    if values := schema.get("additionalProperties"):
        return f"object of {_type(values)} by name"
    kinds = schema.get("type", "any")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
