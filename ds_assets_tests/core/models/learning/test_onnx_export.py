from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ds_assets.core.models.inference.tree_shap import load_trees
from ds_assets.core.models.learning.boosted_trees import BoostedTrees
from ds_assets.core.models.learning.calibration import Calibration, sigmoid
from ds_assets.core.models.learning.learner import (
    GroupClassifier,
    fit_classifier,
    hyper_parameters,
)
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets_tests.core.models.tree_factories import make_classifier, make_matrix, make_trees


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


def thresholds_of(model: bytes) -> NDArray[np.float32]:
    return np.array(attributes(model)["nodes_values"], dtype=np.float32)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_file_says_what_the_classifier_says_whatever_is_missing(seed: int) -> None:
    trees, unseen = make_trees(seed), make_matrix(500, seed + 10)
    unseen[::3, ::2] = np.nan
    outputs = run(classifier_onnx(make_classifier(trees)), unseen)
    assert set(outputs) == {"label", "probabilities"}
    chances = sigmoid(trees.sums(unseen))
    np.testing.assert_allclose(outputs["probabilities"][:, 1], chances, atol=1e-5)
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(outputs["label"], chances > 0.5)


@pytest.fixture(scope="module")
def trees() -> BoostedTrees:
    return make_trees()


@pytest.fixture(scope="module")
def file(trees: BoostedTrees) -> bytes:
    return as_onnx(trees)


any_value = st.floats(width=32, allow_infinity=False)


@given(st.integers(0, 5).flatmap(lambda rows: arrays(np.float32, (rows, 11), elements=any_value)))
def test_the_file_says_what_the_trees_say_of_any_row(
    trees: BoostedTrees, file: bytes, matrix: NDArray[np.float32]
) -> None:
    np.testing.assert_allclose(run(file, matrix)["variable"][:, 0], trees.sums(matrix), atol=1e-5)


def test_values_next_to_a_threshold_take_the_branch_that_they_take_in_the_trees(
    trees: BoostedTrees, file: bytes
) -> None:
    """LightGBM's thresholds are double precision, the file's are single."""
    at = np.unique(thresholds_of(file))
    near = np.concatenate([at, *(np.nextafter(at, np.float32(end)) for end in (-9, 9))])
    matrix = np.repeat(near[:, np.newaxis], 11, axis=1)
    np.testing.assert_allclose(run(file, matrix)["variable"][:, 0], trees.sums(matrix), atol=1e-5)


def test_the_file_says_what_the_regressor_says() -> None:
    trees, unseen = make_trees(objective="regression"), make_matrix(500, 10)
    outputs = run(as_onnx(trees), unseen)
    assert set(outputs) == {"variable"}
    np.testing.assert_allclose(outputs["variable"][:, 0], trees.sums(unseen), atol=1e-5)


@pytest.mark.parametrize(("slope", "intercept"), [(0.7, -0.4), (1.3, 2.0), (0.0, -1.0)])
def test_a_calibration_is_part_of_the_trees(slope: float, intercept: float) -> None:
    trees, unseen = make_trees(), make_matrix(500, 10)
    file = classifier_onnx(make_classifier(trees, slope, intercept))
    expected = sigmoid(slope * trees.sums(unseen) + intercept)
    np.testing.assert_allclose(run(file, unseen)["probabilities"][:, 1], expected, atol=1e-5)


def test_each_node_knows_how_many_training_rows_came_to_it() -> None:
    attributes_of_node = attributes(classifier_onnx(make_classifier(make_trees(rows=700))))
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
    file = classifier_onnx(make_classifier(make_trees(matrix=constant)))
    chances = run(file, make_matrix(50)[:, :9])["probabilities"]
    np.testing.assert_allclose(chances, [[0.6, 0.4]] * 50, atol=1e-6)


def test_the_same_model_gives_the_same_bytes() -> None:
    assert as_onnx(make_trees()) == as_onnx(make_trees())


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
        "num_iterations"
    ] + len(fitted.steps)
