"""Boosted trees and step functions as one tree ensemble in ONNX, with the counts that SHAP needs.

Scope: from fitted trees to bytes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ds_assets.core.models.learning.boosted_trees import BoostedTrees
from ds_assets.core.models.learning.learner import Classifier, FittedClassifier
from ds_assets.core.models.learning.linear_model import StepFunction

_OPSETS = {"": 18, "ai.onnx.ml": 1}
_IR_VERSION = 8
_CLASSIFIER, _REGRESSOR = ENSEMBLES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
"""ONNX operators that hold all trees of a model."""
_EVERYTHING = float(np.finfo(np.float32).max)
"""A threshold that no value exceeds; a missing value takes the other branch."""
_ZERO = np.float32(1e-35)
"""LightGBM reads values between -1e-35 and 1e-35, inclusive, as 0."""


def as_onnx(trees: BoostedTrees) -> bytes:
    """Export the trees of a number to ONNX: input X (rows, features) float32, output variable.

    The attribute nodes_hitrates has the number of training rows that reached each node, by which
    exact explanations weight the branches.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415  # slow to import

    variable = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])
    attributes = {"base_values": [trees.base], "n_targets": 1, "post_transform": "NONE"}
    attributes |= _as_attributes(_boosted(trees, 1.0), "target")
    return _serialize(_REGRESSOR, attributes, len(trees.usual), [variable])


