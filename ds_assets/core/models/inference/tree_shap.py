"""Exact SHAP values of boosted trees: how much each feature moved a row's log-odds.

The values are those of path-dependent tree SHAP (Lundberg and others, From local explanations to
global understanding with explainable AI for trees, 2020): where a feature is unknown, a split on
it sends a row down both branches, weighted by the shares of training rows. The output of a tree
depends only on the row's answers to the tree's few splits, so the values of every combination of
answers are tabulated once, when trees are loaded, and explaining a row is a table look-up.

Scope: the trees in an ONNX file, and the SHAP values of rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.learning.onnx_export import ENSEMBLES
from ds_assets.errors import InputError

MAX_SPLITS_PER_TREE = 12
"""Each split doubles the combinations of answers that are tabulated."""
_BLOCK_ROWS = 256
"""Rows per look-up: as many as fit into the processor's cache."""


@dataclass(frozen=True)
class Trees:
    """Trees as questions, and as tables of SHAP values by the answers.

    A question is whether a value is at most a threshold; for a missing value the answer is no. A
    split that sends missing values with the small ones asks about the negated value.

    Attributes:
        features: Columns of the matrix.
        base: Log-odds of a row without known features.
        split_features: Column of each question, shape (questions,); from `features` on, negated.
        thresholds: Threshold of each question, float32, shape (questions, 1).
        bits: What a yes adds to the code of a tree's answers: sparse, shape (trees, questions).
        table: SHAP values by tree, feature of the tree and code, concatenated, float32.
        tree_of: Tree of each pair of a tree and one of its features, shape (pairs,).
        starts: Where the table of each pair starts, shape (pairs, 1).
        totals: Adds the pairs of each feature: sparse, shape (features, pairs).
    """

    features: int
    base: float
    split_features: NDArray[np.intp]
    thresholds: NDArray[np.float32]
    bits: Any
    table: NDArray[np.float32]
    tree_of: NDArray[np.intp]
    starts: NDArray[np.intp]
    totals: Any


