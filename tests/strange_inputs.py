"""Strange configs, lineages, models and patches handed to the program, and what it means that it behaved.

To behave is: no traceback, no more time or memory than it may take, no control character on the terminal, no file changed outside the
program's own folders, none left in the temporary one, and IDENTICAL said of nothing that is not.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import random
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from conftest import clean_environment
from mutations import ODD_TEXTS, mutate_model, mutate_patch, mutate_text, mutate_value, write_document
from strange_run import StrangeRun, make_project, open_strange_run
from warm_program import TOO_LONG, Ended, WarmProgram

from samebits.lineage.manifest import FILE_NAME, MODEL_FILE, PATCH_FILE
from samebits.numerics.profile import make_environment

PEAK_MIB, N_BYTES = 1024, 6 << 30
EXIT_CODES = (0, 1, 2, 10, 75)
_CHEAP = {"n_estimators": 5, "n_splits": 2, "n_jobs": 1, "n_repeats": 1, "max_iter": 50}


@dataclass
class Bench:
    """A project, a store, a home and a temporary folder for the program, and a place that is none of its business.

    Parameters
    ----------
    seconds
        After which a command is stopped; 0 for never.
    cpu_seconds
        How much of a processor's time a command may take.
    """

    folder: Path
    seconds: float = 0
    cpu_seconds: float = math.inf
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "store", "victim", "inputs"):
            (self.folder / name).mkdir()
        (self.folder / "victim" / "file").write_text("untouched\n", encoding="utf-8")
        os.mkfifo(self.folder / "inputs" / "fifo.csv")
        make_project(self.folder / "project")
        own = {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.database}",
        }
        own |= {"SAMEBITS_SPOOL": str(self.folder / "home" / "spool")}
        self.environment = make_environment("portable", clean_environment(**own))
        self.program = WarmProgram(self.environment, self.project / "src")

    @property
    def project(self) -> Path:
        """A repository of one commit."""
        return self.folder / "project"

    @property
    def database(self) -> Path:
        """MLflow's."""
        return self.folder / "store" / "mlflow.db"

    def run(self, *words: str) -> Ended:
        """Run the program within the limits."""
        return self.program.run_within(list(words), self.environment, self.project, self.seconds, N_BYTES)

    def train(self, config: str) -> StrangeRun:
        """Return a recorded run of a config."""
        ended = self.program.run_within(["train", config], self.environment, self.project)
        assert ended.exit_code == 0, ended.stderr.decode()
        return open_strange_run(self.database, ended.stdout.split()[1].decode())

    @functools.cached_property
    def sound_run(self) -> StrangeRun:
        """The one run of the small config from the project as it is committed: each kind of input leaves it as it was recorded."""
        return self.train(write_small_config(self))

    def list_outside(self) -> dict[str, tuple[int, int]]:
        """Return size and time of each file that the program has no reason to touch."""
        folders = (self.folder / "victim", self.project, Path("/tmp/owned"))
        files = [path for folder in folders for path in (folder, *folder.rglob("*")) if "__pycache__" not in path.parts]
        found = {str(path): path.lstat() for path in files if os.path.lexists(path) and not path.is_dir()}
        return {
            name: (status.st_size, status.st_mtime_ns) for name, status in found.items() if "/.git/" not in name or "hooks" in name
        }

    def clear_temporary(self) -> list[str]:
        """Return what lies in the temporary folder, and remove it."""
        left = [path.name for path in (self.folder / "tmp").iterdir() if not path.name.endswith(".lock")]
        for name in left:
            shutil.rmtree(self.folder / "tmp" / name, ignore_errors=True)
        return left


@dataclass(frozen=True)
class Case:
    """One command and the strange input that it is given.

    Parameters
    ----------
    may_be_identical
        Whether the verdict IDENTICAL is no lie.
    """

    words: list[str]
    content: bytes
    may_be_identical: bool = True