def classifier_onnx(model: Classifier) -> bytes:
    """Export a calibrated classifier to ONNX, all of its trees and step functions as one ensemble.

    Input and counts are those of `as_onnx`, outputs are label and probabilities. The calibration is
    part of leaves and base value, so that explanations of the file explain the calibrated model.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415  # slow to import

    base, forest = model.line.intercept, []
    for part, weight in model.parts:
        part_base, part_forest = _scale(part, model.line.slope * weight)
        base += part_base
        forest += part_forest
    attributes = {"base_values": [base], "post_transform": "LOGISTIC", "classlabels_int64s": [0, 1]}
    attributes |= _as_attributes(forest, "class")
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    features = len(model.parts[0][0].learner.usual)
    return _serialize(_CLASSIFIER, attributes, features, outputs)


class _Node(NamedTuple):
    """A node of a tree; its number is its position in the list."""

    feature: int
    threshold: float
    missing_is_small: bool
    small: int
    large: int
    rows: int
    weight: float | None
    """Value of a leaf; None for a split."""


_Tree: TypeAlias = list[_Node]
"""Root first."""


def _leaf(rows: int, weight: float) -> _Node:
    return _Node(0, 0.0, False, 0, 0, rows, weight)


def _scale(fitted: FittedClassifier, slope: float) -> tuple[float, list[_Tree]]:
    """Base value, trees and step functions of a fitted model, with their log-odds times a slope."""
    linear = slope * fitted.share
    base = (slope - linear) * fitted.learner.base + linear * fitted.linear.intercept
    steps = [_tree_of(step.times(linear)) for step in fitted.steps] if linear else []
    return base, [*_boosted(fitted.learner, slope - linear), *steps]


def _boosted(trees: BoostedTrees, factor: float) -> Iterator[_Tree]:
    """The boosted trees, multiplied by a factor."""
    usual = np.nan_to_num(trees.usual)
    for tree in trees.booster.dump_model()["tree_info"]:
        nodes: _Tree = []
        _add(nodes, tree["tree_structure"], usual, factor)
        yield nodes


def _add(nodes: _Tree, node: Mapping[str, Any], usual: Any, factor: float) -> None:
    """Add a node of LightGBM and the nodes below it.

    Args:
        nodes: Nodes of the tree so far.
        node: The node, as LightGBM describes it.
        usual: What stands for a missing value where the trees have learnt nothing of it, by
            feature: without a usual value, LightGBM takes 0.
        factor: Factor on the leaves.
    """
    if "split_feature" not in node:
        nodes.append(_leaf(node["leaf_count"], factor * node["leaf_value"]))
        return
    place, feature, threshold = len(nodes), node["split_feature"], _round_down(node["threshold"])
    knows_missing = node["missing_type"] == "NaN"
    is_small = node["default_left"] if knows_missing else bool(usual[feature] <= threshold)
    nodes.append(_Node(feature, threshold, is_small, place + 1, 0, node["internal_count"], None))
    _add(nodes, node["left_child"], usual, factor)
    nodes[place] = nodes[place]._replace(large=len(nodes))
    _add(nodes, node["right_child"], usual, factor)


def _round_down(threshold: float) -> float:
    """The largest float32 that LightGBM finds to be at most a threshold."""
    with np.errstate(over="ignore"):
        nearest = np.float32(threshold)
    is_below = float(nearest) <= threshold and nearest != -_ZERO
    return float(nearest if is_below else np.nextafter(nearest, np.float32(-np.inf)))


def _tree_of(steps: StepFunction) -> _Tree:
    """Turn a step function into a tree."""
    nodes: _Tree = []
    if steps.missing is None:
        _grow(nodes, steps, 0, steps.last)
        return nodes
    value, rows = steps.missing
    present = int(steps.rows.sum())
    nodes.append(_Node(steps.feature, _EVERYTHING, False, 2, 1, present + rows, None))
    nodes.append(_leaf(rows, value))
    _grow(nodes, steps, 0, steps.last)
    return nodes


def _grow(nodes: _Tree, steps: StepFunction, first: int, last: int) -> None:
    """Add the nodes of some neighbouring steps, halving them until each is a leaf."""
    place, rows = len(nodes), int(steps.rows[first : last + 1].sum())
    if first == last:
        nodes.append(_leaf(rows, float(steps.values[first])))
        return
    middle = (first + last) // 2
    edge, is_small = float(steps.edges[middle]), steps.usual <= middle
    nodes.append(_Node(steps.feature, edge, is_small, place + 1, 0, rows, None))
    _grow(nodes, steps, first, middle)
    nodes[place] = nodes[place]._replace(large=len(nodes))
    _grow(nodes, steps, middle + 1, last)


def _as_attributes(forest: Iterable[_Tree], leaves: str) -> dict[str, Any]:
    """Attributes of the ensemble, a value per node, or per leaf.

    Args:
        forest: The trees.
        leaves: How the names of the attributes of leaves begin.
    """
    attributes: dict[str, list[Any]] = defaultdict(list)
    nodes = ((tree, *node) for tree, own in enumerate(forest) for node in enumerate(own))
    for tree, number, node in nodes:
        attributes["nodes_treeids"].append(tree)
        attributes["nodes_nodeids"].append(number)
        attributes["nodes_modes"].append("BRANCH_LEQ" if node.weight is None else "LEAF")
        attributes["nodes_featureids"].append(node.feature)
        attributes["nodes_values"].append(node.threshold)
        attributes["nodes_missing_value_tracks_true"].append(int(node.missing_is_small))
        attributes["nodes_truenodeids"].append(node.small)
        attributes["nodes_falsenodeids"].append(node.large)
        attributes["nodes_hitrates"].append(float(node.rows))
        if node.weight is not None:
            attributes[f"{leaves}_treeids"].append(tree)
            attributes[f"{leaves}_nodeids"].append(number)
            attributes[f"{leaves}_ids"].append(0)
            attributes[f"{leaves}_weights"].append(node.weight)
    return attributes


def _serialize(
    operator: str, attributes: Mapping[str, Any], features: int, outputs: Sequence[Any]
) -> bytes:
    """A model of one ensemble of trees."""
    from onnx import TensorProto, helper  # noqa: PLC0415  # slow to import

    names = [output.name for output in outputs]
    ensemble = helper.make_node(operator, ["X"], names, domain="ai.onnx.ml", **attributes)
    rows = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, features])
    graph = helper.make_graph([ensemble], "boosted_trees", [rows], outputs)
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))
