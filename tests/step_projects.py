"""Small projects with steps, written into a folder of a test's own, and run in this process; each step is a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samebits.config.loading import LoadedConfig, load_config
from samebits.keys.steps import Step
from samebits.steps.graph import Graph, plan_steps
from samebits.steps.running import Outcome, bring_nothing, run_graph
from samebits.steps.stage import make_steps
from samebits.steps.states import Desk, Standing, judge_graph, open_desk
from samebits.voice import Voice

PREPARATION = """\
import csv
from churn.names import TITLE

def join(customers, orders, table, how="left"):
    amounts = dict(csv.reader(orders.open()))
    with table.open("w") as file:
        for number, age in csv.reader(customers.open()):
            if how == "left" or number in amounts:
                file.write(f"{number},{age},{amounts.get(number, '')}\\n")

def clean(joined, table):
    table.write_text(TITLE + joined.read_text())
"""
STEPS: dict[str, Any] = {
    "join": {
        "function": "churn.preparation.join",
        "inputs": {"customers": "data/raw/customers.csv", "orders": "data/raw/orders.csv"},
        "outputs": {"table": "data/processed/joined.csv"},
    },
    "clean": {
        "function": "churn.preparation.clean",
        "inputs": {"joined": "data/processed/joined.csv"},
        "outputs": {"table": "data/processed/clean.csv"},
    },
}


@dataclass
class Project:
    """A project's folder, its steps, and what was said of them."""

    root: Path
    steps: dict[str, Any] = field(default_factory=lambda: {name: dict(step) for name, step in STEPS.items()})
    said: list[str] = field(default_factory=list)

    def plan(self) -> Graph:
        steps = {name: Step.model_validate(step) for name, step in self.steps.items()}
        return plan_steps(steps, self.root / "confs/churn.yaml", self.root)

    def desk(self, is_trusted: bool = True) -> Desk:
        return open_desk(self.plan(), is_trusted)

    def judge(self) -> dict[str, Standing]:
        return judge_graph(self.desk())

    def run(self, bring: Callable[[str, Path], bool] = bring_nothing, wanted: str | None = None) -> dict[str, Outcome]:
        self.said.clear()
        return run_graph(self.desk(), Voice(self.said.append, self.said.append), bring, wanted)

    def list_ran(self) -> list[str]:
        """Run what must, and return the names of what did."""
        return [name for name, outcome in self.run().items() if not outcome.is_found]

    def write(self, path: str, text: str) -> Path:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def load(self, **keys: Any) -> LoadedConfig:
        """Return a whole config with the project's steps, whose table is what they make."""
        data = {"path": "data/processed/clean.csv", "target": "age"}
        raw = {"name": "churn", "version": "2026.11.0", "seed": 1, "allow": ["churn"], "models": {"dummy": {}}, "data": data}
        path = self.write("confs/churn.yaml", json.dumps({**raw, "steps": self.steps, **keys}))
        return load_config(path)

    def make_stage(self, **keys: Any) -> dict[str, Any]:
        return make_steps(self.load(**keys), self.root)

    def take_step(self, code: str, **step: Any) -> None:
        """Have one step alone: the function `work` of the module `one`, its code given."""
        self.write("src/churn/one.py", code)
        own = {"function": "churn.one.work", "outputs": {"out": "data/processed/out.txt"}, **step}
        self.steps = {"one": {key: value for key, value in own.items() if value is not None}}


def make_project(root: Path) -> Project:
    project = Project(root)
    project.write("src/churn/__init__.py", "")
    project.write("src/churn/names.py", "TITLE = 'number,age,amount\\n'\n")
    project.write("src/churn/preparation.py", PREPARATION)
    project.write("data/raw/customers.csv", "1,20\n2,30\n")
    project.write("data/raw/orders.csv", "2,9.5\n")
    return project
