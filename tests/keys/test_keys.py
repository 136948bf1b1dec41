from __future__ import annotations

import copy
import functools
import json
import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import ROOT, SMALL, merge
from hypothesis import given
from hypothesis import strategies as st

from samebits.config.decisive import digest_config
from samebits.config.documents import parse_document, read_document
from samebits.config.loading import check_config, load_config
from samebits.config.schema import make_json_schema
from samebits.config.validation import find_problems
from samebits.config.variants import vary
from samebits.errors import ConfigError
from samebits.keys.config import Config

SHIPPED = sorted(path for path in (ROOT / "confs").glob("*.yaml") if path.name != "datasets.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_are_valid_and_point_editors_at_the_schema(path: Path) -> None:
    check_config(path)
    schema = json.loads((ROOT / "confs/config.schema.json").read_text(encoding="utf-8"))

    jsonschema.validate(read_document(path).value, schema)
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=config.schema.json\n")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_write_every_key_out(path: Path) -> None:
    written = read_document(path).value
    resolved = load_config(path).resolved

    def missing(wanted: dict[str, Any], found: dict[str, Any], prefix: str) -> list[str]:
        names = [f"{prefix}{key}" for key in wanted if key not in found and (prefix, key) != ("models.", "class")]
        for key, value in wanted.items():
            if isinstance(value, dict) and isinstance(found.get(key), dict) and prefix != "models.":
                names += missing(value, found[key], f"{prefix}{key}.")
        return names

    left_out = [name for name in missing(resolved, written, "") if not name.startswith("models.")]
    from_registry = {"data.path", "data.digest", "data.read"} if "dataset" in written["data"] else set()
    assert set(left_out) <= from_registry


def test_the_shipped_schema_is_the_one_generated() -> None:
    assert json.loads((ROOT / "confs/config.schema.json").read_text(encoding="utf-8")) == make_json_schema()


def test_every_key_of_the_schema_says_what_it_is_for() -> None:
    schema = make_json_schema()
    sections = [schema, *schema["$defs"].values()]

    silent = [key for section in sections for key, field in section["properties"].items() if not field.get("description")]

    assert silent == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sed": 1}, r"sed: expected one of .*seed.*, found 'sed'\. Did you mean 'seed'\?"),
    ({"seed": "x"}, r"seed: expected a whole number, found 'x'"),
    ({"seed": -1}, r"seed: expected at least 0, found -1"),
    ({"seed": 1.5}, r"seed: expected a whole number"),
    ({"seed": ...}, r"seed: expected this key, found nothing"),
    ({"version": "1.0"}, r"version: expected .*found '1\.0'\. Write YYYY\.M\.PATCH"),
    ({"version": "2026.13.0"}, r"version: "),
    ({"data": {"target": 3}}, r"data\.target: expected text, found 3"),
    ({"data": {"read": {"keep_default_na": 5}}}, r"data\.read\.keep_default_na: expected true or false or a mapping, found 5"),
    (
        {"data": {"read": {"decimal": {"a": 5}}}},
        r"data\.read\.decimal\.a: expected text, found 5\. Change the value\.\Z",
    ),
    ({"data": {"rows": [{"keep": {"a": {"mn": 3}}}]}}, r"data\.rows\.0\.keep\.a\.mn: expected one of .*Did you mean 'min'\?\Z"),
    ({"data": {"digest": "md5:1"}}, r"data\.digest: .*data pin"),
    ({"data": {"drop": ["diagnosis"]}}, r"data\.drop: expected feature columns, found the target"),
    ({"data": {"read": {"seperator": ";"}}}, r"data\.read\.seperator: expected one of .*sep"),
    ({"registry": {"name": "a/b"}}, r"registry\.name: "),
    ({"registry": {"name": ".."}}, r"registry\.name: expected a name that is no path, found '\.\.'"),
    ({"registry": {"name": "a", "alias": "latest"}}, r"registry\.alias: expected an alias that means no version by itself"),
    ({"registry": {"name": "a", "alias": "v3"}}, r"registry\.alias: .*such as champion"),
    ({"registry": {"name": "a", "margin": -1}}, r"registry\.margin: expected at least 0"),
    ({"registry": {"name": "a", "level": "L3"}}, r"registry\.level: "),
    ({"registry": {"margin": 0.1}}, r"registry: expected the name of a registered model beside them, found none"),
    ({"split": {"method": "tme"}}, r"split\.method: .*Did you mean 'time'\?"),
    ({"split": {"method": "time"}}, r"split\.column: expected the column of the time, found nothing"),
    ({"split": {"method": "time", "column": "d", "random_state": 3}}, r"split\.random_state: expected no such key under method time"),
    ({"split": {"test_size": 1.0}}, r"split\.test_size: expected a fraction less than 1"),
    ({"split": {"test_size": 0}}, r"split\.test_size: expected more than 0"),
    ({"split": {"tst_size": 0.1}}, r"split\.tst_size: .*Did you mean 'test_size'\?"),
    ({"models": {"knnn": {}}}, r"models\.knnn: .*Did you mean 'knn'\?"),
    ({"models": {}}, r"models: "),
    (
        {"task": "regression", "business": ..., "models": {"logistic_regression": {}}},
        r"models\.logistic_regression: expected a model for regression",
    ),
    ({"task": "multiclass"}, r"business\.target_precision: expected a binary task"),
    ({"task": "multiclass", "business": {"target_precision": None, "f_beta": 2.0}}, r"business\.f_beta: expected a binary task"),
    (
        {"business": {"threshold": 0.3}},
        r"business\.threshold: expected one of target_precision, .*found target_precision and threshold",
    ),
    ({"business": {"target_precision": None, "f_beta": 0}}, r"business\.f_beta: expected more than 0"),
    (
        {"business": {"target_precision": None, "costs": {"false_positive": 1.0}}},
        r"business\.costs\.false_negative: expected this key",
    ),
    (
        {"business": {"target_precision": None, "costs": {"false_positive": 0, "false_negative": 0}}},
        r"business\.costs: expected a cost above 0, found none",
    ),
    ({"weights": {"column": "diagnosis"}}, r"weights\.column: expected another column, found the target"),
    ({"weights": {"classes": "balance"}}, r"weights\.classes: "),
    ({"weights": {"classes": {"M": -1}}}, r"weights\.classes\.M: expected at least 0"),
    (
        {"task": "regression", "business": ..., "models": {"svm": {}}, "weights": {"classes": "balanced"}},
        r"weights\.classes: expected a cl",
    ),
    ({"data": {"target_transform": "ln"}}, r"data\.target_transform: .*'log1p', 'log' or 'sqrt'"),
    ({"task": "binary", "data": {"target_transform": "log"}}, r"data\.target_transform: expected a regression, found binary"),
    ({"cv": {"n_split": 5}}, r"cv\.n_split: .*Did you mean 'n_splits'\?"),
    ({"n_jobs": 0}, r"n_jobs: expected -1 or at least 1"),
    ({"features": {"ratios": {"a": ["b"]}}}, r"features\.ratios\.a: "),
    (
        {"features": {"ratios": {"a": ["b", "c"]}, "weighted_sums": {"a": {"b": 1.0}}}},
        r"features\.ratios\.a: expected a name of its own",
    ),
    ({"preprocessing": {"columns": [{"columns": "numric"}]}}, r"preprocessing\.columns\.0\.columns: .*Did you mean 'numeric'\?"),
    ({"models": {"rf (big)": {"class": "sklearn.svm.SVC"}}}, r"models\.rf \(big\): expected a name of letters"),
    ({"data": {"dataset": "a@1", "path": ...}}, r"data\.dataset: expected a dataset of"),
    # what only scikit-learn knows
    ({"models": {"knn": {"n_neighbours": 3}}}, r"models\.knn\.n_neighbours: .*Did you mean 'n_neighbors'\?"),
    ({"models": {"knn": {"n_neighbors": "three"}}}, r"models\.knn\.n_neighbors: expected an int .*found 'three'\. See"),
    ({"models": {"svm": {"C": -1.0}}}, r"models\.svm\.C: .*found -1\.0"),
    ({"models": {"a": {"class": "os.system"}}}, r"models\.a\.class: expected a class of sklearn, samebits, found 'os\.system'"),
    ({"models": {"a": {"class": "sklearn.svm.SVX"}}}, r"models\.a\.class: .*found 'SVX'"),
    ({"models": {"a": {"class": "sklearn.nope.SVC"}}}, r"models\.a\.class: expected an importable module"),
    ({"models": {"a": {"class": "sklearn.preprocessing.StandardScaler"}}}, r"models\.a\.class: expected a model \(with predict\)"),
    ({"models": {"a": {"class": "sklearn.base.defaultdict"}}}, r"models\.a\.class: "),
    (
        {"models": {"a": {"class": "numpy.ndarray"}}, "allow": ["pandas"]},
        r"models\.a\.class: expected a class of sklearn, samebits, pandas, found .* add it to allow:",
    ),
    ({"cv": {"class": "sklearn.svm.SVC", "n_splits": ...}}, r"cv\.class: expected a splitter"),
    ({"scoring": "acuracy"}, r"scoring: .*Did you mean 'accuracy'\?"),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG, ids=lambda value: None)
