"""Draw docs/pictures/architecture.svg from the code: `make diagram`.

The upper half is the asset graph of the demo's game as Dagster resolves it, without dependencies
that others imply. The lower half is the layers of `ds_assets_tests/test_imports.py`: a part imports
from its own layer and those below it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import dagster as dg
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ds_assets.definitions import build_defs
from ds_assets.demo.source import GAME_FILE
from ds_assets.installation import load_installation
from ds_assets_tests.test_imports import FOR_ALL, LAYERS

PICTURE = Path(__file__).parent / "pictures" / "architecture.svg"
SETTINGS = {
    "game": GAME_FILE,
    "source_url": "s3://logs",
    "lake_url": "https://account.blob.core.windows.net/lake",
    "results_url": "mysql+pymysql://host/results",
    "cache_url": "redis://host",
}
"""Those of an installation on servers, which is not opened."""
COLORS = {
    "logs": "#d9e8f5",
    "features": "#d5efe0",
    "models": "#fde9c9",
    "predictions": "#f6d9d5",
    "delivery": "#e4daf2",
}
LAYER_COLOR, EDGE_COLOR = "#eeeeee", "#666666"
BOX_HEIGHT = 0.5


@dataclass(frozen=True)
class Asset:
    """An asset as the picture shows it."""

    group: str
    kinds: tuple[str, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Architecture:
    """What the picture shows: assets by name, and the parts of each layer from the lowest up."""

    assets: Mapping[str, Asset]
    layers: tuple[tuple[str, ...], ...]

    def describe(self) -> str:
        """Say in text what the picture shows; it is stored in the picture."""
        graph = [
            f"{name} ({asset.group}; {', '.join(asset.kinds)}) reads {', '.join(asset.reads)}"
            for name, asset in sorted(self.assets.items())
        ]
        layers = [f"layer {n}: {', '.join(parts)}" for n, parts in enumerate(self.layers)]
        return "\n".join([*graph, *layers])


def main() -> None:
    """Draw the picture."""
    draw(read_architecture(), PICTURE)


def read_architecture() -> Architecture:
    """Read the asset graph and the layers from the code."""
    graph = build_defs(load_installation(SETTINGS)).resolve_asset_graph()
    reads = {key: set(graph.get(key).parent_keys) - {key} for key in graph.get_all_asset_keys()}
    assets = {
        key.to_user_string(): Asset(
            graph.get(key).group_name,
            tuple(sorted(graph.get(key).kinds)),
            tuple(sorted(parent.to_user_string() for parent in direct_reads(key, reads))),
        )
        for key in sorted(reads)
    }
    return Architecture(assets, read_layers())


def direct_reads(
    key: dg.AssetKey, reads: Mapping[dg.AssetKey, set[dg.AssetKey]]
) -> set[dg.AssetKey]:
    """What an asset reads, without what it also depends on through another asset."""
    return {read for read in reads[key] if not any(read in ancestors(p, reads) for p in reads[key])}


def ancestors(key: dg.AssetKey, reads: Mapping[dg.AssetKey, set[dg.AssetKey]]) -> set[dg.AssetKey]:
    """All assets that an asset depends on."""
    return reads[key].union(*(ancestors(parent, reads) for parent in reads[key]))


def read_layers() -> tuple[tuple[str, ...], ...]:
    """Parts of the package by layer, from the lowest up."""
    layers: dict[int, list[str]] = defaultdict(list)
    layers[0] = sorted(FOR_ALL - {""})
    for part, level in LAYERS.items():
        layers[level].append(part)
    return tuple(tuple(layers[level]) for level in sorted(layers))


def draw(architecture: Architecture, path: Path) -> None:
    """Draw an architecture as an SVG with its description."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ds_assets"}):
        figure = Figure(figsize=(15, 8.2))
        upper, lower = figure.subplots(2, height_ratios=(3, 4))
        draw_graph(upper, architecture.assets)
        draw_layers(lower, architecture.layers)
        figure.tight_layout()
        metadata = {"Date": None, "Title": "Architecture", "Description": architecture.describe()}
        figure.savefig(path, metadata=metadata)


def draw_graph(axes: Axes, assets: Mapping[str, Asset]) -> None:
    """Draw assets from left to right, each after those that it reads."""
    places = place(assets)
    axes.set_title("Asset graph: one partition per day", loc="left")
    for name, asset in assets.items():
        draw_box(axes, places[name], 0.84, COLORS[asset.group], [name, ", ".join(asset.kinds)])
        for parent in asset.reads:
            (x, y), (end_x, end_y) = places[parent], places[name]
            axes.annotate(
                "",
                (end_x - 0.44, end_y),
                (x + 0.44, y),
                arrowprops={"arrowstyle": "->", "color": EDGE_COLOR},
            )
    fit(axes, places.values())


def place(assets: Mapping[str, Asset]) -> dict[str, tuple[float, float]]:
    """Place each asset: x is its depth in the graph, y spreads those of the same depth."""
    order = TopologicalSorter({name: asset.reads for name, asset in assets.items()}).static_order()
    depth: dict[str, int] = {}
    for name in order:
        depth[name] = 1 + max((depth[parent] for parent in assets[name].reads), default=-1)
    columns: dict[int, list[str]] = defaultdict(list)
    for name in sorted(depth):
        columns[depth[name]].append(name)
    return {
        name: (x, (len(names) - 1) / 2 - row)
        for x, names in columns.items()
        for row, name in enumerate(names)
    }


def draw_layers(axes: Axes, layers: tuple[tuple[str, ...], ...]) -> None:
    """Draw each layer as a row of boxes of its parts, the lowest at the bottom."""
    axes.set_title("Layers of ds_assets: imports go down or sideways", loc="left")
    width = max(len(parts) for parts in layers)
    for level, parts in enumerate(layers):
        share = width / len(parts)
        for column, part in enumerate(parts):
            centre = (column + 0.5) * share
            draw_box(axes, (centre, level * 0.62), share - 0.06, LAYER_COLOR, [part])
    fit(axes, [(0.5, 0), (width - 0.5, (len(layers) - 1) * 0.62)])


def draw_box(
    axes: Axes, centre: tuple[float, float], width: float, color: str, lines: list[str]
) -> None:
    """Draw a box with one line of text, and a smaller one below it if there are two."""
    x, y = centre
    corner = (x - width / 2, y - BOX_HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(corner, width, BOX_HEIGHT, style, facecolor=color, edgecolor=EDGE_COLOR)
    )
    for line, (offset, size) in zip(lines, ((0.08, 9), (-0.12, 7)), strict=False):
        axes.text(x, y + offset * (len(lines) > 1), line, size=size, ha="center", va="center")


def fit(axes: Axes, centres: Iterable[tuple[float, float]]) -> None:
    """Show all boxes around the centres, without axes."""
    xs, ys = zip(*centres, strict=True)
    axes.set_xlim(min(xs) - 0.55, max(xs) + 0.55)
    axes.set_ylim(min(ys) - 0.5, max(ys) + 0.5)
    axes.axis("off")


if __name__ == "__main__":
    main()