def try_cases(bench: Bench, kind: str, count: int, seed: int) -> Iterator[tuple[Case, Ended, list[str]]]:
    """Yield each case, how it ended, and in what it did not behave."""
    make = MAKERS[kind](bench)
    for number in range(count):
        rng = random.Random(f"{kind} {seed} {number}")
        before = bench.list_outside()
        with make(rng) as case:
            ended = bench.run(*case.words)
            kinds = judge(case, ended, bench.cpu_seconds)
        left = bench.clear_temporary()
        kinds += [f"left in TMPDIR: {re.sub('-.*', '', left[0])}"] if left and ended.exit_code != TOO_LONG else []
        kinds += [f"changed outside: {', '.join(name for name, _ in sorted(before.items() ^ bench.list_outside().items()))[:80]}"] * (
            before != bench.list_outside()
        )
        yield case, ended, kinds


def judge(case: Case, ended: Ended, cpu_seconds: float) -> list[str]:
    """Return in which ways a command did not behave."""
    said = ended.stdout + ended.stderr
    is_training = case.words[0] == "train" and b"read  " in ended.stderr
    kinds = []
    if (bug := ended.name_traceback()) is not None:
        kinds.append(f"traceback: {re.sub(r':.* in ', ' in ', bug)}")
    elif ended.exit_code == TOO_LONG or ended.cpu_seconds > cpu_seconds:
        kinds += [] if is_training else ["too long"]
    elif ended.exit_code not in EXIT_CODES:
        kinds.append(f"exit {ended.exit_code}")
    if ended.peak_mib > PEAK_MIB:
        kinds.append(f"over {PEAK_MIB} MiB")
    shown = ended.stderr if case.words[0] == "lineage" else said  # that prints the record's own bytes, for whoever asked for them
    if odd := find_controls(shown):
        kinds.append(f"control characters: {odd}")
    if ended.exit_code == 0 and not case.may_be_identical:
        kinds.append("IDENTICAL is a lie")
    return kinds


