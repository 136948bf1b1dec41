"""The lineage: a run's manifest, one digest per stage, from what went in to what came out; canonical bytes.

A comparison reads the stages in order and names the first whose digest differs. A stage's digest covers what can change a result;
beside it stand facts that help a reader (paths, CPU, times) and change nothing. The schema number changes when the meaning of a
field does; every schema so far is read here. How a stage is made from a training is `stages`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from samebits import __version__
from samebits.bounds import find_excess
from samebits.config.catalog import Task
from samebits.config.decisive import digest_config, is_decisive
from samebits.digests import canonical_json, digest_value
from samebits.errors import LineageError, Problem
from samebits.lineage.step_stage import NO_STEPS, STEP_FACTS, is_whole, list_outputs

SCHEMA = 6
MAX_BYTES = 32 << 20
MAX_VALUES = 1_000_000
MAX_LEVELS = 60
MAX_ARTIFACTS = 100_000
READABLE_SCHEMAS = (1, 2, 3, 4, 5, 6)
INPUT_STAGES = ("code", "config", "steps", "data", "environment", "numeric_profile", "seeds")
_STAGES_SINCE = {"assessment": 5, "report": 5, "steps": 6}  # the schema that first had them
_MAY_BE_UNMADE = ("assessment", "report")
OUTPUT_STAGES = ("split", "cross_validation", "model", "threshold", "predictions", "metrics", "drift_baseline", *_MAY_BE_UNMADE)
STAGES = (*INPUT_STAGES, *OUTPUT_STAGES)
FILE_NAME = "lineage.json"
MODEL_FILE = "model/model.skops"
PATCH_FILE = "code/uncommitted.patch"
NESTED_FOLDER = "code/nested"  # the patches of repositories inside the project's
MODULES_FOLDER = "code/modules"  # what was imported and neither a package nor the commit holds
OUT_OF_FOLD_FILE = "out_of_fold.csv"
LOCK_FILE = "environment/uv.lock"
PACKAGES_FILE = "environment/packages.json"  # what is kept where there is no lock
ROWS_FILE = "config/test_rows.txt"  # the numbers of the test rows, where a file named them
SEARCH_FILE = "search.csv"  # the trials of a search, where there was one
ASSESSMENT_FILE = "assessment.json"
FIGURES_FOLDER = "figures/"  # pictures, and what each shows as plain values
PAGE_FILE = "report.html"  # of which all but the section on this one run is an output
PREDICTIONS_SUFFIX = ".lineage.json"  # after the name of a file of predictions, of which the record is
REPORT_FILE = "reproduction.json"  # what a comparison with the original leaves on a rerun
# The artifacts that two runs with the same inputs must have equal to the bit. The rest are records of the inputs, or MLflow's own
# description of the model, which holds ids and times.
SPECIFIED_OUTPUTS = (
    ASSESSMENT_FILE,
    "cross_validation.json",
    "drift_baseline.json",
    "metrics.json",
    MODEL_FILE,
    OUT_OF_FOLD_FILE,
    "predictions.csv",
    "threshold.json",
)

UNMADE = "unmade"  # of a stage: what of it failed, each with why; the run was kept without it

Stage = dict[str, Any]
# What stands in a stage beside its digest and what the digest covers.
_CODE_FACTS_OF_4 = ("nested", "filtered", "line_ends", "changed_meanwhile")
_FACTS = {
    "code": {"wheel_digest", "branch", "remote", "dirty", "patch", "repository", "project_folder", "pushed", *_CODE_FACTS_OF_4},
    "environment": {
        *("bystanders", "lock_digest", "not_held", "beside_lock", "local", "engine"),
        *("machine", "platform", "libc", "cpu", "cpu_flags", "n_cores"),
    },
    "steps": STEP_FACTS,
    "split": {"n_train", "n_test", "n_folds"},
    "assessment": {UNMADE},
    "report": {UNMADE},
}
_WHEEL = re.compile(r"environment/(\w[\w.]*)-[\w.+!]+-[\w.]+-[\w.]+-[\w.]+\.whl", flags=re.ASCII)
_DIGESTED_ALONE = ("config", "data", "model", "predictions", "drift_baseline")  # of something that the stage only describes


def make_stage(decisive: Any, **facts: Any) -> Stage:
    """Return a stage: the digest of what decides, and beside it that and the facts.

    >>> sorted(make_stage({"root": 42}, note="x"))
    ['digest', 'note', 'root']
    """
    own = decisive if isinstance(decisive, dict) else {}
    return {**facts, **own, "digest": digest_value(decisive)}


def is_fact(stage: str, field: str) -> bool:
    """Tell whether a field of a stage, or of a resolved config by its dotted name, decides nothing."""
    if stage == "config":
        return not field.startswith("resolved.") or not is_decisive(field.removeprefix("resolved."))
    first = field.split(".")[0]
    return first in _FACTS.get(stage, set()) or (stage == "data" and first != "digest")


def assemble_lineage(
    stages: dict[str, Stage], artifacts: dict[str, dict[str, Any]], run: dict[str, Any], **sections: Any
) -> dict[str, Any]:
    """Return the whole manifest.

    Parameters
    ----------
    stages
        Every input and output stage, by name.
    artifacts
        Digest and size of each file that the run leaves, by its path on the server; the lineage itself is not among them.
    run
        Facts of this one run: its id, experiment and times.
    sections
        Further facts: `request_digest`, `archive`, `remarks`.
    """
    return {
        "schema": SCHEMA,
        "samebits": __version__,
        "run": run,
        "stages": {name: stages[name] for name in STAGES},
        "inputs_digest": digest_stages(stages, INPUT_STAGES),
        "outputs_digest": digest_stages(stages, OUTPUT_STAGES),
        "artifacts": artifacts,
        **sections,
    }


def list_stages(lineage: dict[str, Any], names: tuple[str, ...] = STAGES) -> tuple[str, ...]:
    """Return which of some stages a lineage has, by its schema."""
    return tuple(name for name in names if _STAGES_SINCE.get(name, 1) <= lineage["schema"])


def digest_stage(lineage: dict[str, Any], name: str) -> str | None:
    """Return a stage's digest; None where its schema does not know the stage. No run had steps that could not record them."""
    stage = lineage["stages"].get(name, NO_STEPS if name == "steps" else None)
    return None if stage is None else str(stage["digest"])


