"""What a careful user writes of a table larger than memory: three walks over the CSV in chunks, SGD by partial_fit, metrics, MLflow.

python plain_batches.py TABLE TARGET POSITIVE TRACKING_URI BATCH_ROWS
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

SEED, TEST, VALIDATION = 42, 0, 1


def main(table: str, target: str, positive: str, tracking_uri: str, batch_rows: int) -> None:
    with Path(table).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()

    def walk() -> Iterator[tuple[pd.DataFrame, np.ndarray, np.ndarray]]:
        generator = np.random.default_rng(SEED)
        for chunk in pd.read_csv(table, chunksize=batch_rows):
            drawn = generator.random(len(chunk))
            part = np.where(drawn < 0.2, TEST, np.where(drawn < 0.36, VALIDATION, 2))
            yield chunk.drop(columns=[target]), (chunk[target].astype(str) == positive).to_numpy().astype(int), part

    first = next(walk())[0]
    numbers = list(first.select_dtypes("number").columns)
    words = [name for name in first.columns if name not in numbers]
    columns = ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("words", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), words),
        ],
        sparse_threshold=0.0,
    ).fit(first)

    def fit(parts: tuple[int, ...]) -> Any:
        model = SGDClassifier(loss="log_loss", random_state=SEED)
        for X, y, part in walk():
            chosen = np.isin(part, parts)
            model.partial_fit(columns.transform(X[chosen]), y[chosen], classes=[0, 1])
        return model

    def ask(model: Any, parts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for X, y, part in walk():
            chosen = np.isin(part, parts)
            found.append((y[chosen], model.predict_proba(columns.transform(X[chosen]))[:, 1]))
        return np.concatenate([y for y, _ in found]), np.concatenate([said for _, said in found])

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("plain")
    with mlflow.start_run():
        mlflow.set_tag("data_hash", digest)
        mlflow.log_metric("cv_roc_auc", float(roc_auc_score(*ask(fit((2,)), (VALIDATION,)))))
        model = fit((VALIDATION, 2))
        for name, parts in (("test", (TEST,)), ("train", (VALIDATION, 2))):
            y, said = ask(model, parts)
            mlflow.log_metrics({f"{name}_roc_auc": float(roc_auc_score(y, said)), f"{name}_log_loss": float(log_loss(y, said))})
            mlflow.log_metric(f"{name}_accuracy", float(accuracy_score(y, said > 0.5)))
            if name == "test":
                pd.DataFrame({"recorded": y, "response": said}).to_csv("predictions.csv", index=False)
                mlflow.log_artifact("predictions.csv")
        mlflow.sklearn.log_model(make_pipeline(columns, model), name="model", skops_trusted_types=["numpy.dtype"])


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