def find_controls(said: bytes) -> str:
    """Name what a terminal would obey rather than show."""
    text = said.decode("utf-8", "replace")
    odd = {
        char
        for char in text
        if char not in "\n\t" and (unicodedata.category(char) == "Cc" or char in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
    }
    return ", ".join(f"U+{ord(char):04X}" for char in sorted(odd)[:3])


_SEARCH = (
    "{method: random, n_trials: 2, models: {decision_tree: {max_depth: {low: 1, high: 4}}}, preprocessing: {scale: [true, false]}}"
)


def make_configs(bench: Bench) -> Callable[[random.Random], contextlib.AbstractContextManager[Case]]:
    """Changed copies of the shipped configs, in three languages, each made cheap to train."""
    shutil.copy(bench.project / "confs" / "datasets.yaml", bench.folder / "inputs")
    texts = [path.read_text(encoding="utf-8") for path in sorted(bench.project.glob("confs/*.yaml")) if path.stem != "datasets"]
    texts = [re.sub(rf"\b({'|'.join(_CHEAP)}): -?\d+", lambda found: f"{found[1]}: {_CHEAP[found[1]]}", text) for text in texts]
    bench.train(write(bench.folder / "inputs" / "sound.yaml", texts[0].encode()))
    texts += [re.sub(r"^search: null", f"search: {_SEARCH}", text, flags=re.MULTILINE) for text in texts if "decision_tree" in text]
    ODD_TEXTS.extend([str(bench.folder / "inputs" / "fifo.csv"), str(bench.folder / "inputs")])

    @contextlib.contextmanager
    def make(rng: random.Random) -> Iterator[Case]:
        text, suffix = rng.choice(texts), rng.choice([".yaml"] * 3 + [".toml", ".json"])
        value = yaml.safe_load(text)
        if rng.random() < 0.6:
            content = write_document(mutate_value(rng, value, rng.choice([1, 1, 2, 5])), suffix).encode("utf-8", "surrogatepass")
        else:
            content = mutate_text(rng, text if suffix == ".yaml" else write_document(value, suffix))
        path = bench.folder / "inputs" / f"config{suffix}"
        yield Case([*(["data", "pin"] if rng.random() < 0.1 else ["train"]), write(path, content)], content)

    return make


def make_lineages(bench: Bench) -> Callable[[random.Random], contextlib.AbstractContextManager[Case]]:
    """Changed lineages of a recorded run, on the server or as a file, sealed or not."""
    run = bench.sound_run
    sound = run.sound[FILE_NAME]
    other = write(bench.folder / "inputs" / "sound.json", sound)

    @contextlib.contextmanager
    def make(rng: random.Random) -> Iterator[Case]:
        is_sealed = rng.random() < 0.5
        if rng.random() < 0.7:
            lineage = mutate_value(rng, json.loads(sound), rng.choice([1, 1, 3]))
            run.seal(lineage) if is_sealed else run.leave(json.dumps(lineage).encode(), noted=False)
        else:
            run.leave(mutate_text(rng, sound.decode()), noted=is_sealed)
        content = run.files[FILE_NAME].read_bytes()
        words = _choose_words(rng, run.run_id, write(bench.folder / "inputs" / "lineage.json", content), other)
        yield Case(words, content, is_sealed or content == sound or words[0] != "verify" or "lineage.json" in words[1])
        run.restore()

    return make


def _choose_words(rng: random.Random, run_id: str, file: str, other: str) -> list[str]:
    command = rng.choice(["verify"] * 3 + ["diff"] * 3 + ["lineage", "reproduce"])
    as_json = ["--json"] if command != "lineage" and rng.random() < 0.4 else []
    if command == "diff":
        return ["diff", *rng.choice([[file, other], [other, file], [run_id, other]]), *as_json]
    further = ["--here", "--restore-only", *rng.choice([[], ["--yes"]])] if command == "reproduce" else []
    return [command, rng.choice([run_id, run_id, file]), *further, *as_json]


def make_models(bench: Bench) -> Callable[[random.Random], contextlib.AbstractContextManager[Case]]:
    """Changed model files of a recorded run, under a lineage that says they are right."""
    run = bench.sound_run
    other = bench.train(write_small_config(bench, seed=8, report={"detail": "none"}))

    @contextlib.contextmanager
    def make(rng: random.Random) -> Iterator[Case]:
        content = mutate_model(rng, run.sound[MODEL_FILE])
        run.replace(MODEL_FILE, content)
        lineage = json.loads(run.sound[FILE_NAME])
        lineage["stages"]["model"]["digest"] = f"sha256:{rng.randbytes(32).hex()}"
        run.seal(lineage)
        yield Case(
            rng.choice([["verify", run.run_id], ["verify", run.run_id, "--content"], ["diff", run.run_id, other.run_id]]), content
        )
        run.restore()

    return make


def make_patches(bench: Bench) -> Callable[[random.Random], contextlib.AbstractContextManager[Case]]:
    """Changed patches of a run that was made from uncommitted changes, under a lineage that says they are right."""
    clean = bench.sound_run
    config = write_small_config(bench)
    with (bench.project / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    run = bench.train(config)

    @contextlib.contextmanager
    def make(rng: random.Random) -> Iterator[Case]:
        content = mutate_patch(rng, run.sound[PATCH_FILE])
        run.replace(PATCH_FILE, content)
        run.seal(json.loads(run.sound[FILE_NAME]))
        commands = [
            ["reproduce", run.run_id, "--here", "--restore-only", "--yes"],
            ["diff", clean.run_id, run.run_id],
            ["verify", run.run_id],
        ]
        yield Case(rng.choice([*commands, commands[0], commands[1]]), content)
        run.restore()

    return make


def write_small_config(bench: Bench, **changes: Any) -> str:
    """Write a config that trains in no time, into the project's folder."""
    data = {"path": "data/raw/wdbc.csv", "target": "diagnosis", "positive": "M", "drop": ["id"]}
    config = {"name": "strange", "version": "2026.11.0", "seed": 7, "data": data, "models": {"decision_tree": {"max_depth": 3}}}
    return write(bench.folder / "inputs" / "small.json", json.dumps({**config, "cv": {"n_splits": 2}, **changes}).encode())


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


MAKERS = {"configs": make_configs, "lineages": make_lineages, "models": make_models, "patches": make_patches}
