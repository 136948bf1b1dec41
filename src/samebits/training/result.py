"""The result of a training: the best candidate, fitted, with its threshold, its file, and what it says of the test rows."""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from samebits.candidates.materials import Materials, Sample
from samebits.candidates.selection import CandidateScore, Comparison, choose_best, score_candidates
from samebits.config.variants import list_spaces, vary
from samebits.data.drift import summarise_features
from samebits.engines.units import Engine
from samebits.errors import ConfigError, DataError
from samebits.estimation.prediction import (
    choose_score,
    join_folds,
    name_response_method,
    tabulate_scores,
    write_out_of_fold,
    write_predictions,
)
from samebits.estimation.scoring import Threshold
from samebits.estimation.target_transform import find_estimator
from samebits.keys.config import Config
from samebits.keys.learning import Search
from samebits.lineage.manifest import take_held_back
from samebits.search.journal import Journal
from samebits.search.nested import OuterFold, nest_search
from samebits.search.searching import Ground, search_candidates
from samebits.search.trials import Trial
from samebits.table.columns import Kind
from samebits.training.assessment import assess
from samebits.training.exploration import Found
from samebits.training.final import Judged, explore_final, fit_finally, fit_others, judge_final
from samebits.training.remarks import collect_remarks, count_repeated
from samebits.training.storing import rehearse_storing, store_model
from samebits.voice import SILENT, Voice

if TYPE_CHECKING:
    from samebits.report.account import Account
    from samebits.report.gallery import Gallery

# Tables of more values are described when the fits that stand beside each other are over, not beside the last: it needs most memory.
_BESIDE_CELLS = 5_000_000
_TURN_SECONDS = 0.0005


@dataclass(frozen=True)
class Result:
    """What a training made.

    Parameters
    ----------
    model_class
        Import path of the estimator that ends the pipeline.
    predictions, out_of_fold
        CSV of what the best candidate said of the test rows, and of what every candidate said of the rows that its fold left out.
        Where no rows were held back, both are of the latter.
    metrics
        `test` and `train` of the best candidate, or `out_of_fold` where no rows were held back; `candidates`, where all are kept, by
        name on the same rows.
    baseline
        The drift baseline, as plain values.
    assessment
        What stands beside the score, as plain values: see `assess`.
    remarks
        Sentences on what is extreme.
    explored
        What only the fitted model can tell, by the picture that shows it.
    found
        What a search found, where there was one.
    pictures
        Drawn of all this but the assessment and the remarks, with the account that they are of; or what kept them from it. None
        where none are wished.
    """

    scored: list[CandidateScore]
    best: CandidateScore
    model_class: str
    model_file: bytes
    model_digest: str
    threshold: Threshold | None
    predictions: bytes
    out_of_fold: bytes
    metrics: dict[str, dict[str, Any]]
    baseline: dict[str, Any]
    assessment: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    explored: dict[str, dict[str, Any]] = field(default_factory=dict)
    found: SearchResult | None = None
    pictures: Future[tuple[Account, Gallery]] | None = None


@dataclass(frozen=True)
class SearchResult:
    """What a search came to.

    Parameters
    ----------
    best
        Each candidate's best trial, by name.
    trials
        All of them, in the order in which they were asked for.
    nested
        What the search scores by itself, one for each fold; empty where that was not wished.
    """

    method: str
    best: dict[str, Trial]
    trials: list[Trial]
    nested: list[OuterFold]


