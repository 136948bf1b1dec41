"""What a parcel holds comes to its run whole and once, however often and in how many pieces it is sent."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import run_samebits
from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from recorded_runs import open_client, record_offline

from samebits.delivery import nested, sending
from samebits.delivery.artifact_store import ArtifactStore
from samebits.delivery.sending import create_run, find_run, is_drawn_name, send_parcel
from samebits.errors import TrackingError
from samebits.holdings.runs import open_recorded_run
from samebits.lineage.tracked_values import digest_test_rows
from samebits.parcels.packing import list_files
from samebits.parcels.parcel import Parcel

pytestmark = pytest.mark.xdist_group("verify")


@pytest.fixture
def parcel(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    folder = record_offline(tmp_path_factory.getbasetemp(), tmp_path / "spool")
    return Parcel(folder, json.loads((folder / "parcel.json").read_text(encoding="utf-8")))


ONCE = {
    **{"runs": 3, "candidates": 2, "their scores": 6},  # the run, and one for each candidate
    **{"models": 1, "outputs": 1, "inputs": 2, "of the model": 13, "folds": 3, "scores": 1},
}


def count(client: Any, run_id: str) -> dict[str, int]:
    """Count what would be there twice if something was sent twice."""
    run = client.get_run(run_id)
    runs = client.search_runs([run.info.experiment_id])
    nested = [one for one in runs if one.data.tags.get("mlflow.parentRunId") == run_id]
    return {
        "runs": len(runs),
        "candidates": len({one.data.tags["candidate_name"] for one in nested if one.info.status == "FINISHED"}),
        "their scores": sum(len(client.get_metric_history(one.info.run_id, "fold_average_precision")) for one in nested),
        "models": len(client.search_logged_models([run.info.experiment_id])),
        "outputs": len(run.outputs.model_outputs),
        "inputs": len(run.inputs.dataset_inputs),
        "of the model": len(client.get_logged_model(run.outputs.model_outputs[0].model_id).metrics),
        "folds": len(client.get_metric_history(run_id, "fold_average_precision")),
        "scores": len(client.get_metric_history(run_id, "cv_average_precision")),
    }


def test_a_run_has_its_own_times_and_the_bytes_that_were_packed(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    lineage = (parcel.folder / "lineage.json").read_bytes()

    run_id = send_parcel(client, parcel)

    values = parcel.read_values()
    info = client.get_run(run_id).info
    assert (info.status, info.start_time, info.end_time) == ("FINISHED", values["started"], values["ended"])
    assert client.get_metric_history(run_id, "cv_average_precision")[0].timestamp == values["ended"]
    with open_recorded_run(client, run_id) as recorded:
        assert recorded.lineage_bytes == lineage
        expected = {f"model/{name}" for name in list_files(parcel.folder / "model")} | set(list_files(parcel.folder / "artifacts"))
        assert set(recorded.files) == {*expected, "lineage.json"}


def test_a_parcel_that_is_sent_again_is_one_run_with_each_value_once(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    run_id = send_parcel(client, parcel)
    once = count(client, run_id)

    assert send_parcel(client, parcel) == run_id
    parcel.note["server_run_id"] = None  # as if the process had ended before it noted the server's answer
    assert send_parcel(client, parcel) == run_id

    assert count(client, run_id) == once == ONCE


def test_a_copy_of_a_delivered_parcel_adds_nothing_to_its_run(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    copy = Parcel(parcel.folder, dict(parcel.note), is_noted=False)
    run_id = send_parcel(client, parcel)
    since = {"level": "L2", "mlflow.note.content": "proved", "mlflow.runName": "the good one"}
    for name, value in since.items():
        client.set_tag(run_id, name, value)
    once = count(client, run_id)

    assert send_parcel(client, copy) == run_id

    assert count(client, run_id) == once
    assert {name: client.get_run(run_id).data.tags[name] for name in since} == since


def test_a_run_that_was_made_without_a_server_tells_there_how_often_its_rows_were_looked_at(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    lineage = json.loads((parcel.folder / "lineage.json").read_bytes())
    other = client.create_run("0", tags={"test_rows": str(digest_test_rows(lineage["stages"])), "model_digest": "sha256:other"})
    client.set_terminated(other.info.run_id)

    run_id = send_parcel(client, parcel)

    note = client.get_run(run_id).data.tags["mlflow.note.content"]
    assert "looks" not in lineage
    assert note.endswith(
        "\n- looks at these rows: this run is one of 2 models that were judged by these rows (2 configs, 2 seeds, 2 versions)"
    )


def test_a_run_with_another_record_is_not_written_over(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    run_id = send_parcel(client, parcel)
    client.set_tag(run_id, "lineage_digest", "sha256:" + "0" * 64)

    with pytest.raises(TrackingError, match="expected the record of this parcel, or none yet, found another one"):
        send_parcel(client, parcel)


STEPS = ["create_logged_model", "log_outputs", "log_batch", "log_inputs", "finalize_logged_model", "create_run", "set_terminated"]


def test_a_delivery_that_breaks_off_at_each_step_in_turn_is_completed_by_the_last(own_store: str, parcel: Parcel) -> None:
    """Each step fails twice: before the server has what was sent, and after."""
    for step, is_answer_lost in itertools.product(STEPS, (False, True)):
        client = open_client(own_store)
        plain = getattr(client, step)

        def break_off(*args: Any, plain: Any = plain, step: str = step, does: bool = is_answer_lost, **options: Any) -> None:
            if does:
                plain(*args, **options)
            raise ConnectionError(step)

        setattr(client, step, break_off)
        with pytest.raises(TrackingError, match=step):
            send_parcel(client, parcel)

    run_id = send_parcel(open_client(own_store), parcel)

    assert count(client, run_id) == ONCE
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_store_that_says_it_took_a_file_and_has_it_not_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(str(tmp_path / "store"), f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "a.csv").write_text("a", encoding="utf-8")
    (tmp_path / "b.csv").write_text("b", encoding="utf-8")
    plain: Callable[..., None] = store._repository.log_artifact
    lies = ["b.csv", "b.csv"]

    def lie(path: str, folder: str | None) -> None:
        if lies and Path(path).name == lies[-1]:
            lies.pop()
        else:
            plain(path, folder)

    monkeypatch.setattr(store._repository, "log_artifact", lie)
    files = {"x/a.csv": tmp_path / "a.csv", "b.csv": tmp_path / "b.csv"}

    with pytest.raises(TrackingError, match=r"expected an artifact store that keeps what it took, found .*: b\.csv"):
        store.send(files, is_anew=False)
    store.send(files, is_anew=True)

    assert sorted(list_files(tmp_path / "store")) == ["b.csv", "x/a.csv"]


def test_a_file_of_another_size_is_sent_again_and_one_that_is_there_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(str(tmp_path / "store"), f"sqlite:///{tmp_path}/mlflow.db")
    files = {name: tmp_path / name for name in ("whole", "torn")}
    for path in files.values():
        path.write_text("content", encoding="utf-8")
    store.send(files, is_anew=False)
    (tmp_path / "store/torn").write_text("con", encoding="utf-8")
    sent: list[str] = []
    plain = store._repository.log_artifact
    monkeypatch.setattr(store._repository, "log_artifact", lambda path, folder: (sent.append(Path(path).name), plain(path, folder)))

    store.send(files, is_anew=True)

    assert sent == ["torn"]
    assert (tmp_path / "store/torn").read_text(encoding="utf-8") == "content"


def test_two_runs_for_one_parcel_become_one(own_store: str, parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    """As over HTTP, where the first answer was lost and MLflow asked again."""
    client = open_client(own_store)
    first = create_run(client, parcel)
    monkeypatch.setattr(sending, "is_http", lambda _: True)

    second = create_run(client, parcel)

    assert second.info.run_id == first.info.run_id
    assert [run.info.run_id for run in client.search_runs([first.info.experiment_id])] == [first.info.run_id]


def test_models_that_lost_answers_left_behind_go_and_another_ones_stays(own_store: str, parcel: Parcel) -> None:
    client, values = open_client(own_store), parcel.read_values()
    run = create_run(client, parcel)
    for _ in range(3):
        sending._create_model(client, run, values)
    theirs = client.create_logged_model(run.info.experiment_id, name="theirs", source_run_id=run.info.run_id)
    parcel.write_note(is_sent=True)

    run_id = send_parcel(client, parcel)

    models = client.search_logged_models([run.info.experiment_id])
    assert len(models) == 2 and theirs.model_id in [model.model_id for model in models]
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_run_that_was_deleted_is_made_anew(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    deleted = create_run(client, parcel).info.run_id
    client.delete_run(deleted)
    assert find_run(client, parcel) is None

    run_id = send_parcel(client, parcel)

    assert run_id != deleted and client.get_run(run_id).info.status == "FINISHED"


def test_a_waiting_run_is_verified_compared_and_pushed_and_goes_by_its_own_id_ever_after(
    own_store: str, parcel: Parcel, tmp_path: Path
) -> None:
    own_id = parcel.parcel_id
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_SPOOL": str(parcel.folder.parent)}

    assert f"run    {own_id}  waits: samebits push {own_id}" in run_samebits("status", **variables).stdout
    before = run_samebits("verify", own_id[:8], **variables)
    assert before.returncode == 0 and "verdict     IDENTICAL" in before.stdout, before.stderr + before.stdout
    pushed = run_samebits("push", **variables)
    assert pushed.returncode == 0, pushed.stderr
    run_id = pushed.stdout.split()[1]
    assert f"made as {own_id}" in pushed.stdout

    after = run_samebits("verify", own_id, **variables)
    assert after.returncode == 0 and f"run         {run_id}" in after.stdout
    compared = run_samebits("diff", own_id[:8], "latest", **variables)
    assert compared.returncode == 0 and "verdict     IDENTICAL" in compared.stdout
    assert own_id not in run_samebits("push", **variables).stdout + run_samebits("status", **variables).stdout
    assert not parcel.folder.exists()


def test_a_run_that_no_server_takes_waits_on_and_the_exit_code_says_so(parcel: Parcel, closed_port: int) -> None:
    variables = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{closed_port}", "SAMEBITS_SPOOL": str(parcel.folder.parent)}
    before = sorted(list_files(parcel.folder))

    done = run_samebits("push", str(parcel.folder), **variables)

    assert done.returncode == 75 and "Connection refused" in done.stderr
    assert f"What it made waits in {parcel.folder}: samebits push {parcel.run_id}" in done.stderr
    assert sorted(list_files(parcel.folder)) == before


def test_what_was_made_for_another_server_is_sent_here_only_when_it_is_named(own_store: str, parcel: Parcel) -> None:
    parcel.write_note(server="http://elsewhere:5000", server_run_id="f" * 32)
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_SPOOL": str(parcel.folder.parent)}

    unnamed = run_samebits("push", **variables)
    assert unnamed.returncode == 0 and "was made for http://elsewhere:5000: to send it here, name it" in unnamed.stderr
    assert parcel.folder.exists()

    named = run_samebits("push", parcel.parcel_id, **variables)
    assert named.returncode == 0, named.stderr
    assert not parcel.folder.exists()


def test_a_parcel_that_names_a_run_of_somebody_elses_changes_nothing_of_it(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    run_id = send_parcel(client, parcel)
    before = client.get_run(run_id).to_dictionary()
    parcel.write_note(parcel_id="e" * 32)

    with pytest.raises(TrackingError, match="expected the run of parcel eeee"):
        send_parcel(client, parcel)

    assert client.get_run(run_id).to_dictionary() == before


def test_a_run_whose_experiment_was_deleted_waits_and_that_is_said(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    client.delete_experiment(client.create_experiment("offline"))

    done = run_samebits("push", MLFLOW_TRACKING_URI=own_store, SAMEBITS_SPOOL=str(parcel.folder.parent))

    assert done.returncode == 75 and "found experiment 'offline': a deleted one. What it made waits in" in done.stderr, done.stderr
    assert parcel.is_whole


def test_what_does_not_wait_is_refused(own_store: str, parcel: Parcel) -> None:
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_SPOOL": str(parcel.folder.parent)}

    assert "expected a run that waits in the spool, found none" in run_samebits("push", "abcdef01", **variables).stderr
    assert parcel.hold()
    held = run_samebits("push", parcel.parcel_id, **variables)
    assert held.returncode == 75 and "another process that has it" in held.stderr
    parcel.release()
    for name in ("values.json", "lineage.json"):
        (parcel.folder / name).unlink()
    assert run_samebits("push", parcel.parcel_id, **variables).returncode == 2
    shutil.rmtree(parcel.folder)


def test_a_run_of_another_project_is_sent_here_only_by_its_name(own_store: str, parcel: Parcel) -> None:
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_SPOOL": str(parcel.folder.parent)}
    parcel.write_note(project="/srv/other")

    pushed, listed = run_samebits("push", **variables), run_samebits("status", **variables)

    assert f"run {parcel.run_id} was made in /srv/other: to send it here, name it" in pushed.stderr
    assert "  of /srv/other  " in listed.stdout
    assert run_samebits("push", parcel.run_id, **variables).returncode == 0


def test_what_a_killed_run_made_is_not_cleaned_away(own_store: str, parcel: Parcel) -> None:
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_SPOOL": str(parcel.folder.parent)}
    (parcel.folder / "values.json").unlink()

    closed, listed = run_samebits("status", "--close", **variables), run_samebits("status", **variables)

    assert closed.returncode == 0
    assert (parcel.folder / "model").is_dir() and "is damaged: values.json is gone" in listed.stdout


@pytest.mark.parametrize("step", ["log_batch", "log_inputs", "set_terminated", "log_outputs"])
def test_a_server_that_says_it_took_a_value_and_has_it_not_is_found_out(own_store: str, parcel: Parcel, step: str) -> None:
    client = open_client(own_store)
    setattr(client, step, lambda *_, **__: None)

    with pytest.raises(TrackingError, match="expected a server that keeps what it took, found an answer that it has them, and not: "):
        send_parcel(client, parcel)

    assert send_parcel(open_client(own_store), parcel)


def test_a_value_that_was_lost_once_is_sent_again(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    plain, lost = client.log_batch, []

    def lose_once(*args: Any, **options: Any) -> None:
        if "tags" in options and not lost:
            lost.append(options)
        else:
            plain(*args, **options)

    client.log_batch = lose_once

    run_id = send_parcel(client, parcel)

    assert lost and client.get_run(run_id).data.tags["outputs_digest"] == parcel.read_values()["tags"]["outputs_digest"]


def test_a_run_that_was_made_without_a_server_is_reproduced_before_it_is_pushed_and_after(
    own_store: str, parcel: Parcel, tmp_path: Path
) -> None:
    """Its config asks no server; its rerun is recorded beside it all the same, and counts as evidence for it."""
    variables = {"MLFLOW_TRACKING_URI": own_store, "SAMEBITS_SPOOL": str(parcel.folder.parent)}

    before = run_samebits("reproduce", parcel.parcel_id[:8], "--here", "--yes", **variables)
    assert before.returncode == 0 and "verdict     IDENTICAL" in before.stdout, before.stdout + before.stderr
    assert run_samebits("push", **variables).returncode == 0
    after = run_samebits("reproduce", parcel.parcel_id, "--here", "--yes", "--json", **variables)

    assert after.returncode == 0, after.stdout + after.stderr
    assert json.loads(after.stdout)["verdict"] == "IDENTICAL"


def test_an_empty_file_whose_size_is_not_told_is_no_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP, MLflow tells no size of what is empty; of a store that tells none at all, the listing is believed."""
    store = ArtifactStore(str(tmp_path / "store"), f"sqlite:///{tmp_path}/mlflow.db")
    path = tmp_path / "a"
    path.write_text("content", encoding="utf-8")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/a").write_text("", encoding="utf-8")
    plain = store._repository.list_artifacts
    monkeypatch.setattr(
        store._repository,
        "list_artifacts",
        lambda folder: [FileInfo(info.path, info.is_dir, info.file_size or None) for info in plain(folder)],
    )

    store.send({"a": path}, is_anew=True)
    assert (tmp_path / "store/a").read_text(encoding="utf-8") == "content"

    monkeypatch.setattr(store._repository, "list_artifacts", lambda folder: [FileInfo("a", False, None)])
    store.send({"a": path}, is_anew=True)


