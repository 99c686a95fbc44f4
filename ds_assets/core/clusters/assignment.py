"""From features to the nearest cluster: the same steps for arrays and as an ONNX graph.

Scope: what a cluster model computes, in both forms, which must agree. Scale and centres are fitted
in `clustering`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Array = NDArray[np.float64]

CLIP = 5.0
"""Largest number of standard deviations of a value: a single whale must not become a cluster."""

_OPSET, _IR_VERSION = 18, 8


class Scaling(BaseModel):
    """From the values of features to the scale of distances; one number per feature each.

    A missing value is replaced by `fill`. From sign(x) log(1 + |x|) the `mean` is subtracted; the
    result is divided by `deviation`, clipped to ±`CLIP` and multiplied by `weight`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fill: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weight: tuple[float, ...]


def signed_log(values: Array, fill: Array) -> Array:
    """Fill missing values, and take sign(x) log(1 + |x|).

    Counts, sums and durations are compared by their ratios, which are differences of logarithms.

    Args:
        values: Features, shape (rows, features).
        fill: Values in place of missing ones, shape (features,).
    """
    filled = np.where(np.isnan(values), fill, values)
    return np.sign(filled) * np.log1p(np.abs(filled))


def scale(matrix: NDArray[np.float32], scaling: Scaling) -> Array:
    """Scale features, shape (rows, features), for distances."""
    logs = signed_log(matrix.astype(np.float64), np.array(scaling.fill))
    standard: Array = (logs - np.array(scaling.mean)) / np.array(scaling.deviation)
    return np.clip(standard, -CLIP, CLIP) * np.array(scaling.weight, dtype=np.float64)


def distances_between(scaled: Array, centroids: Array) -> Array:
    """Euclidean distance of each row to each centre, shape (rows, centres).

    Args:
        scaled: Scaled features, shape (rows, features).
        centroids: The centres, shape (centres, features).
    """
    squares = (scaled**2).sum(axis=1, keepdims=True) + (centroids**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares - 2 * scaled @ centroids.T, 0.0)))


_NODES = (
    ("IsNaN", ["value"], "missing"),
    ("Where", ["missing", "fill", "value"], "filled"),
    ("Abs", ["filled"], "absolute"),
    ("Add", ["absolute", "one"], "above_one"),
    ("Log", ["above_one"], "logarithm"),
    ("Sign", ["filled"], "sign"),
    ("Mul", ["sign", "logarithm"], "tamed"),
    ("Sub", ["tamed", "mean"], "centred"),
    ("Div", ["centred", "deviation"], "standard"),
    ("Clip", ["standard", "lowest", "highest"], "clipped"),
    ("Mul", ["clipped", "weight"], "scaled"),
    ("Mul", ["scaled", "scaled"], "scaled_squares"),
    ("ReduceSum", ["scaled_squares", "columns"], "row_squares"),
    ("MatMul", ["scaled", "minus_two_centroids"], "products"),
    ("Add", ["row_squares", "centroid_squares"], "squares"),
    ("Add", ["squares", "products"], "squared_distances"),
    ("Max", ["squared_distances", "zero"], "not_negative"),
    ("Sqrt", ["not_negative"], "distances"),
    ("Gather", ["ids", "place"], "cluster"),
)
"""`scale` and `distances_between` step by step: operator, inputs, output."""


def as_onnx(scaling: Scaling, centroids: Array, ids: NDArray[np.int64]) -> bytes:
    """Build the model in ONNX: input X (rows, features) float32; outputs cluster, distance (rows,).

    Args:
        scaling: Scale of distances.
        centroids: Centres in scaled features, shape (clusters, features).
        ids: Ids of the clusters, shape (clusters,).
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  # slow to import

    constants: dict[str, Any] = {
        **{name: np.array(values) for name, values in scaling.model_dump().items()},
        "zero": np.array(0.0),
        "one": np.array(1.0),
        "lowest": np.array(-CLIP),
        "highest": np.array(CLIP),
        "columns": np.array([1]),
        "minus_two_centroids": -2 * centroids.T,
        "centroid_squares": (centroids**2).sum(axis=1),
        "ids": ids,
    }
    steps = [helper.make_node(name, inputs, [output]) for name, inputs, output in _NODES]
    steps.insert(0, helper.make_node("Cast", ["X"], ["value"], to=TensorProto.DOUBLE))
    nearest = helper.make_node("ArgMin", ["distances"], ["place"], axis=1, keepdims=0)
    least = helper.make_node("ReduceMin", ["distances", "columns"], ["distance"], keepdims=0)
    graph = helper.make_graph(
        [*steps[:-1], nearest, least, steps[-1]],
        "clusters",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, centroids.shape[1]])],
        [
            helper.make_tensor_value_info("cluster", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("distance", TensorProto.DOUBLE, [None]),
        ],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString(deterministic=True))