def shap_values(trees: Trees, matrix: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Compute the SHAP values of rows.

    The values of a row do not depend on the other rows.

    Args:
        trees: The model.
        matrix: Encoded features, shape (rows, features).

    Returns:
        Contribution of each feature to the log-odds (to the value, for a regressor), shape (rows,
        features), in Fortran order; and the base value that they are added to.
    """
    values = np.empty((trees.features, len(matrix)), dtype=np.float32)
    for start in range(0, len(matrix), _BLOCK_ROWS):
        columns = np.ascontiguousarray(matrix[start : start + _BLOCK_ROWS].T)
        both = np.concatenate([columns, -columns])
        answers = both[trees.split_features] <= trees.thresholds
        codes = trees.bits @ answers.view(np.int8).astype(np.int16)
        places = codes.astype(np.intp)[trees.tree_of]
        places += trees.starts
        values[:, start : start + _BLOCK_ROWS] = trees.totals @ trees.table.take(places)
    return values.T, trees.base


class _Condition(NamedTuple):
    """Condition of a path on one feature: the required answers, as bits of the code."""

    questions: int
    answers: int
    share: float
    """Share of training rows that the path's splits on this feature keep on the path."""


_ANYTHING = _Condition(0, 0, 1.0)


class _Leaf(NamedTuple):
    weight: float
    conditions: dict[int, _Condition]
    """Conditions by feature."""


class _Nodes(NamedTuple):
    """One tree of the file, by node."""

    feature: Sequence[int]
    threshold: NDArray[np.float32]
    missing_is_small: Sequence[bool]
    children: Sequence[tuple[int, int] | None]
    """The nodes for small and for large values; None for a leaf."""
    rows: Sequence[float]
    weight: Mapping[int, float]

    @property
    def splits(self) -> list[int]:
        return [node for node, below in enumerate(self.children) if below is not None]


def load_trees(onnx: bytes) -> Trees:
    """Read the trees of a model, and tabulate SHAP values for every combination of answers.

    Args:
        onnx: The file, as `onnx_export` writes it.

    Raises:
        InputError: the file has no such trees, lacks the number of training rows of each
            node, or has a tree of more than `MAX_SPLITS_PER_TREE` splits.
    """
    features, base, forest = _read(onnx)
    leaves = [list(_leaves(nodes)) for nodes in forest]
    base += sum(map(_compute_expected, leaves))
    used = [sorted({feature for leaf in tree for feature in leaf.conditions}) for tree in leaves]
    tables = [
        _by_code(tree, own, len(nodes.splits))
        for tree, own, nodes in zip(leaves, used, forest, strict=True)
    ]
    split_features, thresholds, bits = _questions(forest, features)
    pairs = _lookups(tables, used, features)
    return Trees(features, base, split_features, thresholds, bits, *pairs)


def _read(onnx: bytes) -> tuple[int, float, list[_Nodes]]:
    """Columns of the matrix, base value and trees of a file."""
    from onnx import helper, load_model_from_string  # noqa: PLC0415  # slow to import

    graph = load_model_from_string(onnx).graph
    ensembles = [node for node in graph.node if node.op_type in ENSEMBLES]
    if len(ensembles) != 1:
        raise InputError(f"the model has {len(ensembles)} ensembles of trees, one is needed")
    attributes = {
        attribute.name: helper.get_attribute_value(attribute)
        for attribute in ensembles[0].attribute
    }
    _refuse_what_is_not_explained(attributes)
    target = "class" if "class_ids" in attributes else "target"
    treeids = np.array(attributes["nodes_treeids"])
    weights = _weights_by_tree(attributes, target)
    forest = [
        _nodes(attributes, np.flatnonzero(treeids == tree), weights[tree])
        for tree in np.unique(treeids).tolist()
    ]
    features = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    return features, sum(attributes.get("base_values", [])), forest


def _refuse_what_is_not_explained(attributes: Mapping[str, Any]) -> None:
    if not set(attributes["nodes_modes"]) <= {b"BRANCH_LEQ", b"LEAF"}:
        raise InputError("only trees whose splits ask for 'at most' can be explained")
    if len({*attributes.get("class_ids", ()), *attributes.get("target_ids", ())}) > 1:
        raise InputError("only a model with one output can be explained")


def _weights_by_tree(attributes: Mapping[str, Any], target: str) -> dict[int, dict[int, float]]:
    weights: dict[int, dict[int, float]] = {}
    columns = (attributes[f"{target}_{name}"] for name in ("treeids", "nodeids", "weights"))
    for tree, node, weight in zip(*columns, strict=True):
        weights.setdefault(tree, {})[node] = weight
    return weights


def _nodes(
    attributes: Mapping[str, Any], own: NDArray[np.intp], weight: dict[int, float]
) -> _Nodes:
    """Read one tree, whose nodes are at the positions `own` of the lists, by ascending id."""

    def listed(name: str) -> list[Any]:
        return [attributes[f"nodes_{name}"][place] for place in own]

    small, large = listed("truenodeids"), listed("falsenodeids")
    nodes = _Nodes(
        listed("featureids"),
        np.array(listed("values"), dtype=np.float32),
        listed("missing_value_tracks_true"),
        [
            None if mode == b"LEAF" else (below, above)
            for mode, below, above in zip(listed("modes"), small, large, strict=True)
        ],
        listed("hitrates"),
        weight,
    )
    _refuse_tree(nodes)
    return nodes


def _refuse_tree(nodes: _Nodes) -> None:
    if len(nodes.splits) > MAX_SPLITS_PER_TREE:
        raise InputError(
            f"a tree has {len(nodes.splits)} splits; {MAX_SPLITS_PER_TREE} at most can be explained"
        )
    for node in nodes.splits:
        below = [nodes.rows[child] for child in nodes.children[node] or ()]
        if min(below) <= 0 or not np.isclose(sum(below), nodes.rows[node], rtol=1e-6):
            raise InputError("the model lacks the number of training rows of each node")


def _leaves(
    nodes: _Nodes, node: int = 0, before: Mapping[int, _Condition] | None = None
) -> Iterator[_Leaf]:
    """Leaves below a node, each with the conditions of its path."""
    conditions = dict(before or {})
    below = nodes.children[node]
    if below is None:
        yield _Leaf(nodes.weight[node], conditions)
        return
    feature, bit = nodes.feature[node], 1 << nodes.splits.index(node)
    condition = conditions.get(feature, _ANYTHING)
    for child, is_small in zip(below, (True, False), strict=True):
        is_yes = is_small != bool(nodes.missing_is_small[node])
        conditions[feature] = _Condition(
            condition.questions | bit,
            condition.answers | (bit if is_yes else 0),
            condition.share * nodes.rows[child] / nodes.rows[node],
        )
        yield from _leaves(nodes, child, conditions)


def _compute_expected(leaves: Sequence[_Leaf]) -> float:
    """Mean output of a tree over its training rows."""
    return sum(
        leaf.weight * prod(condition.share for condition in leaf.conditions.values())
        for leaf in leaves
    )


def _by_code(leaves: Sequence[_Leaf], used: Sequence[int], splits: int) -> NDArray[np.float32]:
    """SHAP values of a tree's features by the code of the answers, shape (features, codes).

    Leaves with fewer conditions are padded with conditions that always hold and change nothing.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415  # slow to import

    most = max(len(leaf.conditions) for leaf in leaves)
    padded = [
        [*leaf.conditions.items(), *[(-1, _ANYTHING)] * (most - len(leaf.conditions))]
        for leaf in leaves
    ]
    parts = np.array([[part for _, part in path] for path in padded]).reshape(len(leaves), most, 3)
    questions, answers = parts[:, :, :2].astype(np.int64).transpose(2, 0, 1)[..., np.newaxis]
    codes = np.arange(2**splits)
    holds = (codes & questions) == answers
    pattern = (holds << np.arange(most)[:, np.newaxis]).sum(axis=1)
    weights = np.array([leaf.weight for leaf in leaves])[:, np.newaxis, np.newaxis]
    values = weights * _by_pattern(parts[:, :, 2])
    of_codes = np.take_along_axis(values, pattern[:, np.newaxis], axis=2)
    path_features = np.array([[feature for feature, _ in path] for path in padded]).ravel()
    is_of = csr_array(np.equal.outer(np.array(used), path_features).astype(np.float64))
    table: NDArray[np.float64] = is_of @ of_codes.reshape(len(path_features), len(codes))
    return table.astype(np.float32)


def _by_pattern(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values of the conditions of leaves, by which of them hold.

    The payoff of a set of known conditions is 1 if all of them hold, times the shares of the others
    (Shapley, A value for n-person games, 1953).

    Args:
        shares: Shape (leaves, conditions).

    Returns:
        Shape (leaves, conditions, 2**conditions); a condition that holds sets its bit.
    """
    leaves, count = shares.shape
    holds = (np.arange(2**count) >> np.arange(count)[:, np.newaxis]) & 1
    weights = np.array([1 / (count * comb(count - 1, size)) for size in range(count)])
    values = np.empty((leaves, count, 2**count))
    for player in range(count):
        # payoffs of all sets of the others, by size: coefficients of a polynomial
        payments = np.zeros((count, leaves, 2**count))
        payments[0] = 1
        for other in {*range(count)} - {player}:
            larger = payments[:-1] * holds[other]
            payments *= shares[:, other, np.newaxis]
            payments[1:] += larger
        pay = (weights[:, np.newaxis, np.newaxis] * payments).sum(axis=0)
        values[:, player] = (holds[player] - shares[:, player, np.newaxis]) * pay
    return values


def _questions(
    forest: Sequence[_Nodes], features: int
) -> tuple[NDArray[np.intp], NDArray[np.float32], Any]:
    """Columns, thresholds and bits of the questions of all trees."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # slow to import

    split_features, thresholds, bits, trees = [], [], [], []
    for tree, nodes in enumerate(forest):
        for place, node in enumerate(nodes.splits):
            threshold, turned = nodes.threshold[node], bool(nodes.missing_is_small[node])
            split_features.append(nodes.feature[node] + turned * features)
            # x > t means -x < -t, that is, -x is at most the next float32 below -t
            thresholds.append(np.nextafter(-threshold, -np.inf) if turned else threshold)
            bits.append(1 << place)
            trees.append(tree)
    shape = (len(forest), len(split_features))
    return (
        np.array(split_features, dtype=np.intp),
        np.array(thresholds, dtype=np.float32)[:, np.newaxis],
        csr_array((np.array(bits, dtype=np.int16), (trees, np.arange(len(split_features)))), shape),
    )


def _lookups(
    tables: Sequence[NDArray[np.float32]], used: Sequence[Sequence[int]], features: int
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp], Any]:
    """Concatenate the tables; return them with the tree and start of each pair, and the totals."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # slow to import

    tree_of = np.repeat(np.arange(len(used)), [len(own) for own in used])
    sizes = [table.shape[1] for table in tables for _ in table]
    feature_of = np.array([feature for own in used for feature in own], dtype=np.intp)
    ones = np.ones(len(tree_of), dtype=np.float32)
    return (
        np.concatenate([np.empty(0, np.float32), *(table.ravel() for table in tables)]),
        tree_of,
        np.array([0, *accumulate(sizes)][:-1], dtype=np.intp)[:, np.newaxis],
        csr_array((ones, (feature_of, np.arange(len(tree_of)))), (features, len(tree_of))),
    )