def test_a_wrong_key_is_refused_with_file_line_path_and_what_is_allowed(
    write_config: Callable[..., Path], changes: dict[str, Any], expected: str
) -> None:
    path = write_config(changes)

    with pytest.raises(ConfigError, match=rf"{path}:\d+: {expected}"):
        check_config(path)


def test_all_errors_of_a_file_are_said_at_once(write_config: Callable[..., Path]) -> None:
    path = write_config({"sed": 1, "n_jobs": 0, "cv": {"n_splits": 0}, "models": {"knn": {"n_neighbours": 3}, "kn": {}}})

    with pytest.raises(ConfigError) as caught:
        check_config(path)

    found = sorted(problem.where.partition(": ")[2] for problem in caught.value.problems)
    assert found == ["cv.n_splits", "models.kn", "models.knn.n_neighbours", "n_jobs", "sed"]


def test_toml_and_json_give_the_same_config_as_yaml(write_config: Callable[..., Path], tmp_path: Path) -> None:
    yaml_path = write_config()
    json_path = tmp_path / "same.json"
    json_path.write_text(json.dumps(SMALL, indent="\t"), encoding="utf-8")
    toml_path = tmp_path / "same.toml"
    data = SMALL["data"]
    toml_path.write_text(
        f'name = "small"\nversion = "2026.11.0"\nseed = 7\n[data]\npath = "{data["path"]}"\ntarget = "diagnosis"\n'
        'positive = "M"\ndrop = ["id"]\n[models.logistic_regression]\nmax_iter = 500\n[cv]\nn_splits = 3\n'
        '[business]\ntarget_precision = 0.9\n[report]\ndetail = "none"\n',
        encoding="utf-8",
    )

    resolved = [load_config(path).resolved for path in (yaml_path, json_path, toml_path)]

    assert resolved[0] == resolved[1] == resolved[2]
    assert tomllib.loads(toml_path.read_text(encoding="utf-8")) == json.loads(json_path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["list[str]", "a\x1b[8m", "str", "literal['all']", "[", "Range"])
