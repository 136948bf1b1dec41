from __future__ import annotations

import datetime
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from compileall import compile_file
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT, clean_environment, wait_until
from step_projects import Project

from samebits.errors import DataError
from samebits.numerics.generators import derive_seed
from samebits.steps.running import describe_unstable, run_again


def test_steps_run_in_the_order_of_their_files_and_a_second_time_not_at_all(project: Project) -> None:
    project.steps = {name: project.steps[name] for name in ("clean", "join")}

    assert project.list_ran() == ["join", "clean"]
    assert project.read("data/processed/clean.csv") == "number,age,amount\n1,20,\n2,30,9.5\n"
    assert project.list_ran() == []
    assert project.said == ["step    join  unchanged", "step    clean  unchanged"]


CHANGES: dict[str, tuple[Callable[[Project], Any], str, list[str]]] = {
    "input": (lambda one: one.write("data/raw/orders.csv", "1,7\n"), "input orders: sha256:", ["join", "clean"]),
    "parameter": (
        lambda one: one.steps["join"].update(parameters={"how": "inner"}),
        "parameter how: nothing -> inner",
        ["join", "clean"],
    ),
    "seed": (lambda one: one.steps["join"].update(seed=3), "seed: 0 -> 3", ["join"]),
    "module": (
        lambda one: one.write("src/churn/names.py", "TITLE = 'id,age,amount\\n'\n"),
        "module src/churn/names.py changed",
        ["join", "clean"],
    ),
    "output": (lambda one: (one.root / "data/processed/joined.csv").unlink(), "output data/processed/joined.csv is missing", ["join"]),
    "module of another": (lambda one: one.write("src/churn/other.py", "x = 1\n"), "", []),
    "nothing": (lambda one: os.utime(one.root / "data/raw/orders.csv", (1, 1)), "", []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_step_runs_again_exactly_where_something_changed_and_says_what(project: Project, name: str) -> None:
    change, reason, ran = CHANGES[name]
    project.run()

    change(project)

    assert project.judge()["join"].reason.startswith(reason)
    assert project.list_ran() == ran
    assert project.list_ran() == []


def test_other_packages_run_a_step_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run()

    monkeypatch.setattr("samebits.steps.states.digest_environment", lambda profile: "sha256:other")

    assert project.judge()["join"].reason == "other packages, Python or numeric profile"


def test_one_step_is_run_with_those_that_it_needs(project: Project) -> None:
    project.steps["other"] = {**project.steps["clean"], "outputs": {"table": "data/processed/other.csv"}}

    assert list(project.run(wanted="clean")) == ["join", "clean"]
    assert not (project.root / "data/processed/other.csv").exists()


READ = {
    "open": "open({path!r}).read()",
    "bytes": "open({path!r}.encode(), 'rb').read()",
    "os.open": "import os; os.read(os.open({path!r}, os.O_RDONLY), 9)",
    "aside": "import pathlib; open('../' * 40 + {path!r}).read()",
    "both": "open({path!r}, 'r+').read()",
    "numpy": "import numpy; numpy.fromfile({path!r}, dtype='u1')",
    "forked": "import os\n    if (child := os.fork()): os.waitpid(child, 0)\n    else:\n        open({path!r}).read(); os._exit(0)",
    "another Python": "import subprocess, sys; subprocess.run([sys.executable, '-c', \"open({path!r})\"], check=True)",
    "a database": "import sqlite3; sqlite3.connect({path!r})",
}


@pytest.mark.parametrize("way", READ)
def test_a_file_that_nobody_declared_refuses_the_step_by_name_and_nothing_of_it_is_taken(project: Project, way: str) -> None:
    secret = project.write("data/lookup.csv", "x")
    project.take_step(f"def work(out):\n    {READ[way].format(path=str(secret))}\n    out.write_text('made')\n")

    with pytest.raises(DataError, match=r"steps\.one: .*others opened: data/lookup\.csv\. Name them under inputs"):
        project.run()

    assert not (project.root / "data/processed").exists()
    assert not list((project.root / ".samebits/steps").glob("**/*.json"))


SOUGHT = {
    "caught": "try: open({path!r}).read()\n    except FileNotFoundError: pass",
    "pathlib": "import contextlib, pathlib\n    with contextlib.suppress(OSError): pathlib.Path({path!r}).read_bytes()",
    "whole": "import contextlib, os\n    with contextlib.suppress(OSError): open(os.path.abspath({path!r}))",
    "another folder": "import contextlib, os\n    os.mkdir('own'); os.chdir('own')\n"
    "    with contextlib.suppress(OSError): os.open('../' + {path!r}, os.O_RDONLY)\n    os.chdir('..')",
    "forked": "import os\n    if (child := os.fork()): os.waitpid(child, 0)\n    else:\n        try: open({path!r})\n        finally: os._exit(0)",
    "a database": "import sqlite3; sqlite3.connect({path!r})",
}


@pytest.mark.parametrize("way", SOUGHT)
def test_a_file_of_the_project_that_is_not_at_hand_is_named_though_the_step_does_not_mind(project: Project, way: str) -> None:
    project.write("data/lookup.csv", "x")
    project.take_step(
        f"def work(out):\n    open('data/lookup.csv.own', 'w').close()\n    {SOUGHT[way].format(path='data/lookup.csv')}\n    out.write_text('made')\n"
    )

    with pytest.raises(
        DataError, match=r"^steps\.one: .*others opened: data/lookup\.csv\. Name them under inputs: a step is given no"
    ):
        project.run()

    assert not (project.root / "data/processed").exists()


def test_a_step_that_fails_for_want_of_a_file_of_the_project_says_where_to_name_it(project: Project) -> None:
    project.write("data/raw/regions.csv", "x")
    project.take_step("import pandas\ndef work(out):\n    pandas.read_csv('data/raw/regions.csv')\n")

    with pytest.raises(DataError) as caught:
        project.run()

    undeclared, failure = str(caught.value).splitlines()
    assert "others opened: data/raw/regions.csv. Name them under inputs" in undeclared
    assert "FileNotFoundError: " in failure and "failed.log" in failure


def test_what_another_step_writes_is_named_before_it_is_there(project: Project) -> None:
    project.steps["first"] = {"function": "churn.one.work", "outputs": {"out": "data/processed/out.txt"}}
    project.write("src/churn/one.py", SEEKING.replace("PATH", "data/processed/joined.csv"))

    with pytest.raises(DataError, match=r"^steps\.first: .*others opened: data/processed/joined\.csv\. "):
        project.run(wanted="first")


SEEKING = "import contextlib\ndef work(out):\n    with contextlib.suppress(OSError): open('PATH')\n    out.write_text('made')\n"
NOT_MISSED = {
    "nowhere": SEEKING.replace("PATH", "data/raw/nowhere.csv"),
    "a folder": SEEKING.replace("PATH", "data/raw"),
    "its own output": SEEKING.replace("PATH", "data/processed/out.txt"),
    "written": "import os\ndef work(out):\n    for mode in ('w', 'a', 'a+', 'w+'): open('notes.txt', mode).close(); os.remove('notes.txt')\n"
    "    os.close(os.open('notes.txt', os.O_RDWR | os.O_CREAT)); open('notes.txt').close(); out.write_text('made')\n",
}


@pytest.mark.parametrize("what", NOT_MISSED)
def test_a_file_that_the_project_has_not_or_that_the_step_itself_makes_is_not_missed(project: Project, what: str) -> None:
    project.write("notes.txt", "of somebody")
    project.take_step(NOT_MISSED[what])
    project.run()
    project.write("src/churn/one.py", NOT_MISSED[what] + "# runs again\n")

    assert project.list_ran() == ["one"]


def test_the_byte_code_of_a_script_beside_which_it_lies_is_not_missed(project: Project) -> None:
    project.write("scripts/beside.py", "END = 'end'\n")
    project.write(
        "scripts/join.py", "import sys\nsys.path[:0] = ['scripts']\nimport beside\nopen(sys.argv[1], 'w').write(beside.END)\n"
    )
    compile_file(project.root / "scripts/beside.py", quiet=1)
    words = ["python", "scripts/join.py", "{outputs.out}", "scripts/beside.py"]
    project.steps = {"one": {"command": words, "outputs": {"out": "data/processed/out.txt"}}}

    assert project.list_ran() == ["one"]


READINGS = {
    "a file of Parquet": "import pyarrow.parquet as pq\ndef read(path): return pq.read_table(path / 'part.parquet')\n",
    "by its name": "import pyarrow.parquet as pq\ndef read(path): return pq.ParquetFile(source=str(path / 'part.parquet')).read()\n",
    "a folder by pandas": "import pandas\ndef read(path): return pandas.read_parquet(path)\n",
    "a dataset": "import pyarrow.dataset as ds\ndef read(path): return ds.dataset([str(path / 'part.parquet')]).to_table()\n",
}


@pytest.mark.parametrize("way", READINGS)
def test_what_arrow_opens_in_c_plus_plus_is_an_input_too(project: Project, way: str) -> None:
    folder = project.root / "data/raw/parts"
    folder.mkdir(parents=True)
    pd.DataFrame({"x": [1, 2]}).to_parquet(folder / "part.parquet")
    (folder / "_SUCCESS").write_text("", "utf-8")
    work = (
        READINGS[way] + f"def work(out, raw=None):\n    read(__import__('pathlib').Path({str(folder)!r}))\n    out.write_text('x')\n"
    )

    project.take_step(work)
    with pytest.raises(DataError, match=r"others opened: data/raw/parts/part\.parquet\. Name them under inputs"):
        project.run()
    declared = READINGS[way] + "def work(raw, out):\n    read(raw)\n    out.write_text('x')\n"
    project.take_step(declared, inputs={"raw": "data/raw/parts"})

    assert project.list_ran() == ["one"]


def test_a_file_opened_as_a_module_is_imported_is_an_input_too(project: Project) -> None:
    project.write("src/churn/table.txt", "x")
    project.write("src/churn/names.py", "import pathlib\nTITLE = pathlib.Path(__file__).with_name('table.txt').read_text()\n")

    with pytest.raises(DataError, match=r"others opened: src/churn/table\.txt"):
        project.run()


def test_files_of_python_of_the_system_and_of_the_step_itself_need_no_word(project: Project) -> None:
    code = (
        "import inspect, json, tempfile, zoneinfo, numpy\nimport churn.names\n"
        "def work(out):\n    open('/proc/self/status').read(); open('/etc/passwd').read(); zoneinfo.ZoneInfo('Europe/Oslo')\n"
        "    inspect.getsource(churn.names); inspect.getsource(numpy.mean)\n"
        "    with tempfile.NamedTemporaryFile() as file: open(file.name).read()\n"
        "    open('own.txt', 'w').write('x'); out.write_text(open('own.txt').read())\n"
    )
    project.take_step(code)

    assert project.list_ran() == ["one"]


@pytest.mark.parametrize(
    "way", ["customers.write_text('x')", "open(customers, 'a').write('x')", "open(customers.resolve(), 'r+').write('x')"]
)
def test_a_write_to_an_input_is_refused_and_does_not_happen(project: Project, way: str) -> None:
    project.take_step(
        f"def work(customers, out):\n    out.write_text('')\n    {way}\n", inputs={"customers": "data/raw/customers.csv"}
    )

    with pytest.raises(DataError, match=r"steps\.one: .* a write to data/raw/customers\.csv"):
        project.run()

    assert project.read("data/raw/customers.csv") == "1,20\n2,30\n"


def test_a_write_to_an_input_by_another_program_is_noticed(project: Project) -> None:
    words = ["sh", "-c", "cp {inputs.customers} {outputs.out}; echo 3,40 >> {inputs.customers}"]
    project.steps = {
        "one": {"command": words, "inputs": {"customers": "data/raw/customers.csv"}, "outputs": {"out": "data/processed/out.txt"}}
    }

    with pytest.raises(DataError, match=r"a write to .*data/raw/customers\.csv"):
        project.run()

    assert not (project.root / "data/processed/out.txt").exists()


def test_an_output_that_was_edited_is_refused_and_stays_as_it_is(project: Project) -> None:
    project.run()
    project.write("data/processed/joined.csv", "edited by hand")

    assert project.judge()["join"].reason == "data/processed/joined.csv was edited since step join wrote it"
    with pytest.raises(
        DataError, match=r"data/processed/joined\.csv: expected what step join wrote, found it edited since\. Move it away"
    ):
        project.run()

    assert project.read("data/processed/joined.csv") == "edited by hand"


def test_an_edited_output_is_refused_also_where_its_step_would_run_anyway(project: Project) -> None:
    project.run()
    project.write("data/processed/clean.csv", "edited by hand")
    project.write("data/raw/orders.csv", "1,7\n")

    with pytest.raises(DataError, match=r"data/processed/clean\.csv: .* it edited since"):
        project.run()

    assert project.read("data/processed/joined.csv") == "1,20,\n2,30,9.5\n"  # nothing ran


def test_what_a_step_wrote_of_something_else_is_written_over(project: Project) -> None:
    project.run()
    before = project.read("data/raw/orders.csv")
    for orders in ("1,7\n", before, "1,7\n"):
        project.write("data/raw/orders.csv", orders)
        project.run()

    assert project.read("data/processed/joined.csv") == "1,20,7\n2,30,\n"


def test_a_file_of_unknown_origin_is_never_written_over_and_one_with_the_same_bytes_is_taken(project: Project) -> None:
    project.write("data/processed/joined.csv", "of somebody else")

    with pytest.raises(
        DataError, match=r"data/processed/joined\.csv: expected what step join wrote, or nothing, found sha256:.* nothing is on record"
    ):
        project.run()
    assert project.read("data/processed/joined.csv") == "of somebody else"

    project.write("data/processed/joined.csv", "1,20,\n2,30,9.5\n")
    assert project.list_ran() == ["join", "clean"]


def test_a_missing_output_is_taken_from_the_store_by_its_digest(project: Project) -> None:
    project.run()
    place = project.root / "data/processed/joined.csv"
    kept = place.rename(project.root / "kept.csv")
    asked = []

    def bring(digest: str, target: Path) -> bool:
        asked.append((digest, target))
        return bool(kept.rename(target))

    outcomes = project.run(bring)

    assert [outcome.is_found for outcome in outcomes.values()] == [True, True]
    assert asked == [(outcomes["join"].run.digests["table"], place)]


UNSTABLE = "import time\ndef work(out):\n    out.write_text(str(time.time_ns()))\n"


def test_the_same_key_with_other_outputs_is_an_unstable_step_and_both_stay_on_record(project: Project) -> None:
    project.take_step(UNSTABLE)
    first = project.run()["one"].run.digests["out"]
    (project.root / "data/processed/out.txt").unlink()

    second = project.run()["one"]

    assert [run.digests["out"] for run in second.record.runs] == [first, second.run.digests["out"]]
    alarm = next(line for line in project.said if line.startswith("NONDETERMINISM DETECTED: step one"))
    assert first in alarm and second.run.digests["out"] in alarm
    assert project.run()["one"].unstable  # it is not forgotten


def test_running_again_finds_what_is_unstable_and_takes_nothing(project: Project) -> None:
    project.steps = {**project.steps}
    stable = run_again(project.desk(), project.run())
    project.take_step(UNSTABLE)
    outcomes = project.run()
    before = project.read("data/processed/out.txt")

    again = run_again(project.desk(), outcomes)

    assert not any(outcome.unstable for outcome in stable.values())
    assert describe_unstable(again["one"])
    assert project.read("data/processed/out.txt") == before


FAILING: dict[str, tuple[str, str]] = {
    "raises": ("def work(out):\n    raise ValueError('no such column')\n", r"ValueError: no such column \(one\.py:2, in work\)"),
    "arguments": ("def work(out, customers):\n    pass\n", r"TypeError: missing a required argument: 'customers'"),
    "no function": ("work = 3\n", r"TypeError: churn\.one\.work is no function"),
    "no name": ("x = 3\n", r"AttributeError: module 'churn\.one' has no attribute 'work'"),
    "import": ("import nothing_like_it\n", r"ModuleNotFoundError: No module named 'nothing_like_it'"),
    "syntax": ("def work(out:\n", r"SyntaxError"),
    "exit": ("import os\ndef work(out):\n    print('said this'); os.abort()\n", r"exit code -6"),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_step_that_fails_says_why_in_a_sentence_and_leaves_nothing(project: Project, name: str) -> None:
    code, found = FAILING[name]
    project.take_step(code)

    with pytest.raises(DataError, match=rf"steps\.one\.function: expected a step that ends well, found .*{found}.*failed\.log"):
        project.run()

    assert not (project.root / "data/processed").exists()
    assert (project.root / ".samebits/steps/one/failed.log").is_file()
    assert not list((project.root / ".samebits/steps").glob(".work-*"))


LEFT_OUT = {
    "nothing": ("pass", "found nothing"),
    "link": ("out.symlink_to('/etc/hostname')", "found a link"),
    "empty folder": ("out.mkdir()", "found a folder without files"),
    "link in a folder": ("out.mkdir(); (out / 'a').symlink_to('/etc/hostname')", "found a, which is no regular file"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_an_output_that_a_step_does_not_write_is_named(project: Project, name: str) -> None:
    work, found = LEFT_OUT[name]
    project.take_step(f"def work(out):\n    {work}\n")

    with pytest.raises(
        DataError, match=rf"steps\.one\.outputs\.out: expected a file that the step writes at data/processed/out\.txt, {found}"
    ):
        project.run()


DRAWING = """\
import random
def work(out, seed=None):
    import numpy
    out.write_text(f"{seed} {random.random()} {numpy.random.random()} {sorted({'a', 'b'})} {list({'a', 'b', 'c'})}")
"""


def test_generators_are_planted_by_the_step_s_own_seed_however_late_they_are_imported(project: Project) -> None:
    import random

    import numpy as np

    project.take_step(DRAWING, seed=5)
    project.run()

    planted = derive_seed(5, "steps.one")
    random.seed(planted)
    expected = f"5 {random.random()} {np.random.RandomState(planted).random()}"
    assert project.read("data/processed/out.txt").startswith(expected)
    assert not run_again(project.desk(), project.run())["one"].unstable


def test_a_step_gives_the_same_bytes_whatever_hash_seed_and_threads_its_caller_has(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.take_step(DRAWING)
    project.run()
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")

    again = run_again(project.desk(), project.run())

    assert not again["one"].unstable


def test_a_command_gets_its_words_and_its_files_of_the_project_are_code(project: Project) -> None:
    project.write(
        "scripts/join.py",
        "import sys\nimport beside\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read() + beside.END + ' '.join(sys.argv[3:]))\n",
    )
    project.write("scripts/beside.py", "END = 'end '\n")
    words = ["python", "scripts/join.py", "{inputs.customers}", "{outputs.out}", "{parameters.how}-{seed}", "{x}"]
    step = {"command": words, "parameters": {"how": 3}, "seed": 4}
    project.steps = {"one": {**step, "inputs": {"customers": "data/raw/customers.csv"}, "outputs": {"out": "data/processed/out.txt"}}}

    outcome = project.run()["one"]

    assert project.read("data/processed/out.txt") == "1,20\n2,30\nend 3-4 {x}"
    assert list(outcome.run.modules) == ["scripts/beside.py", "scripts/join.py"]
    project.write("scripts/beside.py", "END = 'END '\n")
    assert project.judge()["one"].reason == "module scripts/beside.py changed"
    project.write("scripts/beside.py", "END = 'end '\n")
    project.write("scripts/join.py", project.read("scripts/join.py") + "#\n")
    assert project.judge()["one"].reason.startswith("code scripts/join.py: sha256:")


def test_a_command_that_is_no_python_is_run_and_said_to_be_unwatched(project: Project) -> None:
    project.steps = {
        "one": {
            "command": ["cp", "{inputs.a}", "{outputs.b}"],
            "inputs": {"a": "data/raw/orders.csv"},
            "outputs": {"b": "data/out.csv"},
        }
    }

    assert project.list_ran() == ["one"]
    assert any("no Python of its command was watched: what it opened outside of the project" in line for line in project.said)
    assert not any("opened while it ran" in line for line in project.said)
    project.steps["one"]["command"] = ["no-such-program", "{outputs.b}"]
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(DataError, match=r"steps\.one\.command: expected a program that can be started, found no-such-program"):
        project.run()
    assert signal.getsignal(signal.SIGINT) is handler
    project.steps["one"]["command"] = ["sh", "-c", "echo not good; exit 3"]
    with pytest.raises(DataError, match=r"steps\.one\.command: .*found exit code 3: not good"):
        project.run()


def test_a_file_that_no_python_opened_is_named_and_on_record(project: Project) -> None:
    """As a library in C++ opens it: nobody tells by which program it was, so that the step is not refused."""
    project.write("data/raw/other.csv", "1\n")
    other, out = project.root / "data/raw/other.csv", "{outputs.b}"
    project.steps = {
        "one": {
            "command": ["sh", "-c", f'cat "$1" {other} > "$2"', "sh", "{inputs.a}", out],
            "inputs": {"a": "data/raw/orders.csv"},
            "outputs": {"b": "data/out.csv"},
        }
    }

    outcome = project.run()["one"]

    assert outcome.run.others_opened == ["data/raw/other.csv"]
    assert any("step one: opened while it ran, by it or by another program: data/raw/other.csv." in line for line in project.said)
    assert project.run()["one"].run.others_opened == ["data/raw/other.csv"]


def test_folders_are_inputs_and_outputs_and_what_no_digest_is_of_is_left_out_by_name(project: Project) -> None:
    project.write("data/raw/parts/a.csv", "1\n")
    project.write("data/raw/parts/_SUCCESS", "")
    code = "def work(parts, out):\n    out.mkdir()\n    names = [p.name for p in parts.iterdir()]\n    (out / 'names.txt').write_text(' '.join(names))\n    (out / '_mark').write_text('x')\n"
    project.take_step(code, inputs={"parts": "data/raw/parts"}, outputs={"out": "data/processed/parts"})

    project.run()

    assert project.read("data/processed/parts/names.txt") == "a.csv"
    assert not (project.root / "data/processed/parts/_mark").exists()
    assert any("not taken of data/processed/parts" in line and "_mark" in line for line in project.said)
    project.write("data/raw/parts/b.csv", "2\n")
    project.run()
    assert sorted(project.read("data/processed/parts/names.txt").split()) == ["a.csv", "b.csv"]


def test_a_host_that_a_step_speaks_to_is_said(project: Project) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        project.take_step(
            f"import socket\ndef work(out):\n    socket.create_connection(('127.0.0.1', {port})).close()\n    out.write_text('')\n"
        )

        outcome = project.run()["one"]

    assert outcome.run.network == [f"127.0.0.1:{port}"]
    assert any(f"step one spoke to 127.0.0.1:{port}" in line for line in project.said)


def test_a_user_s_own_settings_of_libraries_reach_no_step(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    project.take_step(
        "import os\ndef work(out):\n    out.write_text(f\"{os.environ.get('MLFLOW_TRACKING_URI')} {os.environ['XDG_CONFIG_HOME'] == '/somewhere'}\")\n"
    )

    project.run()

    assert project.read("data/processed/out.txt") == "None False"


INTERRUPTED = """\
import sys
sys.path[:0] = [{tests!r}, {src!r}]
from pathlib import Path
from step_projects import Project
project = Project(Path({root!r}))
project.take_step({code!r})
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
project.run()
"""


def test_an_interrupted_step_ends_with_its_processes_and_leaves_nothing(project: Project, tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"import os, time\ndef work(out):\n    out.write_text('half'); open({str(started)!r}, 'w').write(str(os.getpid()))\n    time.sleep(1200)\n"
    script = INTERRUPTED.format(tests=str(ROOT / "tests"), src=str(ROOT / "src"), root=str(project.root), code=code)
    process = subprocess.Popen([sys.executable, "-c", script], env=clean_environment(XDG_CACHE_HOME=str(tmp_path / "cache")))
    child = int(wait_until(lambda: started.is_file() and re.fullmatch(r"\d+", started.read_text()) and started.read_text(), process))

    process.send_signal(signal.SIGTERM)

    assert process.wait() == 9
    assert not Path(f"/proc/{child}").exists()
    assert not (project.root / "data/processed").exists()
    assert not list((project.root / ".samebits/steps").glob(".work-*"))


def test_other_bytes_by_modules_that_were_not_there_are_no_same_bytes(project: Project) -> None:
    code = "try:\n    from churn import more\nexcept ImportError:\n    more = None\ndef work(out): out.write_text(str(more is None))\n"
    project.take_step(code)
    outcomes = project.run()

    project.write("src/churn/more.py", "")
    again = run_again(project.desk(), outcomes)

    assert re.match(
        r"step one: with other modules \(src/churn/more\.py\) it gave other bytes of out", describe_unstable(again["one"])[0]
    )


def test_an_input_that_a_step_moved_away_is_put_back(project: Project) -> None:
    project.take_step("def work(raw, out): raw.resolve().rename(out.resolve())\n", inputs={"raw": "data/raw/orders.csv"})

    with pytest.raises(DataError, match=r"inputs that are only read, found a write to data/raw/orders\.csv"):
        project.run()

    assert project.read("data/raw/orders.csv") == "2,9.5\n"


def test_an_output_that_is_an_input_by_another_name_is_refused(project: Project) -> None:
    code = "import os\ndef work(raw, out): os.link(raw.resolve(), out)\n"
    project.take_step(code, inputs={"raw": "data/raw/orders.csv"})

    with pytest.raises(DataError, match=r"a hard link|a write to data/raw/orders"):
        project.run()


@pytest.mark.parametrize("spelled", ["../data/processed/joined.csv", "{root}/data/processed/joined.csv", "data/again/joined.csv"])
def test_an_output_that_an_input_names_otherwise_is_refused(project: Project, spelled: str) -> None:
    project.run()
    (project.root / "data/again").symlink_to("processed")
    (project.root / "confs").mkdir()
    project.steps["clean"]["inputs"] = {"joined": spelled.format(root=project.root)}

    with pytest.raises(DataError, match=r"expected a raw file, or an output by its step's own name, found data/processed/joined\.csv"):
        project.plan()


def test_a_record_says_not_where_an_output_is_brought(project: Project, tmp_path: Path) -> None:
    project.run()
    (record,) = (project.root / ".samebits/steps/join").glob("*.json")
    record.write_text(record.read_text().replace('data/processed/joined.csv"', '../elsewhere.csv"', 1), encoding="utf-8")
    joined = project.root / "data/processed/joined.csv"
    content = joined.read_bytes()
    joined.unlink()

    project.run(lambda digest, place: bool(place.write_bytes(content)))

    assert not (tmp_path / "elsewhere.csv").exists() and joined.read_bytes() == content


@pytest.mark.parametrize("name", ["_notes.txt", ".drafts/a.txt"])
def test_a_folder_that_holds_files_of_somebody_else_is_not_replaced(project: Project, name: str) -> None:
    code = "def work(out, text='1'):\n    out.mkdir()\n    (out / 'part.csv').write_text(text)\n"
    project.take_step(code, outputs={"out": "data/processed/parts"})
    project.run()
    project.write(f"data/processed/parts/{name}", "of somebody else")
    assert project.list_ran() == []

    project.steps["one"]["parameters"] = {"text": "2"}
    with pytest.raises(DataError, match=rf"data/processed/parts: expected .* found others: {re.escape(name)}\. Move them away"):
        project.run()

    assert project.read(f"data/processed/parts/{name}") == "of somebody else"
    assert project.read("data/processed/parts/part.csv") == "1"


def test_a_date_among_the_parameters_reaches_a_function_as_its_iso_text(project: Project) -> None:
    project.take_step("def work(out, day):\n    out.write_text(day)\n", parameters={"day": datetime.date(2026, 11, 27)})

    project.run()

    assert project.read("data/processed/out.txt") == "2026-11-27"


def test_a_project_that_holds_a_file_where_records_go_is_told_so(project: Project) -> None:
    project.write(".samebits", "")

    with pytest.raises(DataError, match=r"\.samebits/steps.*: expected a folder to keep records of steps in, found Not a directory"):
        project.run()


def test_a_step_that_runs_the_steps_of_its_own_project_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEBITS_STEP", str(project.root / ".samebits/steps/.work-1-a/plan.json"))

    with pytest.raises(DataError, match=r"SAMEBITS_STEP: expected steps run by no step of the same project"):
        project.run()
