"""What LightGBM, XGBoost and CatBoost learned, as bytes that depend on the model alone: in each library's own text or binary form.

None of the three is imported here: a booster is known by the name of its class. Thread counts, clocks and random ids are taken out.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

THREAD_NAMES = ("thread_count", "n_jobs", "num_threads", "nthread")
_LIGHTGBM_THREADS = re.compile(r"^\[num_threads: -?\d+\]$", re.MULTILINE)
_CATBOOST_THREADS = re.compile(r'"thread_count":-?\d+')
_CATBOOST_FACTS = ("model_guid", "train_finish_time", "output_options")  # an id, the time, the names of its logs


def is_booster(value: Any) -> bool:
    """Tell whether a value is one of the three libraries' own models: a Booster, or CatBoost's whole estimator."""
    kind = type(value)
    if kind.__name__ == "Booster":
        return kind.__module__ in ("lightgbm.basic", "xgboost.core")
    return any(base.__module__ == "catboost.core" and base.__name__ == "CatBoost" for base in kind.__mro__)


def read_booster(value: Any) -> tuple[dict[str, Any], bytes]:
    """Return a booster's parameters, where they are not in its bytes, and its bytes; none where it is not fitted."""
    library = type(value).__mro__[-2].__module__.partition(".")[0]
    if library == "lightgbm":
        text = value.model_to_string(num_iteration=-1)
        return {}, _LIGHTGBM_THREADS.sub("[num_threads: 1]", text).encode("utf-8")
    if library == "xgboost":
        return {}, bytes(value.save_raw("ubj"))
    parameters = {name: member for name, member in value.get_params().items() if name not in THREAD_NAMES}
    return parameters, _read_catboost(value) if value.is_fitted() else b""


def _read_catboost(value: Any) -> bytes:
    """In CatBoost's binary form, since its JSON loads with other last digits; of a copy, so that the model is not touched."""
    with tempfile.TemporaryDirectory(prefix="samebits-catboost-") as folder:
        path = Path(folder, "model.cbm")
        value.save_model(str(path))
        copied = type(value)()
        copied.load_model(blob=path.read_bytes())  # also brings the metadata into the order that every later loading gives
        metadata = copied.get_metadata()
        for fact in _CATBOOST_FACTS:
            metadata[fact] = ""
        metadata["params"] = _CATBOOST_THREADS.sub('"thread_count":1', metadata["params"])
        copied.save_model(str(path))
        return path.read_bytes()
