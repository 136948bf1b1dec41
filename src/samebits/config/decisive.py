"""Which keys of a config decide a result, and the digest of those that do.

A name, a place or a number of processes changes no bit, and neither does what a later comparison may forgive: such keys are facts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from samebits.digests import digest_value
from samebits.keys.config import Config
from samebits.keys.derivation import Features
from samebits.keys.division import CrossValidation, Split
from samebits.keys.judging import Business, Claims, Drift, Report, Tolerance
from samebits.keys.keeping import Code, Registry, Tracking
from samebits.keys.learning import Preprocessing, Weights
from samebits.keys.table import Data

# Steps have a stage of their own, which knows what they are made of.
_UNDECISIVE_KEYS = ("name", "version", "n_jobs", "tolerance", "drift", "code", "tracking", "registry", "engine", "steps")
_LATER_KEYS = ("search", "batches")  # null there means what a config meant that knew no such key
_PLACES = {"data": ("path", "test_path", "digest", "archive", "database"), "split": ("rows_file",)}


def is_decisive(key: str) -> bool:
    """Tell whether a key of a resolved config, by its dotted name, can change a result.

    >>> is_decisive("models.svm.C"), is_decisive("data.path"), is_decisive("n_jobs")
    (True, False, False)
    """
    section, _, rest = key.partition(".")
    return section not in _UNDECISIVE_KEYS and rest.partition(".")[0] not in _PLACES.get(section, ())


def is_default(key: str, value: Any) -> bool:
    """Tell whether a value is what a key of a resolved config, by its dotted name, has where a file says nothing.

    A key that an earlier version did not know had no other meaning there.

    >>> is_default("data.read.sep", ","), is_default("data.read.sep", ";"), is_default("models.svm.C", None)
    (True, False, False)
    """
    defaults = _list_defaults()
    return key in defaults and bool(defaults[key] == value)


@functools.cache
def _list_defaults() -> dict[str, Any]:
    sections = {"data": Data(path="-", target="-"), "split": Split(), "features": Features(), "preprocessing": Preprocessing()}
    sections |= {
        "cv": CrossValidation(),
        "business": Business(),
        "weights": Weights(),
        "claims": Claims(),
        "report": Report(),
        "tolerance": Tolerance(),
        "drift": Drift(),
        "code": Code(),
        "tracking": Tracking(),
        "registry": Registry(),
    }
    top = {name: field.default for name, field in Config.model_fields.items() if not field.is_required() and name not in sections}
    found: dict[str, Any] = dict(top)
    for name, section in sections.items():
        found |= dict(_flatten(section.model_dump(mode="json", by_alias=True), name))
    return {key: value for key, value in found.items() if key not in ("data.path", "data.target")}


def _flatten(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _flatten(member, f"{key}.{name}")
    else:
        yield key, value


def digest_config(resolved: dict[str, Any]) -> str:
    """Digest all keys of a resolved config that can change a result."""
    decisive = {
        key: value for key, value in resolved.items() if key not in _UNDECISIVE_KEYS and (value is not None or key not in _LATER_KEYS)
    }
    for section, places in _PLACES.items():
        if isinstance(decisive.get(section), dict):
            decisive[section] = {key: value for key, value in decisive[section].items() if key not in places}
    return digest_value(decisive)
