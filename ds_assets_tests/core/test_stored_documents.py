"""Stored documents are read whichever release wrote them, or say what to do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core import stored_documents
from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.cards import Card
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.provenance import Provenance
from ds_assets.core.stored_documents import (
    FIRST_FORMAT,
    UPGRADES,
    Document,
    StoredDocument,
    read_document,
)
from ds_assets.core.verdicts import Verdict
from ds_assets.errors import InputError
from ds_assets.infra.lake.raw_logs import Manifest

KINDS = (ModelCard, ClusterCard, ActivityReport, Provenance, Verdict, Manifest)


class Note(StoredDocument):
    """A document whose format has changed twice."""

    format: int = 3
    text: str
    words: int


def rename(document: Document) -> Document:
    return {"text": document["note"]}


def count(document: Document) -> Document:
    return {**document, "words": len(document["text"].split())}


@pytest.fixture(autouse=True)
def upgrades(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {("Note", 1): rename, ("Note", 2): count}
    monkeypatch.setattr(stored_documents, "UPGRADES", {**UPGRADES, **changes})


@pytest.mark.parametrize(
    "stored",
    [{"note": "a b"}, {"format": 2, "text": "a b"}, {"format": 3, "text": "a b", "words": 2}],
)
def test_a_document_of_any_earlier_format_is_upgraded_step_by_step(stored: Document) -> None:
    assert read_document(Note, json.dumps(stored), "note.json") == Note(text="a b", words=2)


@given(st.integers(4, 10**9), st.dictionaries(st.text(max_size=5), st.integers(), max_size=3))
def test_a_newer_format_is_named_with_what_to_do_whatever_is_in_it(
    version: int, others: dict[str, int]
) -> None:
    text = json.dumps({**others, "format": version})
    with pytest.raises(InputError, match=r"note\.json was stored by a newer release") as error:
        read_document(Note, text, "note.json")
    assert f"format {version}; this one reads up to 3" in str(error.value)
    assert "install that release again" in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newer_format_of_every_document_is_named(kind: type[StoredDocument]) -> None:
    with pytest.raises(InputError, match="newer release"):
        read_document(kind, json.dumps({"format": 99, "unknown": 1}), "x.json")


@given(st.sampled_from(KINDS), st.binary(max_size=40))
def test_damage_is_one_sentence_that_names_the_document(
    kind: type[StoredDocument], content: bytes
) -> None:
    with pytest.raises(InputError, match=r"x\.json"):
        read_document(kind, content, "x.json")


@pytest.mark.parametrize("kind", KINDS)
def test_every_earlier_format_of_a_document_has_an_upgrade(kind: type[StoredDocument]) -> None:
    present = kind.model_fields["format"].default
    steps = [version for name, version in UPGRADES if name == kind.__name__]
    assert sorted(steps) == list(range(FIRST_FORMAT, present))


def test_cards_refuse_keys_that_nobody_has_declared() -> None:
    assert Card.model_config["extra"] == "forbid"
    with pytest.raises(InputError, match="sead: unknown key"):
        read_document(ModelCard, '{"sead": 1}', "card.json")


def test_a_record_without_a_game_file_is_read() -> None:
    text = '{"asset": "clusters", "day": "2026-01-01", "inputs": {}, "format": 1}'
    record = read_document(Provenance, text, "x.json")
    assert (record.settings, record.kept, record.again) == ("", "", "")