def test_an_unknown_key_is_named_whatever_it_looks_like(tmp_path: Path, name: str) -> None:
    """Python's reader of TOML tells no lines, so that only its name says which key it is."""
    path = tmp_path / "odd.toml"
    said = "\n".join(f"{json.dumps(key)} = {json.dumps(SMALL[key])}" for key in ("name", "version", "seed"))
    path.write_text(f"{said}\n{json.dumps(name)} = 1\n[data]\n{json.dumps(name)} = 2\npath = 'a.csv'\ntarget = 'y'\n[models.dummy]\n")

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert [problem.found for problem in caught.value.problems] == [repr(name)] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 8},
        {"task": "binary"},
        {"numeric_profile": "native"},
        {"data": {"positive": "B"}},
        {"data": {"read": {"sep": ";"}}},
        {"split": {"test_size": 0.3}},
        {"split": {"test_size": 100}},
        {"features": {"epsilon": 0.1}},
        {"preprocessing": {"scale": False}},
        {"models": {"knn": {}}},
        {"models": {"logistic_regression": {"max_iter": 501}}},
        {"cv": {"n_splits": 4}},
        {"scoring": "f1"},
        {"business": {"target_precision": 0.8}},
        {"business": {"target_precision": None, "threshold": 0.4}},
        {"business": {"target_precision": None, "f_beta": 2.0}},
        {"business": {"target_precision": None, "costs": {"false_positive": 1.0, "false_negative": 2.0}}},
        {"data": {"target_transform": "log1p"}},
        {"keep": "all"},
        {"weights": {"column": "area"}},
        {"weights": {"classes": "balanced"}},
        {"allow": ["pandas"]},
    ],
)
def test_a_key_that_can_change_a_result_changes_the_configs_digest(write_config: Callable[..., Path], changes: dict[str, Any]) -> None:
    assert load_config(write_config(changes)).digest != load_config(write_config()).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"version": "2027.1.0"},
        {"n_jobs": 4},
        {"data": {"path": "elsewhere.csv"}},
        {"data": {"digest": "sha256:" + "0" * 64}},
    ],
)
def test_a_key_that_changes_no_result_leaves_the_configs_digest(write_config: Callable[..., Path], changes: dict[str, Any]) -> None:
    assert load_config(write_config(changes)).digest == load_config(write_config()).digest