def digest_stages(stages: dict[str, Stage], names: tuple[str, ...]) -> str:
    """Return one digest over the digests of some stages."""
    return digest_value({name: stages[name]["digest"] for name in names})


def write_lineage(lineage: dict[str, Any]) -> bytes:
    """Return a lineage's canonical bytes."""
    return canonical_json(lineage) + b"\n"


def read_lineage(content: bytes, where: str) -> dict[str, Any]:
    """Return the lineage that some bytes hold.

    Raises
    ------
    LineageError
        They are no JSON, too much of it, or no lineage of a schema that is read here.
    """
    lineage = read_bounded_json(content, where)
    schema = lineage.get("schema") if isinstance(lineage, dict) else None
    if schema not in READABLE_SCHEMAS:
        known = f"{', '.join(map(str, READABLE_SCHEMAS[:-1]))} or {READABLE_SCHEMAS[-1]}"
        remedy = "Is it a lineage.json? If so, a later samebits reads it."
        raise LineageError(Problem(where, f"a lineage of schema {known}", f"schema {schema!r}", remedy))
    _check_form(lineage, where)
    try:
        canonical_json(lineage)
    except (UnicodeEncodeError, RecursionError) as error:
        raise LineageError(Problem(where, "text that is UTF-8", type(error).__name__, "It was edited: fetch it again.")) from None
    return dict(lineage)


