"""Boosted trees and step functions as one tree ensemble in ONNX, with the counts that SHAP needs.

Scope: from fitted trees to bytes.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ds_assets.core.models.learning.learner import Classifier, FittedClassifier
from ds_assets.core.models.learning.linear_model import StepFunction

_OPSET = {"": 18, "ai.onnx.ml": 3}
ENSEMBLES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
"""ONNX operators that hold all trees of a model."""
_EVERYTHING = float(np.finfo(np.float32).max)
"""A threshold that no value exceeds; a missing value takes the other branch."""


def as_onnx(model: Any, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """Export trees to ONNX: input X (rows, features) float32.

    A classifier has the outputs label and probabilities, a regressor the output variable. The
    attribute nodes_hitrates has the number of training rows that reached each node, by which exact
    explanations weight the branches.

    Args:
        model: A trained binary HistGradientBoostingClassifier, or a HistGradientBoostingRegressor
            of squared errors, without categorical features.
        slope: Factor on the log-odds, or on the regressor's values.
        intercept: Added to them afterwards.
    """
    return _serialize(_scale_trees(model, slope, intercept))


def classifier_onnx(model: Classifier) -> bytes:
    """Export a calibrated classifier to ONNX, all of its trees and step functions as one ensemble.

    The calibration is part of leaves and base value, so that explanations of the file explain the
    calibrated model.
    """
    (first, weight), *others = model.parts
    whole = _export_part(first, model.line.slope * weight, model.line.intercept)
    for part, other_weight in others:
        _append_trees(whole, _export_part(part, model.line.slope * other_weight, 0.0))
    return _serialize(whole)


def _export_part(fitted: FittedClassifier, slope: float, intercept: float) -> Any:
    """Trees and step functions of a fitted model, with their log-odds times a slope."""
    linear = slope * fitted.share
    exported = _scale_trees(
        fitted.learner, slope - linear, intercept + linear * fitted.linear.intercept
    )
    if linear:
        _append_steps(exported, [step.times(linear) for step in fitted.steps])
    return exported


def _scale_trees(model: Any, slope: float, intercept: float) -> Any:
    """The trees of a model as an ONNX model."""
    converted = _convert(model)
    attributes = _attributes(converted)
    weights = "class_weights" if "class_weights" in attributes else "target_weights"
    for name, added in ((weights, 0.0), ("base_values", intercept)):
        attributes[name].floats[:] = slope * np.array(attributes[name].floats) + added
    attributes["nodes_hitrates"].floats[:] = _rows_of_each_node(model)
    return converted


def _append_steps(exported: Any, steps: Sequence[StepFunction]) -> None:
    """Add step functions to a classifier, as trees of one feature each."""
    attributes = _attributes(exported)
    for tree, step in enumerate(steps, start=_count_trees(attributes)):
        for name, column in _as_attributes(_tree_of(step), tree).items():
            _list_values(attributes[name]).extend(column)


def _append_trees(exported: Any, other: Any) -> None:
    """Add the trees of another classifier and its base value."""
    attributes, added = _attributes(exported), _attributes(other)
    trees = _count_trees(attributes)
    for name, attribute in added.items():
        if name.startswith(("nodes_", "class_")):
            values, offset = _list_values(attribute), trees if name.endswith("_treeids") else 0
            _list_values(attributes[name]).extend(
                [value + offset for value in values] if offset else values
            )
    bases = attributes["base_values"].floats
    bases[:] = np.add(bases, added["base_values"].floats)


def _attributes(exported: Any) -> dict[str, Any]:
    """The attributes of the only ensemble of trees, by name."""
    (ensemble,) = (node for node in exported.graph.node if node.op_type in ENSEMBLES)
    return {attribute.name: attribute for attribute in ensemble.attribute}


def _count_trees(attributes: Mapping[str, Any]) -> int:
    return int(attributes["nodes_treeids"].ints[-1]) + 1


def _serialize(exported: Any) -> bytes:
    return bytes(exported.SerializeToString(deterministic=True))


def _convert(model: Any) -> Any:
    from skl2onnx import to_onnx  # noqa: PLC0415  # slow to import

    options = {"zipmap": False} if hasattr(model, "classes_") else None
    example = np.zeros((1, model.n_features_in_), dtype=np.float32)
    with warnings.catch_warnings():
        # the converter writes False for a leaf's 0, which protobuf below 7 accepts with a warning
        warnings.filterwarnings("ignore", ".*Expected an int, got a boolean", DeprecationWarning)
        return to_onnx(model, example, options=options, target_opset=_OPSET, name="boosted_trees")


def _rows_of_each_node(model: Any) -> list[float]:
    """Training rows by tree and node, in the order in which the converter writes nodes."""
    counts = [trees[0].nodes["count"] for trees in model._predictors]  # noqa: SLF001  # nowhere else
    return [float(count) for count in np.concatenate(counts)]


class _Node(NamedTuple):
    """A node of a tree of one feature; its number is its position in the list."""

    feature: int
    threshold: float
    missing_is_small: bool
    small: int
    large: int
    rows: int
    weight: float | None
    """Value of a leaf; None for a split."""


def _tree_of(steps: StepFunction) -> list[_Node]:
    """Turn a step function into a tree, root first."""
    nodes: list[_Node] = []
    if steps.missing is None:
        _grow(nodes, steps, 0, steps.last)
        return nodes
    value, rows = steps.missing
    present = int(steps.rows.sum())
    nodes.append(_Node(steps.feature, _EVERYTHING, False, 2, 1, present + rows, None))
    nodes.append(_Node(0, 0.0, False, 0, 0, rows, value))
    _grow(nodes, steps, 0, steps.last)
    return nodes


def _grow(nodes: list[_Node], steps: StepFunction, first: int, last: int) -> None:
    """Add the nodes of some neighbouring steps, halving them until each is a leaf."""
    place, rows = len(nodes), int(steps.rows[first : last + 1].sum())
    if first == last:
        nodes.append(_Node(0, 0.0, False, 0, 0, rows, float(steps.values[first])))
        return
    middle = (first + last) // 2
    edge, is_small = float(steps.edges[middle]), steps.usual <= middle
    nodes.append(_Node(steps.feature, edge, is_small, place + 1, 0, rows, None))
    _grow(nodes, steps, first, middle)
    nodes[place] = nodes[place]._replace(large=len(nodes))
    _grow(nodes, steps, middle + 1, last)


def _as_attributes(nodes: Iterable[_Node], tree: int) -> dict[str, list[Any]]:
    """Values of the nodes for each attribute of the ensemble."""
    attributes: dict[str, list[Any]] = defaultdict(list)
    for number, node in enumerate(nodes):
        attributes["nodes_treeids"].append(tree)
        attributes["nodes_nodeids"].append(number)
        attributes["nodes_modes"].append(b"BRANCH_LEQ" if node.weight is None else b"LEAF")
        attributes["nodes_featureids"].append(node.feature)
        attributes["nodes_values"].append(node.threshold)
        attributes["nodes_missing_value_tracks_true"].append(int(node.missing_is_small))
        attributes["nodes_truenodeids"].append(node.small)
        attributes["nodes_falsenodeids"].append(node.large)
        attributes["nodes_hitrates"].append(float(node.rows))
        if node.weight is not None:
            attributes["class_treeids"].append(tree)
            attributes["class_nodeids"].append(number)
            attributes["class_ids"].append(0)
            attributes["class_weights"].append(node.weight)
    return attributes


def _list_values(attribute: Any) -> Any:
    """The list of an attribute, whatever its type."""
    return next(
        values for values in (attribute.strings, attribute.floats, attribute.ints) if len(values)
    )