def test_datasets_are_found_by_name_and_version_and_the_configs_keys_win(tmp_path: Path, write_config: Callable[..., Path]) -> None:
    registry = {"wdbc": {"v1": {"path": "x.csv", "target": "y", "read": {"sep": ";"}}}}
    (tmp_path / "datasets.yaml").write_text(yaml.safe_dump(registry), encoding="utf-8")

    config = load_config(write_config({"data": {"dataset": "wdbc@v1", "path": ...}})).config

    assert config.data.path == "x.csv"
    assert config.data.target == "diagnosis"
    assert config.data.read.sep == ";"


def test_an_unknown_dataset_is_refused_with_those_known(tmp_path: Path, write_config: Callable[..., Path]) -> None:
    (tmp_path / "datasets.yaml").write_text("wdbc: {v1: {path: x}}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"data\.dataset: expected one of wdbc@v1 .*Did you mean 'wdbc@v1'\?"):
        load_config(write_config({"data": {"dataset": "wdbc@v2", "path": ...}}))


@pytest.mark.parametrize("registry", ["[wdbc]", "wdbc: 3", "wdbc: [v1]", "wdbc: {v1: x}", "1: {2: {path: x}}"])
def test_a_registry_of_another_form_is_refused_in_words(tmp_path: Path, write_config: Callable[..., Path], registry: str) -> None:
    (tmp_path / "datasets.yaml").write_text(registry, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"data\.dataset: expected one of .*datasets\.yaml, found 'wdbc@v1'\. "):
        load_config(write_config({"data": {"dataset": "wdbc@v1", "path": ...}}))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(Config.model_fields)), VALUES)
def test_a_config_nobody_thought_of_is_taken_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.json"
    path.write_text(json.dumps(merge(SMALL, {key: value})), encoding="utf-8")

    try:
        check_config(path)
    except ConfigError as error:
        assert str(error).startswith(str(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"split": {"class": "sklearn.model_selection.ShuffleSplit"}, "data": {"test_path": "t.csv", "test_digest": "sha256:" + "0" * 64}},
            r"split\.method: expected path, since data\.test_path",
        ),
        ({"split": {"class": "sklearn.model_selection.ShuffleSplit", "n_train": 5}}, r"split\.n_train: expected no such key beside class"),
        ({"split": {"class": "sklearn.model_selection.ShuffleSplit", "method": "order"}}, r"split\.method: expected class or method"),
        ({"split": {"column": "area", "stratify": False}}, r"split\.stratify: expected nothing, since split\.column names the strata"),
        ({"data": {"read": {"thousands": "."}}}, r"data\.read\.thousands: expected another mark than data\.read\.decimal"),
        ({"data": {"read": {"thousands": {"a": ","}, "decimal": ","}}}, r"data\.read\.thousands: expected another mark than"),
        ({"data": {"read": {"thousands": ",", "decimal": {"a": ","}}}}, r"data\.read\.thousands: expected another mark than"),
        ({"split": {"method": "path"}}, r"data\.test_path: expected the file with the test rows"),
        ({"split": {"method": "path"}, "data": {"test_path": "t.csv"}}, r"data\.test_digest: .*Let `samebits data pin CONF` write it"),
        ({"split": {"method": "value", "column": "area"}}, r"split\.test: expected the values of test rows"),
        ({"split": {"test": ["a"]}}, r"split\.test: expected no such key under method random"),
        ({"data": {"rows": [{}]}}, r"data\.rows\.0: expected one of drop_missing"),
        ({"data": {"rows": [{"first": 3, "sample": 2}]}}, r"data\.rows\.0: expected one of .*found first and sample"),
        ({"data": {"rows": [{"keep": {"area": {}}}]}}, r"data\.rows\.0\.keep\.area: expected a value, values, or a range"),
        ({"features": {"derived": [{"name": "a"}]}}, r"features\.derived\.0: expected one of sum"),
        ({"cv": {"n_splits": 3, "validation_size": 0.5}}, r"cv\.validation_size: expected n_splits: 1 beside it"),
    ],
)  # fmt: skip
def test_keys_that_need_or_exclude_each_other_are_said_before_a_table_is_read(
    write_config: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(changes))