def test_once_an_upload_has_failed_for_good_no_further_one_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(str(tmp_path / "store"), f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(store, "_n_uploads", 2)
    tried: list[str] = []

    def refuse(path: str, _: str | None) -> None:
        tried.append(path)
        raise ConnectionError(path)

    monkeypatch.setattr(store._repository, "log_artifact", refuse)
    files = {f"{number:02}": tmp_path / f"{number:02}" for number in range(50)}

    with pytest.raises(TrackingError):
        store.send(files, is_anew=False)

    assert len(tried) < 50


@pytest.mark.parametrize(
    ("call", "what"), [("create_logged_model", "a model"), ("create_run", "a run"), ("create_experiment", "an experiment")]
)
def test_what_a_server_says_it_made_and_gives_no_id_is_not_taken(
    own_store: str, parcel: Parcel, monkeypatch: pytest.MonkeyPatch, call: str, what: str
) -> None:
    client = open_client(own_store)
    empty = "" if call == "create_experiment" else SimpleNamespace(model_id="", info=SimpleNamespace(run_id=""))
    with monkeypatch.context() as patch:
        patch.setattr(client, call, lambda *_, **__: empty)

        with pytest.raises(TrackingError, match=f"expected {what} with an id, found an answer without one"):
            send_parcel(client, parcel)

    run = client.get_run(send_parcel(client, parcel))
    assert [bool(output.model_id) for output in run.outputs.model_outputs] == [True]


def test_a_table_that_two_runs_name_at_the_same_moment_is_named_again(
    own_store: str, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, really = open_client(own_store), []
    plain = client.log_inputs

    def collide(*given: Any) -> None:
        really.append(given)
        if len(really) == 1:
            raise MlflowException('duplicate key value violates unique constraint "dataset_pk"')
        plain(*given)

    monkeypatch.setattr(client, "log_inputs", collide)
    run_id = send_parcel(client, parcel)

    assert len(really) == 2 and count(client, run_id)["inputs"] == 2


@pytest.mark.parametrize("step", ["log_batch", "set_terminated", "create_run"])
def test_a_candidate_that_a_server_only_says_it_took_is_sent_again(own_store: str, parcel: Parcel, step: str) -> None:
    """The first answer to a request for a nested run, or for what it holds, comes from something in between."""
    client = open_client(own_store)
    plain, lost = getattr(client, step), []

    def lose_once(*args: Any, **options: Any) -> Any:
        is_nested = "candidate_name" in str(options.get("tags")) or "parameters" in str(options.get("params")) or bool(lost)
        if (is_nested or step == "set_terminated") and not lost:
            lost.append(args)
            return SimpleNamespace(info=SimpleNamespace(run_id=""))
        return plain(*args, **options)

    setattr(client, step, lose_once)

    assert count(client, send_parcel(client, parcel)) == ONCE and lost


def test_of_two_nested_runs_of_one_candidate_the_whole_one_stays(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    plain = client.create_run

    def create_twice(*args: Any, **options: Any) -> Any:
        if "candidate_name" in options.get("tags", {}):
            plain(*args, **options)  # the answer to which was lost
        return plain(*args, **options)

    client.create_run = create_twice

    assert count(client, send_parcel(client, parcel)) == ONCE


def test_a_run_gets_a_name_that_speaks_unless_it_has_been_given_one(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    run_id = send_parcel(client, parcel)
    drawn = client.get_run(run_id).info.run_name
    client.set_tag(run_id, "mlflow.runName", "ours")
    send_parcel(client, parcel)

    assert drawn.startswith("decision_tree 0.") and drawn.endswith(" · offline 2026.11.0")
    assert client.get_run(run_id).info.run_name == "ours"
    assert [is_drawn_name(name) for name in ("bold-crab-12", "", "my-model-3", "ours")] == [True, True, False, False]


def test_an_experiment_is_described_once_and_a_persons_words_stay(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    experiment_id = client.get_run(send_parcel(client, parcel)).info.experiment_id
    described = client.get_experiment(experiment_id).tags
    client.set_experiment_tag(experiment_id, "mlflow.note.content", "mine")
    send_parcel(client, parcel)

    assert f"#/experiments/{experiment_id}/runs?viewStateShareKey=samebits" in described["mlflow.note.content"]
    assert "samebits results offline" in described["mlflow.note.content"]
    assert "test_average_precision" in described["mlflow.sharedViewState.samebits"]
    assert client.get_experiment(experiment_id).tags["mlflow.note.content"] == "mine"


def test_the_model_has_a_name_its_parameters_and_its_metrics_each_on_its_rows(own_store: str, parcel: Parcel) -> None:
    client = open_client(own_store)
    run = client.get_run(send_parcel(client, parcel))

    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)

    digests = {one.tags[0].value: one.dataset.digest for one in run.inputs.dataset_inputs}
    rows = {metric.key: metric.dataset_digest for metric in model.metrics}
    assert (model.name, model.params) == ("decision_tree", {"candidate": "decision_tree", "max_depth": "3"})
    assert (rows["test_average_precision"], rows["train_average_precision"]) == (digests["test"], digests["training"])
    assert "**decision\\_tree** predicts **diagnosis** from wdbc.csv" in model.tags["mlflow.note.content"]


def test_a_candidate_of_more_folds_than_a_server_takes_at_once_comes_in_pieces(own_store: str) -> None:
    client = open_client(own_store)
    parent = client.create_run("0")
    steps = [["fold_accuracy", fold / 2000, 1, fold] for fold in range(2000)]
    params = {f"p{number}": "1" for number in range(150)}

    nested._send(client, parent, {"params": params, "metrics": steps, "tags": {}, "run_name": "many", "started": 1, "ended": 2}, [])

    (found,) = client.search_runs(["0"], "attributes.run_name = 'many'")
    assert len(found.data.params) == 150 and found.info.status == "FINISHED"
    assert len(client.get_metric_history(found.info.run_id, "fold_accuracy")) == 2000
