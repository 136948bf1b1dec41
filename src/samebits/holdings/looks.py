"""Looks: how often the rows that a result is judged by have been looked at, and which place it has among all that looked.

Whoever tries seven seeds and shows the best of them has seen these rows seven times. Runs that made the same model are one look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from samebits.holdings.runs import DERIVED_TAGS, search_runs
from samebits.lineage.manifest import Stage
from samebits.lineage.tracked_values import digest_held_rows

MOST_LOOKS = 300  # are counted, the latest: half a second, where thousands would take longer than many a training
_POSITIVE = "data.positive"  # the metrics of another positive class are others
_SINGLE_KEYS = ("seed", "name", "version", "conf_file")  # params that make no other config


@dataclass(frozen=True)
class Looks:
    """Models that the same test rows judged, as one server has them, this run's included.

    Parameters
    ----------
    n_runs
        Those of which each made another model, at most `MOST_LOOKS`, which are then the latest.
    n_configs, n_seeds, n_versions
        How many of all runs that made them differ in what else the config says, in its seed, in its version.
    place
        Of this run by the metric that chose, 1 for the best; equal ones share it. None: no other run has the metric, of the same
        positive class.
    """

    n_runs: int
    n_configs: int
    n_seeds: int
    n_versions: int
    place: int | None

    def __str__(self) -> str:
        counts = [(self.n_configs, "config"), (self.n_seeds, "seed"), (self.n_versions, "version")]
        kinds = ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts)
        if self.n_runs == 1:
            is_first = max(count for count, _ in counts) == 1
            said = "the first model that these rows judge" if is_first else f"the only model that these rows judged ({kinds})"
            return f"{said}, as far as this server knows"
        place = "" if self.place is None else "the best" if self.place == 1 else f"number {self.place}"
        latest = "the latest " if self.n_runs == MOST_LOOKS else ""
        return f"{place or 'one'} of {latest}{self.n_runs} models that were judged by these rows ({kinds})"


def describe_looks(looks: Looks) -> str:
    """Return the line of a run's description, in Markdown."""
    return f"- looks at these rows: this run is {looks}"


def find_judged(client: Any, stages: dict[str, Stage]) -> list[Any]:
    """Return the latest finished runs that were judged by the rows that a run holds back, which need not be trained yet.

    They made no more models than are counted.

    Parameters
    ----------
    stages
        Of its lineage: config, data and split.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    condition = f"attributes.status = 'FINISHED' AND tags.test_rows = '{digest_held_rows(stages)}'"
    found = search_runs(client, condition, page_size=MOST_LOOKS)
    return list(_take_models(run for run in found if not any(tag in run.data.tags for tag in DERIVED_TAGS)))


def _take_models(runs: Iterable[Any]) -> Iterator[Any]:
    """Yield runs up to the one that made the last model that is counted."""
    seen: set[str] = set()
    for run in runs:
        seen.add(run.data.tags.get("model_digest", ""))
        yield run
        if len(seen) == MOST_LOOKS:
            return


def _list_distinct(runs: Iterable[Any]) -> Iterator[Any]:
    """Yield the first of the runs that made the same model."""
    seen: set[str] = set()
    for run in runs:
        if (digest := run.data.tags.get("model_digest", "")) not in seen:
            seen.add(digest)
            yield run


def count_looks(judged: Sequence[Any], stages: dict[str, Stage], params: dict[str, str]) -> Looks:
    """Return how often the test rows of a run have been looked at.

    Parameters
    ----------
    judged
        The runs that were judged by them, itself or not.
    stages
        Of its lineage.
    params
        Of the run, as the server has them or will.
    """
    own = stages["model"]["digest"]
    distinct = (run for run in _list_distinct(judged) if run.data.tags.get("model_digest") != own)
    others = list(islice(distinct, MOST_LOOKS - 1))
    counted = {own, *(run.data.tags.get("model_digest") for run in others)}
    config = stages["config"]
    seen = [_describe(run.data.params, run.data.tags) for run in judged if run.data.tags.get("model_digest") in counted]
    seen.append(_describe(params, {"config_version": config["version"]}))
    n_configs, n_seeds, n_versions = (len(set(kind)) for kind in zip(*seen, strict=True))
    alike = [run.data.metrics for run in others if run.data.params.get(_POSITIVE) == params.get(_POSITIVE)]
    place = _find_place(stages["assessment"], alike)
    return Looks(len(counted), n_configs, n_seeds, n_versions, place)


def ask_looks(client: Any, stages: dict[str, Stage], params: dict[str, str]) -> Looks | None:
    """Return the same as a server knows it now; None where a run has no test rows.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    return count_looks(find_judged(client, stages), stages, params) if stages["metrics"]["test"] else None


def _describe(params: dict[str, str], tags: dict[str, str]) -> tuple[Any, str | None, str | None]:
    config = frozenset((name, value) for name, value in params.items() if name not in _SINGLE_KEYS)
    return config, params.get("seed"), tags.get("config_version")


def _find_place(assessment: Stage, metrics: Sequence[dict[str, float]]) -> int | None:
    name = f"{assessment['rows']}_{assessment['metric']}"
    values = [found[name] for found in metrics if name in found]
    sign = -1 if assessment["lower_is_better"] else 1
    return 1 + sum(sign * value > sign * float(assessment["value"]) for value in values) if values else None