def test_moving_the_file_of_row_numbers_changes_no_digest(write_config: Callable[..., Path]) -> None:
    named = {"method": "rows", "rows_digest": "sha256:" + "0" * 64}

    digests = {load_config(write_config({"split": {**named, "rows_file": name}})).digest for name in ("a.txt", "b/a.txt")}

    assert len(digests) == 1


@pytest.mark.parametrize(
    "changes",
    [
        [{"features": {"derived": [{"name": "a", "fill": {"column": "area", "value": value}}]}} for value in (math.inf, -math.inf)],
        [{"data": {"rows": [{"keep": {"area": {"max": value}}}]}} for value in (math.inf, -math.inf)],
        [{"models": {"svm": {"C": 1.0, "tol": value}}} for value in (math.inf, 1.0)],
    ],
)
def test_an_infinity_decides_like_any_number(write_config: Callable[..., Path], changes: list[dict[str, Any]]) -> None:
    left, right = (load_config(write_config(change)).digest for change in changes)

    assert left != right


def list_key_paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield (*path, key)
            yield from list_key_paths(member, (*path, key))


@pytest.mark.parametrize("odd", [[1], {"a": 1}, [["x"]]], ids=["list", "mapping", "lists"])
def test_a_list_or_mapping_in_any_keys_place_is_a_problem_and_no_bug(odd: Any) -> None:
    written = yaml.safe_load((ROOT / "confs/training.yaml").read_text(encoding="utf-8"))

    for path in list_key_paths(written):
        changed = copy.deepcopy(written)
        section = functools.reduce(lambda part, key: part[key], path[:-1], changed)
        section[path[-1]] = odd
        find_problems(parse_document(Path("a.yaml"), yaml.safe_dump(changed)))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"claims": {"recal": {"at_least": 0.9}}}, "Did you mean 'recall'?"),
        ({"claims": {"rmse": {"at_most": 1.0}}, "task": "binary"}, "claims.rmse"),
        ({"claims": {"recall": {}}}, "expected at_least or at_most"),
        ({"claims": {"group_gap": {"column": "site", "metric": "recall", "at_most": 0.1}}}, "expected one of report.groups"),
        ({"claims": {"group_gap": {"column": "site", "metric": "recal", "at_most": 0.1}}, "report": {"groups": ["site"]}}, "'recall'"),
        ({"report": "shrot"}, "Did you mean 'short'?"),
    ],
)
def test_claims_that_mean_nothing_are_refused(write_config: Callable[..., Path], section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(section))

    assert said in str(caught.value)


