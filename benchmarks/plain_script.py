"""What a careful user writes instead of samebits: digest, read, split, cross-validate, fit, log; nothing is pinned.

python plain_script.py TABLE TARGET POSITIVE TRACKING_URI small|large
"""

import hashlib
import sys
from pathlib import Path

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

SEED, N_JOBS = 42, 2
SMALL = {
    "logistic_regression": LogisticRegression(max_iter=2000, random_state=SEED),
    "knn": KNeighborsClassifier(n_neighbors=7),
    "svm": SVC(C=1.0, kernel="rbf", gamma="scale"),
    "decision_tree": DecisionTreeClassifier(max_depth=8, min_samples_leaf=10, random_state=SEED),
    "random_forest": RandomForestClassifier(n_estimators=400, min_samples_leaf=2, random_state=SEED),
    "boosting": HistGradientBoostingClassifier(learning_rate=0.05, random_state=SEED),
}
LARGE = {"boosting": HistGradientBoostingClassifier(learning_rate=0.1, random_state=SEED)}


def main(table: str, target: str, positive: str, tracking_uri: str, size: str) -> None:
    with Path(table).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    frame = pd.read_csv(table)
    X, y = frame.drop(columns=[target, "id"]), (frame[target].astype(str) == positive).astype(int)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=SEED, stratify=y)
    numbers = list(X.select_dtypes("number").columns)
    words = [name for name in X.columns if name not in numbers]
    numeric = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categorical = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    columns = ColumnTransformer([("numeric", numeric, numbers), ("categorical", categorical, words)])
    folds = StratifiedKFold(5 if size == "small" else 3, shuffle=True, random_state=SEED)

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("plain")
    with mlflow.start_run():
        mlflow.set_tag("data_hash", digest)
        scores = {}
        for name, model in (SMALL if size == "small" else LARGE).items():
            pipeline = make_pipeline(columns, model)
            found = cross_val_score(pipeline, X_train, y_train, cv=folds, scoring="average_precision", n_jobs=N_JOBS)
            scores[name] = (found.mean(), pipeline)
            mlflow.log_params({f"{name}.{key}": value for key, value in model.get_params().items()})
            mlflow.log_metric(f"cv_{name}", found.mean())
        best = max(scores, key=lambda name: scores[name][0])
        model = scores[best][1].fit(X_train, y_train)
        predicted = model.predict(X_test)
        response = model.predict_proba(X_test)[:, 1] if hasattr(model, "predict_proba") else model.decision_function(X_test)
        mlflow.log_metrics(
            {
                "accuracy": accuracy_score(y_test, predicted),
                "roc_auc": roc_auc_score(y_test, response),
                "average_precision": average_precision_score(y_test, response),
            }
        )
        trusted = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.tree._tree.Tree"]
        signature = infer_signature(X_test.head(), predicted[:5])
        mlflow.sklearn.log_model(model, name="model", signature=signature, input_example=X_train.head(), skops_trusted_types=trusted)


if __name__ == "__main__":
    main(*sys.argv[1:])