def read_bounded_json(content: bytes, where: str) -> Any:
    """Return the plain value of a record's bytes, which holds no more than a record may.

    Raises
    ------
    LineageError
        They are no JSON, or too much of it.
    """
    n_values = sum(content.count(sign) for sign in (b",", b"[", b"{"))
    if len(content) > MAX_BYTES or n_values > MAX_VALUES:
        found = f"{len(content) >> 20} MiB" if len(content) > MAX_BYTES else f"about {n_values}"
        expected = f"a lineage of at most {MAX_BYTES >> 20} MiB and {MAX_VALUES} values"
        raise LineageError(Problem(where, expected, found, "It is no run's record."))
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise LineageError(Problem(where, "a lineage", f"no JSON ({error})"[:200], "Fetch it again.")) from None
    excess = find_excess(value, MAX_VALUES, MAX_LEVELS)
    if excess is not None:
        raise LineageError(Problem(where, *excess, "It was edited: fetch it again."))
    return value


# What a reader of any schema so far takes for granted: the kind of each field, by its place.
_FORM: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run": {"seconds": (int, float)},
    "": {"run": dict, "stages": dict, "artifacts": dict, "inputs_digest": str, "outputs_digest": str},
    "stages.code": {"sources_digest": str, "commit": (str, type(None)), "changes": dict, "dirty": bool, "patch": dict},
    "stages.code.patch": {"digest": str, "size_bytes": int, "left_out": list},
    "stages.config": {"file": str, "file_digest": str, "resolved": dict, "version": str},
    "stages.config.resolved": {"data": dict, "n_jobs": int, "seed": int},
    "stages.config.resolved.data": {"drop": list, "read": dict},
    "stages.data": {"path": str},
    "stages.environment": {"python": str, "packages": dict},
    "stages.numeric_profile": {"name": str, "blas": list},
    "stages.seeds": {"root": int, "planted": dict},
    "stages.cross_validation": {"best": str, "candidates": dict},
    "stages.model": {"name": str, "file_digest": str},
    "stages.metrics": {"test": dict},
}


_MOST_SECONDS = 3e9  # a century
_PLACES = (
    *(f"stages.code.{name}" for name in ("repository", "remote", "branch", "project_folder")),
    *("stages.data.location", "stages.data.test.location", "stages.environment.lock_digest", "run.started", "run.user"),
)
_FORM_SINCE_2: dict[str, dict[str, type | tuple[type, ...]]] = {
    "archive": {"data": str, "code": str},
    "": {**_FORM[""], "request_digest": str, "archive": dict},
}
_FORM_SINCE_5: dict[str, dict[str, type | tuple[type, ...]]] = {
    "stages.assessment": {"rows": str, "metric": str},
    "stages.assessment.baseline": {"metrics": dict},
    "stages.assessment.uncertainty": {"intervals": dict},
    "stages.cross_validation": {**_FORM["stages.cross_validation"], "scoring": str},
    "stages.config.resolved": {**_FORM["stages.config.resolved"], "models": dict},
    "stages.metrics": {"test": dict, "train": dict},
}


def _check_form(lineage: dict[str, Any], where: str) -> None:
    problems = [
        Problem(f"{where}: {name}", "a stage with its digest", "none", "It was edited or cut: fetch it again.")
        for name in list_stages(lineage)
        if not isinstance(_reach(lineage, f"stages.{name}.digest"), str)
    ]
    forms = {**_FORM, **(_FORM_SINCE_2 if lineage["schema"] > 1 else {}), **(_FORM_SINCE_5 if lineage["schema"] >= 5 else {})}
    for path, kind in [(f"{place}.{name}".strip("."), kind) for place, fields in forms.items() for name, kind in fields.items()]:
        found = _reach(lineage, path)
        if not isinstance(found, kind):
            shown = kind[0] if isinstance(kind, tuple) else kind
            problems.append(Problem(f"{where}: {path}", f"a {shown.__name__}", repr(found)[:60], "It was edited: fetch it again."))
    problems += [] if problems else _find_loose_ends(lineage, where)
    if problems:
        raise LineageError(problems[0])


