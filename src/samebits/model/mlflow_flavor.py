"""How a model is laid out for MLflow: its own scikit-learn flavour, around samebits' canonical model file.

MLflow writes everything but the model file itself (MLmodel, environments, input example), and the canonical bytes are put where
MLflow's loader looks for them. What loads it is plain `mlflow.sklearn`, or pyfunc by way of `served_model`.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow.sklearn
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import FLAVOR_NAME, MAIN
from mlflow.utils import requirements_utils
from sklearn.dummy import DummyClassifier

from samebits.project import PACKAGE

# all that a stored pipeline needs of this package
_SERVED_MODULES = ("__init__.py", "row_columns.py", "served_model.py", "stored_parts.py", "transformers.py")
_NETWORK_MODULES = ("networks.py", "network_fitting.py")  # of one that holds a network
_LOADER = "samebits.served_model"
_MODEL_FILE = "model.skops"
_CACHE = "__pycache__"
_FILES_BY_PACKAGE = "_MODULES_TO_PACKAGES"  # MLflow's own: with another MLflow the time is spent, and nothing else changes


def save_model(
    folder: Path,
    mlflow_model: Model,
    *,
    model_file: bytes,
    trusted_types: list[str],
    signature: ModelSignature,
    input_example: Any,
    pip_requirements: list[str],
    own_code: list[Path],
    scratch: Path,
) -> None:
    """Write a model folder, which is not there yet.

    Parameters
    ----------
    model_file
        The canonical skops file.
    trusted_types
        Types that MLflow's loader may load from it beyond skops' own.
    own_code
        Modules and packages of the user's that the model is made of, and that no installer brings.
    scratch
        A folder for what is needed meanwhile.
    """
    package = scratch / PACKAGE.name
    package.mkdir()
    has_network = any(name.startswith("samebits.networks.") for name in trusted_types)
    for name in (*_SERVED_MODULES, *(_NETWORK_MODULES if has_network else ())):
        shutil.copyfile(PACKAGE / name, package / name)
    with _listing_no_files():
        mlflow.sklearn.save_model(
            # a stand-in: MLflow would store the model itself in skops' own, unrepeatable bytes and load it back, twice the time
            DummyClassifier(),
            str(folder),
            mlflow_model=mlflow_model,
            serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
            skops_trusted_types=trusted_types,
            signature=signature,
            input_example=input_example,
            pip_requirements=pip_requirements,
            code_paths=[str(package), *map(str, own_code)],
        )
    mlflow_model.flavors[FLAVOR_NAME][MAIN] = _LOADER
    (folder / _MODEL_FILE).write_bytes(model_file)
    _keep_caches_out(folder)
    mlflow_model.model_size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    mlflow_model.save(str(folder / "MLmodel"))


@contextlib.contextmanager
def _listing_no_files() -> Iterator[None]:
    """Spare MLflow the list of every file of every package, a second of each run.

    It looks there under which name a package is imported that has no metadata, to compare what is required with what is installed. All
    that is required here is read from the metadata of what is installed.
    """
    known = getattr(requirements_utils, _FILES_BY_PACKAGE, None)
    setattr(requirements_utils, _FILES_BY_PACKAGE, known or {})
    try:
        yield
    finally:
        setattr(requirements_utils, _FILES_BY_PACKAGE, known or None)


def _keep_caches_out(folder: Path) -> None:
    """Put a file where Python would make the folder of what it compiles.

    A store on this machine is loaded from where it is: else whoever only used a model would leave files in it that are not on record,
    and a compiled file that somebody put there would run in place of the source that is.
    """
    for cache in list(folder.rglob(_CACHE)):
        shutil.rmtree(cache)
    for inner in [path for path in folder.rglob("*") if path.is_dir()]:
        (inner / _CACHE).write_text("A file, so that Python keeps what it compiles out of what is on record.\n", encoding="utf-8")