def make_result(
    config: Config,
    materials: Materials,
    voice: Voice = SILENT,
    journal: Journal | None = None,
    engine: Engine | None = None,
    draw: Callable[[Result], tuple[Account, Gallery]] | None = None,
) -> Result:
    """Compare the candidates, fit the best one, store it, and score it on the training and the test rows.

    Parameters
    ----------
    draw
        Draws the pictures of a result whose assessment and remarks are still to come, beside those; None: none are wished.

    Raises
    ------
    ConfigError
        A candidate was found, on a few rows, to be one that cannot be stored without pickle.
    DataError
        A candidate cannot be fitted or scored on these rows.
    LineageError
        The fitted model cannot be stored without pickle, though the few rows did not show it.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as beside:  # threads leave the process's filters in any order
        comparison, materials, found = _compare(config, materials, voice, journal or Journal(), engine)
        scored, best = comparison.scored, choose_best(comparison.scored)
        describe = functools.partial(_describe_training, materials, scored)
        tables = beside.submit(describe) if materials.dataset.frame.size <= _BESIDE_CELLS else None
        fits = {name: fit for fit, name in zip(comparison.finals, materials.candidates, strict=False)}
        if engine is not None:
            engine.release()
        is_beside = bool(fits) and engine is None  # what was fitted elsewhere may be of any class
        if tables is None:
            tables = beside.submit(describe)
        if not is_beside:
            tables.result()  # whether a fit converged is told by the process's warnings: nothing may stand beside it
        final = fit_finally(config, materials, best, fits)
        model_file, model_digest = store_model(final.model, config.allow)
        judged = judge_final(config, materials, final, best, beside if is_beside else None)
        predictions = write_predictions(judged.rows, materials.dataset.row_numbers, materials.target, judged.predicted)
        left = [one for one in scored if one is not best] if config.keep == "all" else []
        others = fit_others(config, materials, left, fits)
        out_of_fold, baseline = tables.result()
        candidates = {name: metrics for name, (_, metrics) in sorted({**others, best.name: (final, judged.test)}.items())}
        result = Result(
            scored=scored,
            best=best,
            model_class=_name_class(final.fitted),
            model_file=model_file,
            model_digest=model_digest,
            threshold=final.threshold,
            predictions=predictions,
            out_of_fold=out_of_fold,
            metrics={
                **({"test": judged.test} if len(materials.split.test_rows) else {"test": {}, "out_of_fold": judged.test}),
                "train": judged.train,
                **({"candidates": candidates} if others else {}),
            },
            baseline=baseline,
            found=found,
        )
        unsettled = [one.name for one in (final, *(one for one, _ in others.values())) if not one.is_settled]
        explored = judged.explored or _complete(explore_final(config, materials, final, final.threads))
        return _tell(config, materials, result, judged, explored, unsettled, draw, beside)


def _describe_training(materials: Materials, scored: list[CandidateScore]) -> tuple[bytes, dict[str, Any]]:
    """Return the table of what was said out of fold, and the drift baseline: neither needs a fitted model."""
    predictions = {one.name: one.predictions for one in scored}
    table = write_out_of_fold(materials.split, materials.dataset.row_numbers, materials.target, predictions)
    baseline = summarise_features(materials.take(materials.split.train_rows)[0], materials.kinds)
    return table, {**baseline, "scores": _describe_scores(materials, choose_best(scored))}


def _describe_scores(materials: Materials, best: CandidateScore) -> dict[str, Any]:
    """Return what the best candidate said of rows that it had not seen, as the baseline describes a column: its scores by name."""
    prediction = join_folds(materials.split, best.predictions)[1]
    method = name_response_method(materials.candidates[best.name])
    columns = tabulate_scores(prediction, materials.target.labels, method)
    name = choose_score(columns)
    kind: Kind = "categorical" if materials.target.labels is not None and name == "predicted" else "numeric"
    column = pd.Series(columns[name]).astype("str" if kind == "categorical" else np.float64)
    return summarise_features(pd.DataFrame({name: column}), {name: kind})["columns"]  # type: ignore[no-any-return]


def _compare(
    config: Config, materials: Materials, voice: Voice, journal: Journal, engine: Engine | None
) -> tuple[Comparison, Materials, SearchResult | None]:
    """Cross-validate every candidate on one copy of the training rows, which is gone before the final fit takes its own.

    Where a search was made, each candidate goes on as its best trial.
    """
    training = materials.take_training()
    rehearse_storing(materials.candidates | _list_odd_variants(config, materials), training.X, training.y, config.allow, config.seed)
    if config.search is not None:
        return _search(config, config.search, materials, training, voice, journal, engine)
    wants_finals = config.keep == "all" or len(materials.candidates) == 1
    needs_responses = config.business.method is not None
    comparison = score_candidates(materials, training, config.seed, config.n_jobs, needs_responses, wants_finals, voice, engine)
    return comparison, materials, None


def _list_odd_variants(config: Config, materials: Materials) -> dict[str, Pipeline]:
    """Return each candidate with a class that only a search brings in: whether that can be stored is not known of the config's own."""
    odd = {}
    for name, space in list_spaces(config).items():
        values = [(key, one) for key, choices in space.items() if isinstance(choices, list) for one in choices]
        for key, value in [(key, one) for key, one in values if isinstance(one, dict | list)]:
            with contextlib.suppress(ConfigError, DataError):  # alone it may not go together with the rest
                odd[f"{name} ({key})"] = materials.build(vary(config, name, {key: value}))[name]
    return odd


def _search(
    config: Config, search: Search, materials: Materials, training: Sample, voice: Voice, journal: Journal, engine: Engine | None
) -> tuple[Comparison, Materials, SearchResult]:
    searched = search_candidates(config, materials, Ground(training, materials.split.folds), journal, voice, config.n_jobs, engine)
    nested = nest_search(config, materials, training, journal, voice, config.n_jobs, engine) if search.nested else []
    found = {name: one.pipeline for name, one in searched.found.items()}
    best = {name: one.trial for name, one in searched.found.items()}
    comparison = Comparison([one.score for one in searched.found.values()], iter(()))
    return comparison, replace(materials, candidates=found), SearchResult(search.method, best, searched.trials, nested)


def _tell(
    config: Config,
    materials: Materials,
    result: Result,
    judged: Judged,
    explored: Future[Found],
    unsettled: list[str],
    draw: Callable[[Result], tuple[Account, Gallery]] | None,
    beside: ThreadPoolExecutor,
) -> Result:
    """Return the result with all that is told of it: pictures are drawn beside what the score is worth."""
    warnings.simplefilter("ignore")  # else a thread would give back filters that another has set, and let some through
    pictures = None if draw is None else beside.submit(lambda: draw(replace(result, explored=explored.result())))
    metrics = take_held_back(result.metrics)[1]
    with _short_turns():
        assessment = assess(config, materials, result.scored, result.best, judged.rows, judged.predicted, metrics)
        inputs, split = materials.dataset.frame[materials.inputs], materials.split
        remarks = collect_remarks(
            materials.target,
            materials.dataset.row_numbers,
            result.scored,
            unsettled,
            "test" if len(split.test_rows) else "out-of-fold",
            metrics,
            judged.predicted.values,
            config.business.target_precision,
            assessment,
            result.metrics["train"],
            count_repeated(inputs, materials.target.values, split.train_rows, split.test_rows),
        )
    return replace(result, explored=explored.result(), assessment=assessment, remarks=remarks, pictures=pictures)


def _complete(found: Found) -> Future[Found]:
    completed: Future[Found] = Future()
    completed.set_result(found)
    return completed


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """Let a thread that draws hand over Python's lock soon: to wait 5 ms for it between NumPy's works takes a third of their time."""
    seconds = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(seconds)


def _name_class(fitted: Any) -> str:
    model = find_estimator(fitted)
    return f"{type(model).__module__}.{type(model).__qualname__}"
