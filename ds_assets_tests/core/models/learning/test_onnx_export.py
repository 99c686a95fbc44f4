from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from ds_assets.core.models.inference.tree_shap import load_trees
from ds_assets.core.models.learning.calibration import Calibration, sigmoid
from ds_assets.core.models.learning.learner import (
    GroupClassifier,
    fit_classifier,
    hyper_parameters,
)
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets_tests.core.models.tree_factories import make_matrix, make_trees


def run(model: bytes, matrix: NDArray[np.float32]) -> dict[str, Any]:
    import onnxruntime  # noqa: PLC0415  # slow to import

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"X": matrix}), strict=True))


def attributes(model: bytes) -> dict[str, Any]:
    (node,) = onnx.load_model_from_string(model).graph.node
    return {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_the_file_says_what_the_classifier_says_whatever_is_missing(seed: int) -> None:
    trees, unseen = make_trees(seed), make_matrix(500, seed + 10)
    outputs = run(as_onnx(trees), unseen)
    assert set(outputs) == {"label", "probabilities"}
    np.testing.assert_allclose(outputs["probabilities"], trees.predict_proba(unseen), atol=1e-5)
    np.testing.assert_array_equal(outputs["label"], trees.predict(unseen))


def test_the_file_says_what_the_regressor_says() -> None:
    trees, unseen = make_trees(kind="regressor"), make_matrix(500, 10)
    outputs = run(as_onnx(trees, 2.0, 1.0), unseen)
    assert set(outputs) == {"variable"}
    np.testing.assert_allclose(outputs["variable"][:, 0], 2 * trees.predict(unseen) + 1, atol=1e-5)


@pytest.mark.parametrize(("slope", "intercept"), [(0.7, -0.4), (1.3, 2.0), (0.0, -1.0)])
def test_a_calibration_is_part_of_the_trees(slope: float, intercept: float) -> None:
    trees, unseen = make_trees(), make_matrix(500, 10)
    chances = run(as_onnx(trees, slope, intercept), unseen)["probabilities"][:, 1]
    expected = sigmoid(slope * trees.decision_function(unseen) + intercept)
    np.testing.assert_allclose(chances, expected, atol=1e-5)


def test_without_calibration_leaves_are_as_they_were_learnt() -> None:
    trees = make_trees()
    nodes = np.concatenate([tree.nodes for (tree,) in trees._predictors])
    learnt = nodes["value"][nodes["is_leaf"] == 1].astype(np.float32)
    np.testing.assert_array_equal(attributes(as_onnx(trees))["class_weights"], learnt)


def test_each_node_knows_how_many_training_rows_came_to_it() -> None:
    attributes_of_node = attributes(as_onnx(make_trees(rows=700)))
    rows = dict(
        zip(
            zip(
                attributes_of_node["nodes_treeids"],
                attributes_of_node["nodes_nodeids"],
                strict=True,
            ),
            attributes_of_node["nodes_hitrates"],
            strict=True,
        )
    )
    assert {rows[tree, 0] for tree in attributes_of_node["nodes_treeids"]} == {700.0}
    leaves = zip(
        attributes_of_node["class_treeids"], attributes_of_node["class_nodeids"], strict=True
    )
    assert sum(rows[leaf] for leaf in leaves) == 700 * len(set(attributes_of_node["nodes_treeids"]))


def test_a_model_that_found_nothing_to_split_by_says_the_base_rate() -> None:
    constant = np.ones((100, 9), dtype=np.float32)
    chances = run(as_onnx(make_trees(matrix=constant)), make_matrix(50)[:, :9])["probabilities"]
    np.testing.assert_allclose(chances, [[0.6, 0.4]] * 50, atol=1e-6)


def test_the_same_model_gives_the_same_bytes() -> None:
    assert as_onnx(make_trees(), 0.9) == as_onnx(make_trees(), 0.9)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_file_of_a_mixture_says_what_trees_and_steps_say_together(share: float) -> None:
    matrix, unseen = make_matrix(1_000), make_matrix(500, 10)
    fitted = fit_classifier(matrix, np.nan_to_num(matrix[:, 0]) > 0, share, 0)
    line = Calibration(slope=0.8, intercept=0.1)
    chances = run(classifier_onnx(replace(fitted, line=line)), unseen)["probabilities"][:, 1]
    np.testing.assert_allclose(chances, sigmoid(line.log_odds(fitted.raw(unseen))), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_file_of_a_group_model_says_what_both_models_say_together(share: float) -> None:
    matrix, unseen = make_matrix(1_000), make_matrix(500, 10)
    labels = np.nan_to_num(matrix[:, 0]) > 0
    whole = fit_classifier(matrix, labels, share, 0)
    own = fit_classifier(matrix[:300], ~labels[:300], 0.5, 1)
    of_group = GroupClassifier(own, whole, 0.3, Calibration(slope=0.9, intercept=-0.2))
    file = classifier_onnx(of_group)
    chances = run(file, unseen)["probabilities"][:, 1]
    np.testing.assert_allclose(chances, sigmoid(of_group.log_odds(unseen)), atol=1e-5)
    trees = attributes(file)["nodes_treeids"]
    assert list(trees) == sorted(trees)
    load_trees(file)  # which refuses a file with a node that does not know its rows


def test_every_node_of_a_mixture_knows_its_training_rows() -> None:
    matrix = make_matrix(1_000)
    fitted = fit_classifier(matrix, np.nan_to_num(matrix[:, 0]) > 0, 0.5, 0)
    load_trees(classifier_onnx(fitted))  # which refuses a file without them
    attributes_of_node = attributes(classifier_onnx(fitted))
    assert len(set(attributes_of_node["nodes_treeids"])) == hyper_parameters(1_000)[
        "max_iter"
    ] + len(fitted.steps)