def _find_loose_ends(lineage: dict[str, Any], where: str) -> list[Problem]:
    stages = lineage["stages"]
    candidates, threshold, code = stages["cross_validation"]["candidates"], stages["threshold"], stages["code"]
    remarks = lineage.get("remarks", [])
    sound = {
        "a candidate that is best": stages["cross_validation"]["best"] in candidates,
        "candidates with their scores": all(map(_has_scores, candidates.values())),
        "artifacts with their digests": all(isinstance(_reach(one, "digest"), str) for one in lineage["artifacts"].values()),
        f"at most {MAX_ARTIFACTS} artifacts, named by paths inside the run": len(lineage["artifacts"]) <= MAX_ARTIFACTS
        and all(map(is_inner_path, lineage["artifacts"])),
        "a run that took a time": _is_number(lineage["run"]["seconds"]) and 0 <= lineage["run"]["seconds"] <= _MOST_SECONDS,
        "places that are text": all(isinstance(_reach(lineage, path), str | None) for path in _PLACES),
        "changed files with their digests": all(isinstance(digest, str) for digest in code["changes"].values())
        and all(isinstance(name, str) for name in code["patch"]["left_out"]),
        "metrics that are numbers": all(map(_holds_numbers, _list_metrics(stages["metrics"]))),
        "a table of test rows with its digest and path": "test" not in stages["data"]
        or all(isinstance(_reach(stages["data"], f"test.{name}"), str) for name in ("digest", "path")),
        "remarks that are sentences": isinstance(remarks, list) and all(isinstance(remark, str) for remark in remarks),
        "a threshold with its precision and recall": threshold.get("value") is None
        or all(_is_number(threshold.get(name)) for name in ("value", "precision", "recall")),
        "a threshold with what it reached by its method": threshold.get("reached") is None
        or (_is_number(threshold["reached"]) and isinstance(threshold.get("method"), str)),
        "a commit's id, or null": _names_commit(code),
        "changes, modules and places with their digests": _describes_code(code),
        "repositories inside with their commits and changes": isinstance(code.get("nested", {}), dict)
        and all(
            isinstance(inner, dict) and _names_commit(inner) and _describes_code(inner) for inner in code.get("nested", {}).values()
        ),
        "an assessment of a metric that is there, in numbers": lineage["schema"] < 5 or _assesses(stages),
        "what failed, each with why": all(_names_failures(_reach(stages, f"{name}.{UNMADE}") or {}) for name in _MAY_BE_UNMADE),
        "claims with what was found": lineage["schema"] < 5 or all(map(_judges, _list_of(stages["assessment"].get("claims")))),
        "names of candidates that were as good": lineage["schema"] < 5
        or all(isinstance(name, str) for name in _list_of(stages["assessment"].get("as_good"))),
        "looks that are counted": _counts_looks(lineage.get("looks")),
        "what of the run was kept, by name": isinstance(lineage.get("archive", {}), dict),
        "what became of raw files": _are_texts(_reach(lineage, "archive.raw") or {}),
        "steps with their inputs, modules and outputs": lineage["schema"] < 6
        or (is_whole(stages["steps"]) and all(map(is_inner_path, list_outputs(stages["steps"])))),
    }
    return [
        Problem(where, expected, "something else", "It was edited: fetch it again.") for expected, is_so in sound.items() if not is_so
    ]


def is_inner_path(name: str) -> bool:
    """Tell whether a name is a path that leads nowhere but below the folder it is taken from."""
    return not name.startswith("/") and "\\" not in name and "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def _names_commit(code: dict[str, Any]) -> bool:
    commit = code.get("commit", "")
    return commit is None or (isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) is not None)


def _describes_code(code: dict[str, Any]) -> bool:
    """Tell whether what restores a working tree is of the kinds that it takes; most of it stands only where there is any."""
    mappings = [code.get("changes"), *(code.get(name, {}) for name in ("modules", "filtered")), _reach(code, "patch.reasons") or {}]
    names = [*(code.get(name, []) for name in ("absent", "line_ends")), _reach(code, "patch.left_out") or []]
    return (
        all(isinstance(one, dict) and all(isinstance(value, str) for value in one.values()) for one in mappings)
        and all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in names)
        and all(isinstance(code.get(name), str | None) for name in ("remote", "repository"))
    )


