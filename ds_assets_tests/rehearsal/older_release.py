"""The documents of a lake as an older release has stored them."""

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch

from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.lineage import EFFECTS
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.provenance import Provenance, summary_of
from ds_assets.core.stored_documents import FIRST_FORMAT, Document, StoredDocument, read_document
from ds_assets.core.verdicts import Verdict
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import ADOPTED, PROVENANCE
from ds_assets.infra.lake.raw_logs import Manifest

_KINDS: tuple[tuple[str, type[StoredDocument]], ...] = (
    ("models/clusters/*/card.json", ClusterCard),
    (f"models/{EFFECTS}*/card.json", UpliftCard),
    ("models/*/card.json", ModelCard),
    ("user_activity/*/_report.json", ActivityReport),
    ("verdicts/*.json", Verdict),
    ("raw/*/_manifest.json", Manifest),
    (f"{PROVENANCE}/*.json", Provenance),
)
"""Kinds of documents by their names, of which the first that fits counts."""


def _without_game_file(record: Document) -> Document:
    added = {"settings", "kept", "again"}
    return {name: value for name, value in record.items() if name not in added}


DOWNGRADES: Mapping[tuple[str, int], Callable[[Document], Document]] = {
    ("Provenance", 1): _without_game_file
}
"""The inverse of each change in `stored_documents.UPGRADES`."""


def store_as_older_release(lake: Lake) -> None:
    """Store all documents in their first format, without the number of the format."""
    for name, kind in list(_list_documents(lake)):
        document = read_document(kind, lake.read(name), name)
        if isinstance(document, Provenance) and document.again:
            continue  # there was no such mark, and without it the day would not be made again
        older = json.dumps(_downgrade(document)).encode()
        lake.delete([name])
        lake.write(_name(read_document(kind, older, name), name), older)
    lake.write(ADOPTED, b"{}")


def _name(document: StoredDocument, present: str) -> str:
    """Name of a document; that of a record depends on its content."""
    if isinstance(document, Provenance):
        return f"{PROVENANCE}/{document.asset}/{document.name}"
    return present.replace("/_report.json", "/report.json")


def _list_documents(lake: Lake) -> Iterator[tuple[str, type[StoredDocument]]]:
    for folder in ("models", "user_activity", "verdicts", "raw", PROVENANCE):
        for item in lake.objects(folder):
            kind = next((kind for pattern, kind in _KINDS if fnmatch(item.name, pattern)), None)
            is_record = kind is not Provenance or summary_of(item.name.rpartition("/")[2])
            if kind is not None and is_record:
                yield item.name, kind


def _downgrade(document: StoredDocument) -> Document:
    fields = document.model_dump(mode="json")
    for version in range(fields.pop("format") - 1, FIRST_FORMAT - 1, -1):
        fields = DOWNGRADES[type(document).__name__, version](fields)
    return fields
