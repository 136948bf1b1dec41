"""Which keys of a config decide a result, and the digest of those that do.

A name, a place or a number of processes changes no bit, and neither does what a later comparison may forgive: such keys are facts.
"""

from __future__ import annotations

from typing import Any

from samebits.digests import digest_value

_UNDECISIVE_KEYS = ("name", "version", "n_jobs", "tolerance")
_UNDECISIVE_DATA_KEYS = ("path", "test_path", "digest", "archive")


def is_decisive(key: str) -> bool:
    """Tell whether a key of a resolved config, by its dotted name, can change a result.

    >>> is_decisive("models.svm.C"), is_decisive("data.path"), is_decisive("n_jobs")
    (True, False, False)
    """
    section, _, rest = key.partition(".")
    is_place = section == "data" and rest.partition(".")[0] in _UNDECISIVE_DATA_KEYS
    return section not in _UNDECISIVE_KEYS and not is_place


def digest_config(resolved: dict[str, Any]) -> str:
    """Digest all keys of a resolved config that can change a result."""
    decisive = {key: value for key, value in resolved.items() if key not in _UNDECISIVE_KEYS}
    decisive["data"] = {key: value for key, value in resolved["data"].items() if key not in _UNDECISIVE_DATA_KEYS}
    return digest_value(decisive)