def _assesses(stages: dict[str, Stage]) -> bool:
    """Tell whether what is said beside the score that chose is of that score, and all of it numbers."""
    assessment, metrics = stages["assessment"], stages["metrics"]
    rows, metric, intervals = assessment["rows"], assessment["metric"], assessment["uncertainty"]["intervals"]
    return (
        rows in ("test", "out_of_fold")
        and metric in metrics.get(rows, {})
        and _holds_numbers(assessment["baseline"]["metrics"])
        and all(isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends)) for ends in intervals.values())
        and all(isinstance(model, dict | None) for model in stages["config"]["resolved"]["models"].values())
    )


def _names_failures(unmade: Any) -> bool:
    return isinstance(unmade, dict) and all(isinstance(why, str) for why in unmade.values())


def _list_of(value: Any) -> list[Any]:
    """What is no list has one member that is of no kind."""
    return value if isinstance(value, list) else [None]


def _judges(claim: Any) -> bool:
    numbers = [claim[name] for name in ("at_least", "at_most") if name in claim] if isinstance(claim, dict) else []
    return (
        bool(numbers)
        and all(map(_is_finite, numbers))
        and isinstance(claim.get("claim"), str)
        and isinstance(claim.get("kept"), bool)
        and (claim.get("found", "") is None or _is_number(claim["found"]))
        and all(isinstance(name, str) for name in _list_of(claim.get("left_out", [])))
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _counts_looks(looks: Any) -> bool:
    """A run whose server was not asked has none."""
    counts = ("n_runs", "n_configs", "n_seeds", "n_versions")
    return looks is None or (
        isinstance(looks, dict)
        and looks.keys() == {*counts, "place"}
        and all(type(looks[name]) is int for name in counts)
        and (looks["place"] is None or type(looks["place"]) is int)
    )


def _has_scores(candidate: Any) -> bool:
    scores = _reach(candidate, "scores")
    return isinstance(scores, list) and bool(scores) and all(map(_is_number, [*scores, _reach(candidate, "mean")]))


def _list_metrics(stage: Stage) -> list[Any]:
    """Return each mapping of metrics by name that a stage holds: by rows, and by candidate."""
    candidates = stage.get("candidates", {})
    return [
        stage["test"],
        stage.get("out_of_fold", {}),
        stage.get("train", {}),
        *(candidates.values() if isinstance(candidates, dict) else [candidates]),
    ]


def _holds_numbers(metrics: Any) -> bool:
    return isinstance(metrics, dict) and all(map(_is_number, metrics.values()))


def take_metrics(stage: Stage) -> dict[str, Any]:
    """Return the metrics of a stage by the rows that they are of; a run that knew none but those of the test rows has them alone."""
    return {name: value for name, value in stage.items() if name != "digest"}


def take_held_back(stage: Stage) -> tuple[str, dict[str, Any]]:
    """Return on which rows a run is judged, `test`, or `out_of_fold` where none were held back, and its metrics on them."""
    return ("test", stage["test"]) if stage["test"] else ("out_of_fold", stage.get("out_of_fold", {}))


def _is_number(value: Any) -> bool:
    """What JSON has no number for stands in a lineage as text."""
    return isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity")


def _reach(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def find_contradictions(lineage: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what in a lineage does not follow from the rest of it: (name, recorded, observed) each.

    A lineage that was edited by hand contradicts itself, unless every digest above the edit was made anew.
    """
    stages, artifacts = lineage["stages"], lineage["artifacts"]
    found = []
    for name in list_stages(lineage):
        if name not in _DIGESTED_ALONE:
            covered = {key: value for key, value in stages[name].items() if key != "digest" and key not in _FACTS.get(name, set())}
            found.append((f"stages.{name}.digest", stages[name]["digest"], digest_value(covered)))
    found.append(("stages.config.digest", stages["config"]["digest"], digest_config(stages["config"]["resolved"])))
    for name, names in (("inputs_digest", INPUT_STAGES), ("outputs_digest", OUTPUT_STAGES)):
        found.append((name, lineage.get(name), digest_stages(stages, list_stages(lineage, names))))
    found += [(name, recorded, artifacts.get(path, {}).get("digest")) for name, path, recorded in _list_doubly_recorded(lineage)]
    return [(name, recorded, observed) for name, recorded, observed in found if recorded != observed]


def _list_doubly_recorded(lineage: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return each digest that a stage and an artifact both record: (name, artifact, digest by the stage)."""
    stages = lineage["stages"]
    metrics = take_metrics(stages["metrics"])
    written = next((path for path in sorted(lineage["artifacts"]) if path.startswith("config/as_written")), "config/as_written.yaml")
    found = [
        ("stages.config.file_digest", written, stages["config"].get("file_digest")),
        ("stages.config.resolved", "config/resolved.json", digest_value(stages["config"]["resolved"])),
        ("stages.model.file_digest", MODEL_FILE, stages["model"].get("file_digest")),
        ("stages.predictions.digest", "predictions.csv", stages["predictions"]["digest"]),
        ("stages.drift_baseline.digest", "drift_baseline.json", stages["drift_baseline"]["digest"]),
        ("stages.cross_validation", "cross_validation.json", digest_value(stages["cross_validation"])),
        ("stages.threshold", "threshold.json", digest_value(stages["threshold"])),
        ("stages.metrics", "metrics.json", digest_value(metrics if "train" in metrics else metrics.get("test"))),
    ]
    if "assessment" in stages:
        assessment = {key: value for key, value in stages["assessment"].items() if key != "digest"}
        found.append(("stages.assessment", ASSESSMENT_FILE, digest_value(assessment)))
    if "search" in stages["cross_validation"]:
        found.append(("stages.cross_validation.search", SEARCH_FILE, stages["cross_validation"]["search"].get("trials_digest")))
    figures = stages.get("report", {}).get("figures")
    for name in figures if isinstance(figures, dict) else ():
        found.append((f"stages.report.figures.{name}", f"{FIGURES_FOLDER}{name}", figures[name]))
    patch = stages["code"].get("patch", {})
    if patch.get("size_bytes"):
        found.append(("stages.code.patch.digest", PATCH_FILE, patch.get("digest")))
    if stages["environment"].get("lock_digest"):
        found.append(("stages.environment.lock_digest", LOCK_FILE, stages["environment"]["lock_digest"]))
    return found


def infer_task(metrics: Stage) -> Task:
    """Return a run's task, by the metrics that only it has."""
    _, found = take_held_back(metrics)
    return "regression" if "rmse" in found else "binary" if "precision" in found else "multiclass"


def find_wheel(artifacts: Iterable[str]) -> str | None:
    """Return which of some artifacts is the wheel that holds samebits itself; None where none is."""
    return list_wheels(artifacts).get("samebits")


def list_wheels(artifacts: Iterable[str]) -> dict[str, str]:
    """Return which of some artifacts are kept wheels, by the name of the package in each."""
    found = ((_WHEEL.fullmatch(name), name) for name in sorted(artifacts, reverse=True))
    return {match[1].replace("_", "-"): name for match, name in found if match is not None}


def find_parting_stage(left: dict[str, Any], right: dict[str, Any]) -> str | None:
    """Return the first stage, in the order of the flow, whose digest two lineages do not share; None where they share all.

    A stage that either could not make whole says nothing about the other's.
    """
    return next((name for name in STAGES if _parts(left, right, name)), None)


def list_parting_outputs(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Return the output stages, in the order of the flow, that say that two runs came to other results."""
    return [name for name in OUTPUT_STAGES if _parts(left, right, name)]


def _parts(left: dict[str, Any], right: dict[str, Any], name: str) -> bool:
    is_whole = not any(name in find_unmade(one["stages"]) for one in (left, right))
    return is_whole and digest_stage(left, name) != digest_stage(right, name)


def find_unmade(stages: dict[str, Stage]) -> dict[str, dict[str, str]]:
    """Return what of some stages failed, each with why, by stage; of most runs nothing.

    The report tells of the assessment: without the one, the other is not whole.
    """
    found = {name: stages[name][UNMADE] for name in _MAY_BE_UNMADE if stages.get(name, {}).get(UNMADE)}
    return {**found, "report": {**found["assessment"], **found.get("report", {})}} if "assessment" in found else found


def list_unmade(stages: dict[str, Stage]) -> list[str]:
    """Return what of some stages failed, in words."""
    return [f"no {what}: {why}" for what, why in find_unmade(stages).get("report", {}).items()]
