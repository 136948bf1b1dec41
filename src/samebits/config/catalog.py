"""What the config's short names stand for: models by task, scorings, and what is known of each estimator's threads.

Tables only, and no import: they are read before NumPy may load. Where a class is found and built is `components`.
"""

from __future__ import annotations

from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
CLASSIFICATION: tuple[Task, ...] = ("binary", "multiclass")

# name in the config -> (classifier, regressor); None where the estimator has no such kind
MODELS: dict[str, tuple[str | None, str | None]] = {
    "logistic_regression": ("sklearn.linear_model.LogisticRegression", None),
    "linear_regression": (None, "sklearn.linear_model.LinearRegression"),
    "ridge": ("sklearn.linear_model.RidgeClassifier", "sklearn.linear_model.Ridge"),
    "lasso": (None, "sklearn.linear_model.Lasso"),
    "knn": ("sklearn.neighbors.KNeighborsClassifier", "sklearn.neighbors.KNeighborsRegressor"),
    "svm": ("sklearn.svm.SVC", "sklearn.svm.SVR"),
    "decision_tree": ("sklearn.tree.DecisionTreeClassifier", "sklearn.tree.DecisionTreeRegressor"),
    "random_forest": ("sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.RandomForestRegressor"),
    "extra_trees": ("sklearn.ensemble.ExtraTreesClassifier", "sklearn.ensemble.ExtraTreesRegressor"),
    "gradient_boosting": ("sklearn.ensemble.GradientBoostingClassifier", "sklearn.ensemble.GradientBoostingRegressor"),
    "boosting": (
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
    ),
    "neural_network": ("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor"),
    "naive_bayes": ("sklearn.naive_bayes.GaussianNB", None),
    "dummy": ("sklearn.dummy.DummyClassifier", "sklearn.dummy.DummyRegressor"),
}

DEFAULT_SCORING: dict[Task, str] = {
    "binary": "average_precision",
    "multiclass": "f1_macro",
    "regression": "neg_root_mean_squared_error",
}

# Fitting these over threads was measured to change no bit (forests: 63 cases at n_jobs 1, 2, 4, -1; histogram boosting and
# neighbours: 1, 2 and 4 OpenMP threads). Whatever is not named here is fitted by one thread.
THREADED_FITS = frozenset(
    {
        "RandomForestClassifier",
        "RandomForestRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
    }
)
OPENMP_FITS = frozenset(
    {
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "KNeighborsClassifier",
        "KNeighborsRegressor",
    }
)
# These also predict over OpenMP threads, each row by one of them: a process of many threads does as well as many processes.
OPENMP_PREDICTS = frozenset({"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"})
# What may stand before or around those, so that fits of the whole stand beside each other in threads of one process: it draws no
# random number, and iterates to no tolerance, so that no warning says whether it converged.
PLAIN_STEPS = frozenset(
    {
        "BooleanNumbers",
        "ColumnTransformer",
        "DateNumbers",
        "DerivedColumns",
        "OneHotEncoder",
        "OutlierClipper",
        "Pipeline",
        "RowColumns",
        "SimpleImputer",
        "StandardScaler",
        "TransformedTargetRegressor",
    }
)
# These come to the same from sparse columns as from dense ones: but for rounding, for ties between equal splits, for solvers that
# iterate (Ridge and LinearRegression do from sparse ones), and for SGD, which moves its intercept less. Neighbours are not among them:
# from sparse columns they are found by brute force.
SPARSE_FITS = frozenset(
    {
        *("BernoulliNB", "ComplementNB", "MultinomialNB"),
        *("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"),
        *("RandomForestClassifier", "RandomForestRegressor", "GradientBoostingClassifier", "GradientBoostingRegressor"),
        *("ElasticNet", "ElasticNetCV", "Lasso", "LassoCV", "LinearRegression", "LogisticRegression", "LogisticRegressionCV"),
        *("Ridge", "RidgeClassifier", "GammaRegressor", "PoissonRegressor", "TweedieRegressor", "HuberRegressor"),
        *("Perceptron", "SGDClassifier", "SGDRegressor"),
        *("LinearSVC", "LinearSVR", "NuSVC", "NuSVR", "SVC", "SVR"),
        *("MLPClassifier", "MLPRegressor"),
        *("LGBMClassifier", "LGBMRegressor"),
    }
)
DENSE_SOLVERS = frozenset({"svd", "cholesky", "saga"})  # of Ridge
# What these predict is the class of highest probability, as read in scikit-learn's source and tested; so one question answers both.
LIKELIEST_CLASS = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "GaussianNB",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "KNeighborsClassifier",
        "LogisticRegression",
        "MLPClassifier",
        "RandomForestClassifier",
    }
)

_REGRESSION_SCORINGS = (
    "explained_variance",
    "r2",
    "neg_max_error",
    "neg_mean_",
    "neg_median_",
    "neg_root_",
    "d2_absolute",
    "d2_pinball",
    "d2_tweedie",
)


def is_regression_scoring(name: str) -> bool:
    """Tell whether a scikit-learn scorer, by its name, is one for quantities."""
    return name.startswith(_REGRESSION_SCORINGS)


def name_model_class(name: str, task: Task) -> str | None:
    """Return the import path that a short name stands for under a task, or None where there is none."""
    classifier, regressor = MODELS.get(name, (None, None))
    return classifier if task in CLASSIFICATION else regressor


# Where a metric goes by another name than its scorer.
_METRIC_OF_SCORER = {
    "neg_brier_score": "brier_score",
    "neg_log_loss": "log_loss",
    "neg_max_error": "max_error",
    "neg_mean_absolute_error": "mae",
    "neg_median_absolute_error": "median_absolute_error",
    "neg_root_mean_squared_error": "rmse",
}


# What is computed on the rows held back, by task; of a classification, some only where the model gives responses.
_LABELS = ("accuracy", "balanced_accuracy", "matthews_corrcoef")
METRICS: dict[Task, tuple[str, ...]] = {
    "binary": (*_LABELS, "precision", "recall", "f1", "roc_auc", "average_precision", "brier_score", "log_loss"),
    "multiclass": (
        *_LABELS,
        *(f"{name}_{average}" for name in ("precision", "recall", "f1") for average in ("macro", "weighted")),
        *("log_loss", "roc_auc_ovr"),
    ),
    "regression": ("r2", "rmse", "mae", "median_absolute_error", "max_error", "explained_variance"),
}
_LOWER_IS_BETTER = ("brier_score", "log_loss", "rmse", "mae", "median_absolute_error", "max_error")


def is_lower_better(metric: str) -> bool:
    """Tell whether less of a metric is better."""
    return metric in _LOWER_IS_BETTER


def name_metric(scoring: str) -> str:
    """Return the metric that tells on the test rows what a scorer told in the folds.

    >>> name_metric("neg_root_mean_squared_error"), name_metric("roc_auc")
    ('rmse', 'roc_auc')
    """
    return _METRIC_OF_SCORER.get(scoring, scoring)
