import re
import shlex
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import msgspec

from ds_assets.core.prediction_json import OPTIONAL, decode_members, encode_record
from ds_assets.core.tables import PREDICTIONS
from ds_assets.serving.http.docs_page import render_page
from ds_assets.serving.http.openapi import answer_columns, build_document
from ds_assets.serving.http.problems import PROBLEMS
from ds_assets.serving.http.protocol import PredictionsRequest, ScoreRequest
from ds_assets_tests.infra.factories import row, target
from ds_assets_tests.serving.http.fake import answer_of


def test_an_answer_says_what_the_table_has_and_more() -> None:
    names = [column.name for column in answer_columns()]
    assert names[:6] == ["user_id", "status", "source", "age_seconds", "as_of", "last_seen"]
    assert set(names) > set(PREDICTIONS.names)
    assert len(names) == len(set(names))
    assert list(msgspec.json.decode(answer_of("u1").to_json())) == names


def test_fields_have_the_meaning_of_their_columns() -> None:
    answer = build_document()["components"]["schemas"]["Answer"]
    may_be_left_out = {*OPTIONAL, "targets"}
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


def test_every_reference_leads_somewhere_and_every_operation_has_its_own_name() -> None:
    api = build_document()
    text = msgspec.json.encode(api).decode()
    references = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', text))
    assert references <= set(api["components"]["schemas"])
    operations = [operation for methods in api["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 6


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
    commands = [shlex.split(it.split("</code>")[0]) for it in page.split("<pre><code>")[1:]]
    paths = [command[2].removeprefix("http://127.0.0.1:8000") for command in commands]
    assert paths == [path.replace("{user_id}", "144") for path in api["paths"]]
    bodies = [command[-1] for command in commands if command[-2] == "-d"]
    kinds = (PredictionsRequest, ScoreRequest)
    for body, kind in zip(bodies, kinds, strict=True):
        assert msgspec.json.decode(body, type=kind)


class Reader(HTMLParser):
    """What a page links to, loads and names."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.links.append(values.get("href") or "")
        self.names.add(values.get("id") or "")


def test_the_page_loads_nothing_and_its_links_lead_somewhere() -> None:
    reader = Reader()
    reader.feed(render_page(build_document()))
    assert not reader.tags & {"script", "link", "img", "iframe"}
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
