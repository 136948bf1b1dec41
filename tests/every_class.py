"""Every class of scikit-learn's that a config can name, with what it needs to be tried, and how it is tried.

What is not named here is tried as it comes: a class of a later scikit-learn that cannot be, fails its test, and is to be given what it
needs, or its refusal. Nothing is left out in silence.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn.experimental.enable_halving_search_cv
import sklearn.experimental.enable_iterative_imputer
import sklearn.model_selection
import yaml
from sklearn.metrics import get_scorer_names
from sklearn.utils import all_estimators

from samebits.candidates import units
from samebits.candidates.fitting import fit_model
from samebits.candidates.materials import Materials, prepare_materials
from samebits.candidates.selection import make_task
from samebits.config.catalog import is_regression_scoring
from samebits.config.loading import check_config
from samebits.estimation.prediction import Answers, Prediction, predict_rows
from samebits.estimation.scoring import make_scorer
from samebits.model.file import load_model
from samebits.training.storing import rehearse_storing, store_model

SEED = 3
LOGISTIC = {"class": "sklearn.linear_model.LogisticRegression"}
RIDGE = {"class": "sklearn.linear_model.Ridge"}
TREE = {"class": "sklearn.tree.DecisionTreeClassifier", "max_depth": 2}
SCALER = {"class": "sklearn.preprocessing.StandardScaler"}
PCA = {"class": "sklearn.decomposition.PCA", "n_components": 2}
ONE_COLUMN = {"class": "sklearn.decomposition.PCA", "n_components": 1}
ABOVE_ZERO = {"class": "sklearn.preprocessing.MinMaxScaler", "feature_range": [0.5, 1.5], "clip": True}
RANKS = {
    "class": "sklearn.preprocessing.KBinsDiscretizer",
    "n_bins": 2,
    "encode": "ordinal",
    "quantile_method": "averaged_inverted_cdf",
}

# Of a parameter that a class takes, a value that keeps its test short.
SHORT: dict[str, Any] = {"n_estimators": 5, "n_init": 1, "cv": 2, "n_quantiles": 20}
# What an outer estimator cannot do without.
INNER: dict[str, Any] = {
    "estimator": LOGISTIC,
    "estimators": [["one", LOGISTIC], ["two", TREE]],
    "transformers": [["one", PCA, [0, 1, 2]], ["two", "passthrough", [3]]],
    "transformer_list": [["one", PCA], ["two", SCALER]],
    "steps": [["one", PCA], ["two", LOGISTIC]],
}
INNER_OF_QUANTITIES: dict[str, Any] = {
    **INNER,
    "estimator": RIDGE,
    "estimators": [["one", RIDGE], ["two", {"class": "sklearn.svm.SVR"}]],
}
DEPTHS: dict[str, Any] = {"estimator": TREE, "cv": 2}
# What a class cannot do without on so small a table, or is too slow without.
PARAMETERS: dict[str, dict[str, Any]] = {
    "BernoulliRBM": {"n_iter": 3},
    "CCA": {"n_components": 1},
    "DictionaryLearning": {"n_components": 2, "max_iter": 5},
    "ElasticNetCV": {"alphas": 5},
    "GaussianRandomProjection": {"n_components": 2},
    "GridSearchCV": {**DEPTHS, "param_grid": {"max_depth": [1, 2]}},
    "HalvingGridSearchCV": {**DEPTHS, "param_grid": {"max_depth": [1, 2]}, "min_resources": 16},
    "HalvingRandomSearchCV": {**DEPTHS, "param_distributions": {"max_depth": [1, 2]}, "min_resources": 16},
    "HashingVectorizer": {"n_features": 64},
    "IsotonicRegression": {"out_of_bounds": "clip"},
    "LassoCV": {"alphas": 5},
    "LatentDirichletAllocation": {"max_iter": 3},
    "LogisticRegressionCV": {"Cs": 2, "l1_ratios": [0.0], "scoring": "accuracy", "use_legacy_attributes": False},
    "MLPClassifier": {"hidden_layer_sizes": [5], "max_iter": 20},
    "MLPRegressor": {"hidden_layer_sizes": [5], "max_iter": 20},
    "MiniBatchDictionaryLearning": {"n_components": 2, "max_iter": 3},
    "MiniBatchSparsePCA": {"n_components": 2, "max_iter": 3},
    "MissingIndicator": {"features": "all"},
    "Nystroem": {"n_components": 10},
    "OneHotEncoder": {"handle_unknown": "ignore"},
    "OrdinalEncoder": {"handle_unknown": "use_encoded_value", "unknown_value": -1},
    "PLSCanonical": {"n_components": 1},
    "PLSSVD": {"n_components": 1},
    "RadiusNeighborsClassifier": {"radius": 9.0},
    "RadiusNeighborsRegressor": {"radius": 9.0},
    "RandomizedSearchCV": {**DEPTHS, "param_distributions": {"max_depth": [1, 2]}, "n_iter": 2},
    "SelectKBest": {"k": 2},
    "SelfTrainingClassifier": {"estimator": LOGISTIC},
    "SparseCoder": {"dictionary": [[1.0, 0.0, 0.0, 0.0]]},
    "SparseRandomProjection": {"n_components": 2},
    "TheilSenRegressor": {"max_subpopulation": 100},
}
# What stands before a class that takes other numbers than a table's.
BEFORE: dict[str, dict[str, Any]] = {
    "AdditiveChi2Sampler": ABOVE_ZERO,
    "CategoricalNB": RANKS,
    "ComplementNB": ABOVE_ZERO,
    "IsotonicRegression": ONE_COLUMN,
    "LatentDirichletAllocation": ABOVE_ZERO,
    "MiniBatchNMF": ABOVE_ZERO,
    "MultinomialNB": ABOVE_ZERO,
    "NMF": ABOVE_ZERO,
    "SkewedChi2Sampler": ABOVE_ZERO,
}
# Of all_estimators() those that are no classifier, regressor or transformer by its word, but stand where one stands.
ROLES: dict[str, str] = {"CountVectorizer": "transformer", "TfidfVectorizer": "transformer"}
GROUNDS = {"texts": ["CountVectorizer", "HashingVectorizer", "TfidfVectorizer"], "whole labels": ["SelfTrainingClassifier"]}
# Transformers that learn from a target of quantities.
BY_QUANTITIES = {"CCA", "IsotonicRegression", "PLSCanonical", "PLSRegression", "PLSSVD", "StackingRegressor", "VotingRegressor"}

# What trains in no config, by the reason, and in which words it is refused. Before anything is trained:
REFUSED: dict[str, dict[str, list[str]]] = {
    "it predicts nothing of later rows": {
        r"expected a model \(with predict\)": [
            *("AgglomerativeClustering", "ClassicalMDS", "DBSCAN", "EmpiricalCovariance", "GraphicalLasso", "GraphicalLassoCV"),
            *("HDBSCAN", "KernelDensity", "LedoitWolf", "MDS", "MinCovDet", "NearestNeighbors", "OAS", "OPTICS", "ShrunkCovariance"),
            *("SpectralBiclustering", "SpectralClustering", "SpectralCoclustering", "SpectralEmbedding"),
        ],
        r"expected a transformer \(with transform\)": ["TSNE"],
    },
    "it predicts no target": {
        r"expected a classifier, since the task is binary, found a clusterer": ["AffinityPropagation", "MeanShift"],
        r"found a density_estimator": ["BayesianGaussianMixture", "GaussianMixture"],
        r"found a outlier_detector": ["EllipticEnvelope", "IsolationForest", "LocalOutlierFactor", "OneClassSVM", "SGDOneClassSVM"],
    },
    "it holds an estimator that was fitted before": {r"expected a model \(with predict\)": ["FrozenEstimator"]},
    "skops cannot store it, and pickle is not used": {r"found UnsupportedTypeException": ["Birch"]},
    "it takes several targets": {
        r"expected a model of one target": [
            *("ClassifierChain", "MultiOutputClassifier", "MultiOutputRegressor", "MultiTaskElasticNet", "MultiTaskElasticNetCV"),
            *("MultiTaskLasso", "MultiTaskLassoCV", "RegressorChain"),
        ],
    },
    # In its first fit:
    "it transforms targets, not columns": {
        r"takes 2 positional arguments but 3 were given": ["LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"],
    },
    "it takes no table of columns": {
        r"'str' object has no attribute 'items'": ["DictVectorizer", "FeatureHasher"],
        r"Kernel matrix must be a square matrix": ["KernelCenterer"],
        r"not enough values to unpack": ["PatchExtractor"],
    },
    "it takes an array as a parameter, which no config can write": {r"'list' object has no attribute 'shape'": ["SparseCoder"]},
    "it gives no table of columns where a target is at hand; as a model it is taken": {
        r"should be 2D": [
            "CCA (transformer)",
            "IsotonicRegression (transformer)",
            "PLSCanonical (transformer)",
            "PLSRegression (transformer)",
            "PLSSVD",
        ],
    },
}

# Splitters: what each cannot do without.
SPLITTERS: dict[str, dict[str, Any]] = {
    "GroupKFold": {"n_splits": 2},
    "LeavePGroupsOut": {"n_groups": 2},
    "LeavePOut": {"p": 2},
    "PredefinedSplit": {"test_fold": [-1, 0, 1, 1] * 4},
    "StratifiedGroupKFold": {"n_splits": 2},
}
# Scorers that one of the targets has no use for: (target, scorer) -> the words in which it is refused.
REFUSED_SCORERS: dict[tuple[str, str], str] = {
    **{("kinds", name): "a scorer for a multiclass target, found" for name in ("f1", "jaccard", "precision", "recall", "roc_auc")},
    **{("kinds", f"{name}_likelihood_ratio"): "a scorer for a multiclass target" for name in ("positive", "neg_negative")},
    **{
        (target, f"{name}_samples"): f"expected a scorer for .* Use {name}_macro or {name}_weighted"
        for name in ("f1", "jaccard", "precision", "recall")
        for target in ("classes", "kinds")
    },
}


@dataclass(frozen=True)
class Case:
    """A class in one of the places in which a config can name one.

    Parameters
    ----------
    ground
        Which table it is tried on: `classes`, `quantities`, `texts` or `whole labels`.
    """

    role: str
    name: str
    path: str
    parameters: dict[str, Any]
    ground: str

    def __str__(self) -> str:
        return f"{self.role} {self.name}"

    def describe(self) -> dict[str, Any]:
        """Return the keys of the config that name the class."""
        spec = {"class": self.path, **self.parameters}
        before = [BEFORE[self.name]] if self.name in BEFORE else []
        columns = ["t"] if self.ground == "texts" else "numeric"
        if self.role == "transformer":
            last = {"quantities": RIDGE}.get(self.ground, LOGISTIC)
            return {"preprocessing": {"columns": [{"columns": columns, "transformers": [*before, spec]}]}, "models": {"it": last}}
        return {"preprocessing": {"columns": [{"columns": columns, "transformers": before}]} if before else {}, "models": {"it": spec}}


def list_cases() -> list[Case]:
    """Return one case for each class that is a classifier, a regressor or a transformer, or that is taken for one."""
    roles = {role: {name for name, _ in all_estimators(role)} for role in ("classifier", "regressor", "transformer")}
    cases = []
    for name, found in all_estimators():
        own = [role for role, names in roles.items() if name in names] or [ROLES.get(name, "model")]
        cases += [_make_case(role, name, found) for role in own]
    return cases


def _make_case(role: str, name: str, found: type) -> Case:
    taken = inspect.signature(found).parameters
    by_quantities = role == "regressor" or (role == "transformer" and name in BY_QUANTITIES)
    ground = next((ground for ground, names in GROUNDS.items() if name in names), "quantities" if by_quantities else "classes")
    inner = INNER_OF_QUANTITIES if by_quantities else INNER
    required = {key: inner[key] for key in inner if key in taken and taken[key].default is inspect.Parameter.empty}
    short = {key: value for key, value in SHORT.items() if key in taken}
    path = f"{found.__module__.partition('._')[0]}.{found.__qualname__}"
    return Case(role, name, path, {**short, **required, **PARAMETERS.get(name, {})}, ground)


def list_splitters() -> dict[str, type]:
    """Return the splitters that scikit-learn offers, by name."""
    offered = {name: getattr(sklearn.model_selection, name) for name in sklearn.model_selection.__all__}
    return {
        name: found
        for name, found in offered.items()
        if inspect.isclass(found) and hasattr(found, "split") and not name.startswith("Base")
    }


def list_scorings() -> list[tuple[str, str]]:
    """Return each scorer with the grounds that it may be for."""
    return [
        (target, name)
        for name in get_scorer_names()
        for target in (["quantities"] if is_regression_scoring(name) else ["classes", "kinds"])
    ]


def find_refusal(case: Case) -> str | None:
    """Return the words in which a class is refused, or None."""
    listed = (case.name, f"{case.name} ({case.role})")
    found = [words for by_words in REFUSED.values() for words, names in by_words.items() if set(listed) & set(names)]
    return found[0] if found else None


def make_table() -> pd.DataFrame:
    """Numbers of both signs, some counts, a text, groups that no split may part, and targets of each kind."""
    rng = np.random.default_rng(11)
    a, b, c = rng.normal(size=(3, 90))
    words = np.array(["red", "green", "blue", "small", "large"])
    texts = [" ".join(words[rng.integers(0, 5, 4)]) for _ in range(90)]
    said = a - b + np.char.startswith(texts, "red") + 0.5 * rng.normal(size=90)
    targets = {"quantity": 2 + said.clip(-1.5), "label": np.where(said > 0.2, "yes", "no"), "whole": (said > 0.2).astype(int)}
    targets["kind"] = np.digitize(said, [-0.5, 0.9]).astype(str)
    return pd.DataFrame(
        {"a": a, "b": b, "c": c, "d": rng.integers(0, 5, 90).astype(float), "g": np.arange(90) % 5, "t": texts, **targets}
    )


@dataclass(frozen=True)
class Ground:
    """A table prepared, and the config that it was prepared by."""

    config: dict[str, Any]
    materials: Materials
    folder: Path

    def build(self, changes: Mapping[str, Any]) -> Materials:
        """Return the materials with the candidates of a changed config, checked as any is."""
        loaded = check_config(_write(self.folder, {**self.config, **changes}))
        return replace(self.materials, candidates=self.materials.build(loaded.config))

    def score_by(self, name: str) -> Materials:
        """Return the materials of a tree that is scored by another scorer."""
        tree = TREE if self.materials.target.labels is not None else {"class": "sklearn.tree.DecisionTreeRegressor", "max_depth": 2}
        changed = check_config(_write(self.folder, {**self.config, "scoring": name, "models": {"it": tree}})).config
        return replace(
            self.materials, candidates=self.materials.build(changed), scorer=make_scorer(changed, self.materials.target), scoring=name
        )


def prepare_grounds(folder: Path) -> dict[str, Ground]:
    """Return the tables on which classes are tried, by name, each read and divided once."""
    make_table().to_parquet(folder / "table.parquet")
    words = {"columns": ["t"], "transformers": [{"class": "sklearn.feature_extraction.text.CountVectorizer"}]}
    return {
        "classes": prepare_ground(folder, "label"),
        "kinds": prepare_ground(folder, "kind"),
        "whole labels": prepare_ground(folder, "whole", task="binary"),
        "quantities": prepare_ground(folder, "quantity", scoring="r2", models={"it": RIDGE}),
        "texts": prepare_ground(folder, "label", {"t"}, preprocessing={"columns": [words]}),
    }


def prepare_ground(folder: Path, target: str, columns: Set[str] = frozenset("abcd"), **keys: Any) -> Ground:
    """Return the table in a folder with one of its targets, and only some of its columns."""
    drop = [name for name in make_table() if name not in {*columns, target}]
    data = {"path": str(folder / "table.parquet"), "target": target, "drop": drop}
    if target in ("label", "whole"):
        data["positive"] = "yes" if target == "label" else 1
    own = {"name": "every-class", "version": "2026.11.0", "seed": SEED, "data": data}
    config = {**own, "cv": {"n_splits": 2}, "scoring": "accuracy", "models": {"it": TREE}, **keys}
    return Ground(config, prepare_materials(check_config(_write(folder, config)), folder), folder)


def _write(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Came:
    """What came of a class: to be equal however it was run."""

    scores: list[float]
    predictions: list[bytes]
    digest: str
    model_file: bytes
    of_test_rows: bytes


def run_case(ground: Ground, case: Case, n_jobs: int) -> Came:
    """Cross-validate, fit, store and load a class, and ask the loaded model about the test rows."""
    materials = ground.build({**case.describe(), "n_jobs": n_jobs})
    training, pipeline = materials.take_training(), materials.candidates["it"]
    rehearse_storing(materials.candidates, training.X, training.y, (), SEED)
    scores, predictions = run_folds(materials, n_jobs)
    model = fit_model("it", pipeline, training, SEED, n_jobs).pipeline
    content, digest = store_model(model, ())
    X, _ = materials.read(materials.split.test_rows)
    said, again = (_freeze(predict_rows(Answers(one, X), X, materials.target)) for one in (model, load_model(content)))
    assert said == again, "the loaded model says something else than the fitted one"
    return Came(scores, predictions, digest, content, said)


def run_folds(materials: Materials, n_jobs: int) -> tuple[list[float], list[bytes]]:
    """Return the scores and predictions of the one candidate in each fold; workers stay for the next call.

    With `n_jobs` above 1 there are workers however small the table is, where `units.WORKERS_FROM_CELLS` is 0.
    """
    folds = [units.Unit("it", "it", number, materials.candidates["it"], *fold) for number, fold in enumerate(materials.split.folds)]
    task = make_task(materials, materials.take_training(), SEED, needs_responses=False)
    outcomes = list(units.run_units(folds, task, n_jobs, n_more=1)[0])
    return [one.score for one in outcomes], [_freeze(one.prediction) for one in outcomes]


def run_splitter(folder: Path, name: str, n_jobs: int) -> tuple[Any, ...]:
    """Return the folds that a splitter makes of few rows, and what came of them."""
    folder = folder / "few"
    folder.mkdir(exist_ok=True)
    make_table().iloc[:20].to_parquet(folder / "table.parquet")
    by_group = {"method": "group", "column": "g", "test_size": 1} if "Group" in name else {"test_size": 4}
    spec = {"class": f"sklearn.model_selection.{name}", **SPLITTERS.get(name, {})}
    keys = {"split": {**by_group, "stratify": False}, "cv": spec, "n_jobs": n_jobs}
    materials = prepare_ground(folder, "whole", set("abg"), **keys).materials
    return [(fit.tolist(), score.tolist()) for fit, score in materials.split.folds], *run_folds(materials, n_jobs)


def run_scorer(ground: Ground, name: str, n_jobs: int) -> tuple[list[float], list[bytes]]:
    """Return what a tree scores by a scorer."""
    return run_folds(ground.score_by(name), n_jobs)


def _freeze(prediction: Prediction | None) -> bytes:
    assert prediction is not None
    parts = [part for part in (prediction.values, prediction.responses) if part is not None]
    return b"".join(part.astype("U").tobytes() if part.dtype.kind == "O" else part.tobytes() for part in parts)
