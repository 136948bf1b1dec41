"""How a model is laid out for MLflow: its own scikit-learn flavour, around samebits' canonical model file.

MLflow calls `save_model` of a flavour module; this one lets MLflow write everything but the model file itself (MLmodel, environments,
input example) and puts the canonical bytes where MLflow's loader looks for them. What loads it is plain `mlflow.sklearn` or pyfunc.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import mlflow.sklearn
from mlflow.models import Model, ModelSignature
from sklearn.dummy import DummyClassifier

from samebits.project import PACKAGE

# all that a stored pipeline needs of this package
_SERVED_MODULES = ("__init__.py", "row_columns.py", "stored_parts.py", "transformers.py")
_MODEL_FILE = "model.skops"


def save_model(
    path: str,
    mlflow_model: Model,
    *,
    model_file: bytes,
    trusted_types: list[str],
    signature: ModelSignature,
    input_example: Any,
    pip_requirements: list[str],
    validate_serving_input: bool,
    kept: Path,
    own_code: list[Path],
) -> None:
    """Write a model folder at a path.

    Parameters
    ----------
    model_file
        The canonical skops file.
    trusted_types
        Types that MLflow's loader may load from it beyond skops' own.
    validate_serving_input
        Read by MLflow after this returns: false, since the model file was loaded and compared before.
    own_code
        Modules and packages of the user's that the model is made of, and that no installer brings.
    kept
        Folder into which the model's files are copied as they go to the server, since MLflow removes its own.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-code-") as folder:
        package = Path(folder, PACKAGE.name)
        package.mkdir()
        for name in _SERVED_MODULES:
            shutil.copyfile(PACKAGE / name, package / name)
        mlflow.sklearn.save_model(
            # a stand-in: MLflow would store the model itself in skops' own, unrepeatable bytes and load it back, twice the time
            DummyClassifier(),
            path,
            mlflow_model=mlflow_model,
            serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
            skops_trusted_types=trusted_types,
            signature=signature,
            input_example=input_example,
            pip_requirements=pip_requirements,
            code_paths=[str(package), *map(str, own_code)],
        )
    Path(path, _MODEL_FILE).write_bytes(model_file)
    mlflow_model.model_size_bytes = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
    mlflow_model.save(str(Path(path, "MLmodel")))
    for cache in list(Path(path).rglob("__pycache__")):
        shutil.rmtree(cache)
    shutil.copytree(path, kept, dirs_exist_ok=True)
