import itertools
from math import comb
from typing import Any, Literal

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ds_assets.core.models.inference import tree_shap
from ds_assets.core.models.inference.tree_shap import Trees, load_trees, shap_values
from ds_assets.core.models.learning.boosted_trees import BoostedTrees
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets.errors import InputError
from ds_assets_tests.core.models.tree_factories import make_classifier, make_matrix, make_trees


@pytest.fixture(scope="module")
def model() -> BoostedTrees:
    return make_trees()


@pytest.fixture(scope="module")
def file(model: BoostedTrees) -> bytes:
    return classifier_onnx(make_classifier(model, 0.8, 0.3))


@pytest.fixture(scope="module")
def trees(file: bytes) -> Trees:
    return load_trees(file)


def changed(file: bytes, **attributes: Any) -> bytes:
    """The file with some attributes of its ensemble replaced."""
    proto = onnx.load_model_from_string(file)
    (node,) = proto.graph.node
    kept = [attribute for attribute in node.attribute if attribute.name not in attributes]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(onnx.helper.make_attribute(*item) for item in attributes.items())
    return bytes(proto.SerializeToString())


def by_enumeration(model: BoostedTrees, row: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shapley values from their definition: all sets of known features of each tree."""
    values = np.zeros(len(row))
    for tree in model.booster.dump_model()["tree_info"]:
        root = tree["tree_structure"]
        features = sorted(features_of(root))
        for feature in features:
            others = [other for other in features if other != feature]
            for size in range(len(features)):
                share = 1 / (len(features) * comb(len(others), size))
                for coalition in itertools.combinations(others, size):
                    gain = expected(root, row, {*coalition, feature}) - expected(
                        root, row, {*coalition}
                    )
                    values[feature] += share * gain
    return values


def features_of(node: Any) -> set[int]:
    if "split_feature" not in node:
        return set()
    below = features_of(node["left_child"]) | features_of(node["right_child"])
    return below | {node["split_feature"]}


def rows_of(node: Any) -> int:
    return int(node["internal_count"] if "split_feature" in node else node["leaf_count"])


def expected(node: Any, row: NDArray[np.float32], coalition: set[int]) -> float:
    if "split_feature" not in node:
        return float(node["leaf_value"])
    children = node["left_child"], node["right_child"]
    if node["split_feature"] in coalition:
        value = float(row[node["split_feature"]])
        is_small = node["default_left"] if np.isnan(value) else value <= node["threshold"]
        return expected(children[0 if is_small else 1], row, coalition)
    both = [expected(child, row, coalition) for child in children]
    return float(np.average(both, weights=[rows_of(child) for child in children]))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("objective", ["binary", "regression"])
@pytest.mark.parametrize("parameters", [{}, {"max_depth": -1, "min_data_in_leaf": 1}])
def test_values_are_those_of_lightgbm(
    seed: int, objective: Literal["binary", "regression"], parameters: dict[str, float]
) -> None:
    """LightGBM has the algorithm of the paper that `tree_shap` cites."""
    model = make_trees(seed, objective, rows=1_000, matrix=None, **parameters)
    unseen = make_matrix(300, seed + 10)
    theirs = model.booster.predict(unseen, pred_contrib=True, num_threads=1)
    values, base = shap_values(load_trees(as_onnx(model)), unseen)
    np.testing.assert_allclose(values, theirs[:, :-1], atol=1e-5)
    assert base == pytest.approx(model.base + theirs[0, -1], abs=1e-5)


def test_values_are_shapleys_as_he_defined_them() -> None:
    model, unseen = make_trees(num_iterations=4), make_matrix(8, 10)
    values, _ = shap_values(load_trees(as_onnx(model)), unseen)
    np.testing.assert_allclose(values, [by_enumeration(model, row) for row in unseen], atol=1e-5)


any_value = st.floats(width=32, allow_infinity=False)
some_rows = st.integers(0, 5).flatmap(
    lambda rows: arrays(np.float32, (rows, make_matrix(1).shape[1]), elements=any_value)
)


@pytest.fixture(scope="module")
def session(file: bytes) -> Any:
    import onnxruntime  # noqa: PLC0415  # slow to import

    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


@given(some_rows)
def test_base_and_values_add_up_to_the_log_odds_of_the_file(
    trees: Trees, session: Any, matrix: NDArray[np.float32]
) -> None:
    (sigmoid,) = session.run(["probabilities"], {"X": matrix})
    chance = sigmoid[:, 1].astype(np.float64)
    values, base = shap_values(trees, matrix)
    expected = np.log(chance / (1 - chance))
    np.testing.assert_allclose(base + values.sum(axis=1), expected, atol=1e-4)


@given(some_rows, st.integers(1, 3))
def test_a_row_is_explained_alike_alone_and_among_others(
    trees: Trees, matrix: NDArray[np.float32], block: int
) -> None:
    together, _ = shap_values(trees, matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree_shap, "_BLOCK_ROWS", block)
        np.testing.assert_array_equal(shap_values(trees, matrix)[0], together)
    for row, values in zip(matrix, together, strict=True):
        np.testing.assert_array_equal(shap_values(trees, row[np.newaxis])[0][0], values)


def test_values_add_up_over_more_rows_than_a_block_holds(model: BoostedTrees, trees: Trees) -> None:
    matrix = make_matrix(3 * tree_shap._BLOCK_ROWS + 1, 5)
    values, base = shap_values(trees, matrix)
    log_odds = 0.8 * model.sums(matrix) + 0.3
    np.testing.assert_allclose(base + values.sum(axis=1), log_odds, atol=1e-5)


def test_infinite_values_are_explained_as_the_file_reads_them(trees: Trees, session: Any) -> None:
    for value in (np.inf, -np.inf):
        matrix = np.full((1, trees.features), value, dtype=np.float32)
        values, base = shap_values(trees, matrix)
        (chances,) = session.run(["probabilities"], {"X": matrix})
        log_odds = np.log(chances[0, 1] / chances[0, 0])
        assert base + values.sum() == pytest.approx(log_odds, abs=1e-4)


def test_features_that_no_tree_asks_about_move_nothing(trees: Trees) -> None:
    values, _ = shap_values(trees, make_matrix(100, 10))
    assert not values[:, 8].any()
    assert not values[:, 10].any()
    assert values[:, 0].any()


def test_base_is_what_the_model_says_on_average_of_its_training_rows(
    model: BoostedTrees, trees: Trees
) -> None:
    mean = model.sums(make_matrix(1_000, 0)).mean()
    assert trees.base == pytest.approx(0.8 * mean + 0.3, abs=1e-5)


def test_a_model_without_splits_explains_nothing() -> None:
    trees = load_trees(as_onnx(make_trees(matrix=np.ones((100, 9), dtype=np.float32))))
    values, base = shap_values(trees, np.ones((3, 9), dtype=np.float32))
    assert values.shape == (3, 9)
    assert not values.any()
    assert base == pytest.approx(np.log(0.4 / 0.6))


def test_no_rows_have_no_values(trees: Trees) -> None:
    values, _ = shap_values(trees, np.empty((0, trees.features), dtype=np.float32))
    assert values.shape == (0, trees.features)


def test_tables_of_the_usual_size_are_small() -> None:
    trees = load_trees(as_onnx(make_trees(num_iterations=120)))
    assert trees.table.nbytes < 12_000_000


def test_trees_with_too_many_splits_are_refused() -> None:
    with pytest.raises(InputError, match="a tree has 14 splits; 12 at most can be explained"):
        load_trees(as_onnx(make_trees(num_leaves=15)))


def test_a_file_that_does_not_count_training_rows_is_refused(file: bytes) -> None:
    (node,) = onnx.load_model_from_string(file).graph.node
    (rows,) = (
        attribute.floats for attribute in node.attribute if attribute.name == "nodes_hitrates"
    )
    for wrong in ([1.0] * len(rows), [0.0] * len(rows)):
        with pytest.raises(InputError, match="lacks the number of training rows of each node"):
            load_trees(changed(file, nodes_hitrates=wrong))


def test_other_splits_and_more_outputs_are_refused(file: bytes) -> None:
    (node,) = onnx.load_model_from_string(file).graph.node
    attributes = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    modes = [mode.replace(b"_LEQ", b"_LT") for mode in attributes["nodes_modes"]]
    with pytest.raises(InputError, match="'at most'"):
        load_trees(changed(file, nodes_modes=modes))
    classes = [0, 1, *attributes["class_ids"][2:]]
    with pytest.raises(InputError, match="one output"):
        load_trees(changed(file, class_ids=classes))


def test_a_file_without_trees_is_refused(file: bytes) -> None:
    proto = onnx.load_model_from_string(file)
    del proto.graph.node[:]
    with pytest.raises(InputError, match="0 ensembles of trees"):
        load_trees(proto.SerializeToString())
