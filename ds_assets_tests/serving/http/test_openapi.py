import base64
import hashlib
import re
import shlex
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from ds_assets.core.prediction_json import OPTIONAL, decode_members, encode_record
from ds_assets.core.tables import PREDICTIONS
from ds_assets.serving.http.docs_page import CONTENT_SECURITY_POLICY, render_page
from ds_assets.serving.http.examples import ANSWER
from ds_assets.serving.http.openapi import answer_columns, build_document
from ds_assets.serving.http.problems import PROBLEMS
from ds_assets.serving.http.protocol import OutcomesRequest, PredictionsRequest, ScoreRequest
from ds_assets_tests.infra.factories import offer, row, target
from ds_assets_tests.serving.http.fake import answer_of


def test_an_answer_says_what_the_table_has_and_more() -> None:
    names = [column.name for column in answer_columns()]
    assert names[:6] == ["user_id", "status", "source", "age_seconds", "as_of", "last_seen"]
    assert set(names) > set(PREDICTIONS.names)
    assert len(names) == len(set(names))
    assert list(msgspec.json.decode(answer_of("u1").to_json())) == names


def test_fields_have_the_meaning_of_their_columns() -> None:
    answer = build_document()["components"]["schemas"]["Answer"]
    may_be_left_out = {*OPTIONAL, "targets", "promotions"}
    assert may_be_left_out <= set(answer["properties"])
    assert answer["required"] == [it for it in answer["properties"] if it not in may_be_left_out]
    churn = answer["properties"]["churn_probability"]
    assert churn["type"] == ["number", "null"]
    assert churn["description"].startswith("Chance of no activity in the churn horizon")
    assert answer["properties"]["user_id"]["type"] == "string"
    assert answer["properties"]["churn_reasons"]["type"] == ["array", "null"]


def test_targets_of_a_game_are_described_as_the_answer_shows_them() -> None:
    schemas = build_document()["components"]["schemas"]
    prediction = encode_record(row("u1", targets=[target("level")]))
    shown = decode_members(prediction.members)["targets"]["level"]
    described = schemas["TargetPrediction"]
    assert described["required"] == list(described["properties"]) == list(shown)
    assert described["properties"]["probability"]["type"] == ["number", "null"]
    assert described["properties"]["reasons"]["type"] == ["array", "null"]
    page = render_page(build_document())
    assert "object of" in page
    assert '<a href="#TargetPrediction">TargetPrediction</a> by name' in page


def test_offers_are_described_as_the_answer_shows_them() -> None:
    schemas = build_document()["components"]["schemas"]
    prediction = encode_record(row("u1", promotions=[offer()]))
    (shown,) = msgspec.json.decode(b"{" + prediction.members)["promotions"]
    described = schemas["PromotionOffer"]
    assert described["required"] == list(described["properties"]) == list(shown)
    Draft202012Validator(described).validate(shown)


def test_every_reference_leads_somewhere_and_every_operation_has_its_own_name() -> None:
    api = build_document()
    text = msgspec.json.encode(api).decode()
    references = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', text))
    assert references <= set(api["components"]["schemas"])
    operations = [operation for methods in api["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 7


def walk(part: Any) -> Iterator[dict[str, Any]]:
    """A part of the document, and all objects within it."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from walk(inner)


def test_typed_clients_can_be_generated() -> None:
    """Generators leave out a type with an array of anything, and confuse equal names."""
    api = build_document()
    arrays = [it for it in walk(api) if "array" in it.get("type", ())]
    assert arrays
    assert all("items" in schema for schema in arrays)
    for name, schema in api["components"]["schemas"].items():
        variable = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        assert variable not in schema["properties"]


def test_the_page_has_a_command_for_each_operation_with_an_accepted_body() -> None:
    api = build_document()
    page = unescape(render_page(api))
    texts = [it.split("</code>")[0] for it in page.split("<pre><code>")[1:]]
    commands = [shlex.split(it) for it in texts if it.startswith("curl")]
    paths = [command[2].removeprefix("http://127.0.0.1:8000") for command in commands]
    assert paths == [path.replace("{user_id}", "144") for path in api["paths"]]
    bodies = [command[-1] for command in commands if command[-2] == "-d"]
    kinds = (PredictionsRequest, ScoreRequest, OutcomesRequest)
    for body, kind in zip(bodies, kinds, strict=True):
        assert msgspec.json.decode(body, type=kind)


def test_the_page_has_no_backticks_outside_of_code() -> None:
    page = render_page(build_document())
    outside = re.sub(r"<(script|textarea|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert "<code>ds-assets keys add NAME</code>" in page
    assert "`" not in outside


def examples_of(api: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Schema and example of every body that has one."""
    for methods in api["paths"].values():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (it for body in bodies for it in body.get("content", {}).values()):
                if "example" in content:
                    yield content["schema"], content["example"]


def test_every_operation_has_an_example_of_success_and_each_example_is_valid() -> None:
    api = build_document()
    for methods in api["paths"].values():
        for operation in methods.values():
            contents = operation["responses"]["200"]["content"].values()
            assert all(content["example"] for content in contents)
    checked = list(examples_of(api))
    assert len(checked) == 11
    for schema, example in checked:
        Draft202012Validator(schema | {"components": api["components"]}).validate(example)


def test_an_invalid_example_would_be_refused() -> None:
    api = build_document()
    reference = {"$ref": "#/components/schemas/Answer", "components": api["components"]}
    for wrong in ({"status": "fine"}, {"churn_probability": "high"}, {"more": 1}):
        with pytest.raises(ValidationError):
            Draft202012Validator(reference).validate(ANSWER | wrong)


class Reader(HTMLParser):
    """What a page links to, loads and names."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.tags: set[str] = set()
        self.forms: list[tuple[str, str]] = []
        self.inputs: set[str] = set()
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.links.append(values.get("href") or "")
        self.names.add(values.get("id") or "")
        if tag == "form":
            self.forms.append((values["data-method"] or "", values["data-path"] or ""))
        if tag == "input":
            self.inputs.add(values.get("name") or "")
        if tag == "script":
            assert not attrs, "a script of the page itself"

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script":
            self.scripts.append(data)


def read_page() -> Reader:
    reader = Reader()
    reader.feed(render_page(build_document()))
    return reader


def test_the_page_has_a_form_for_each_operation_with_its_parameters() -> None:
    api, reader = build_document(), read_page()
    operations = [
        (method.upper(), path, operation)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    assert reader.forms == [(method, path) for method, path, _ in operations]
    parameters = {
        it["name"] for *_, operation in operations for it in operation.get("parameters", ())
    }
    assert parameters <= reader.inputs


def test_the_policy_of_the_page_allows_its_one_script_and_no_other() -> None:
    (script,) = read_page().scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = dict(it.split(maxsplit=1) for it in CONTENT_SECURITY_POLICY.split("; "))
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"


def test_the_page_loads_nothing_and_its_links_lead_somewhere() -> None:
    reader = read_page()
    assert not reader.tags & {"link", "img", "iframe"}
    inside = {link[1:] for link in reader.links if link.startswith("#")}
    assert inside <= reader.names
    assert {link for link in reader.links if link and link[0] != "#"} == {"/openapi.json"}
    assert {problem.name for problem in PROBLEMS} <= reader.names


def test_the_page_tells_every_path_and_every_field() -> None:
    api: dict[str, Any] = build_document()
    text = render_page(api)
    for path in api["paths"]:
        assert path in text
    for column in answer_columns():
        assert f"<code>{column.name}</code>" in text