def search(method: str, **keys: Any) -> dict[str, Any]:
    return {"search": {"method": method, "models": {"logistic_regression": {"C": [0.1, 1.0]}}, **keys}}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (search("gird"), "Did you mean 'grid'?"),
        (search("random"), "search.n_trials: expected how many are tried"),
        (search("grid", n_trials=3), "search.n_trials: expected no such key under method grid"),
        (search("random", n_trials=3, factor=2), "search.factor: expected no such key under method random"),
        (
            search("grid", models={"logistic_regression": {"C": [*range(1, 401)], "max_iter": [*range(1, 401)]}}),
            "search.models.logistic_regression: expected at most 100,000 combinations of a candidate, found 160,000",
        ),
        (search("grid", batch=2), "search.batch: expected no such key under method grid"),
        (search("grid", models={}), "search: expected parameters under models or preprocessing"),
        (search("grid", models={"logistic_regresion": {"C": [1.0]}}), "Did you mean 'logistic_regression'?"),
        (search("grid", models={"logistic_regression": {"C": []}}), "search.models.logistic_regression.C: expected "),
        (search("grid", models={"logistic_regression": {"C": 1.0}}), "search.models.logistic_regression.C: expected "),
        (search("grid", models={"logistic_regression": {"c": [1.0]}}), "search.models.logistic_regression.c: expected a parameter of"),
        (
            search("grid", models={"logistic_regression": {"C": [1.0, -1.0]}}),
            "search.models.logistic_regression.C: expected a float in",
        ),
        (
            search("grid", models={"logistic_regression": {"C": [1.0, 2.0, 1.0]}}),
            "search.models.logistic_regression.C: expected each value once, found 1.0 twice. Take it off the list.",
        ),
        (
            search("grid", preprocessing={"outlier_factor": [None, 1.5, None]}),
            "outlier_factor: expected each value once, found null twice",
        ),
        (search("grid", models={"logistic_regression": {"C.x": [1.0]}}), "search.models.logistic_regression.C.x: expected "),
        (search("grid", models={"logistic_regression": {"C": {"low": 1.0, "high": 2.0}}}), "expected values to combine"),
        (search("halving", models={"logistic_regression": {"C": {"low": 1.0, "high": 2.0}}}), "expected values to combine"),
        (search("random", n_trials=2, models={"logistic_regression": {"C": {"low": 2.0, "high": 1.0}}}), "expected low below high"),
        (
            search("random", n_trials=2, models={"logistic_regression": {"C": {"low": 0.0, "high": 1.0, "log": True}}}),
            "expected a number above 0, since log is true",
        ),
        (search("random", n_trials=2, models={"logistic_regression": {"C": {"low": -1.0, "high": 1.0}}}), "logistic_regression.C"),
        (search("grid", preprocessing={"scael": [True]}), "Did you mean 'scale'?"),
        (search("grid", preprocessing={"outlier_factor": [-1.0]}), "search.preprocessing.outlier_factor: expected "),
        (
            search("grid", preprocessing={"columns.0.transformers.0.n_knots": [3]}),
            "search.preprocessing.columns.0.transformers.0.n_knots",
        ),
        (
            {**search("grid", nested=True), "split": {"method": "value", "column": "a", "test": [1], "validation": [2]}},
            "search.nested",
        ),
    ],
)
def test_a_search_that_means_nothing_is_refused_before_a_table_is_read(
    write_config: Callable[..., Path], section: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(write_config(section))

    assert said in str(caught.value)


def test_a_search_may_write_every_key_out_and_try_what_is_equal_but_not_the_same(write_config: Callable[..., Path]) -> None:
    models = {"random_forest": {"max_features": [1, 1.0], "bootstrap": [True]}}

    loaded = check_config(
        write_config(
            {"models": {"random_forest": {}}, **search("grid", models=models, n_trials=None, factor=3, batch=4, nested=False)}
        )
    )

    assert loaded.config.search is not None


def test_a_search_reaches_parameters_of_what_stands_inside_another(write_config: Callable[..., Path]) -> None:
    inner = {
        "class": "sklearn.ensemble.AdaBoostClassifier",
        "estimator": {"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 1},
    }
    scaler = {"class": "sklearn.preprocessing.SplineTransformer", "n_knots": 3}
    models = {"ada": {"estimator.max_depth": [1, 2], "estimator": [{"class": "sklearn.tree.ExtraTreeClassifier"}]}}
    preprocessing = {"columns.0.transformers.0.n_knots": [3, 4]}
    keys = {
        "models": {"ada": inner},
        "preprocessing": {"columns": [{"columns": ["mean_area"], "transformers": [scaler]}]},
        **search("grid", models=models, preprocessing=preprocessing),
    }

    loaded = check_config(write_config(keys))

    varied = vary(loaded.config, "ada", {"models.ada.estimator.max_depth": 2, "preprocessing.columns.0.transformers.0.n_knots": 4})
    assert varied.models["ada"].model_dump()["estimator"]["max_depth"] == 2
    assert varied.preprocessing.columns[0].transformers[0].model_dump()["n_knots"] == 4
    assert loaded.config.models["ada"].model_dump()["estimator"]["max_depth"] == 1


def test_no_search_leaves_the_digest_that_a_config_had_before_there_was_one(write_config: Callable[..., Path]) -> None:
    resolved = load_config(write_config({})).resolved
    without = {key: value for key, value in resolved.items() if key != "search"}

    assert resolved["search"] is None
    assert digest_config(resolved) == digest_config(without)
    assert load_config(write_config(search("grid"))).digest != digest_config(resolved)


def test_a_report_may_be_one_word(write_config: Callable[..., Path]) -> None:
    assert load_config(write_config({"report": "none"})).resolved["report"]["detail"] == "none"
