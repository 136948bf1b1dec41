"""A run that is opened is closed, whatever ends it: first the status, then the words; and what cannot be recorded is said before."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import run_samebits
from recorded_runs import open_client

from samebits.delivery import open_run as opening
from samebits.delivery import sending
from samebits.delivery.open_run import OpenRun, open_run
from samebits.delivery.orphans import close_orphans
from samebits.errors import ConfigError, Interrupted, Problem, TrackingError, Undelivered
from samebits.parcels.spool import list_parcels
from samebits.signals import ENDING
from samebits.tracking.greeting import check_server
from samebits.tracking.patience import PATIENCE, ServerGone
from samebits.tracking.server import make_client

pytestmark = pytest.mark.xdist_group("verify")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, own_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SAMEBITS_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store)
    handlers = {number: signal.getsignal(number) for number in ENDING}
    PATIENCE.renew()
    yield
    PATIENCE.renew()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def open_one(store: str, folder: Path, is_offline: bool = False) -> OpenRun:
    return open_run("opened", "a.yaml", store, folder, is_offline)


@pytest.mark.parametrize(
    ("error", "status"),
    [(Interrupted(15), "KILLED"), (KeyboardInterrupt(), "KILLED"), (TrackingError(), "FAILED"), (ValueError("a bug"), "FAILED")],
)
def test_what_ends_a_run_stands_on_it_and_its_empty_parcel_goes(
    own_store: str, tmp_path: Path, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error)), open_one(own_store, tmp_path) as run:
        raise error

    found = open_client(own_store).get_run(run.run_id)
    assert found.info.status == status and found.info.end_time
    assert found.data.tags["mlflow.note.content"].startswith(f"**{status}.**")
    assert not run.parcel.folder.exists()


def test_a_store_that_is_broken_does_not_keep_the_run_from_being_closed(own_store: str, tmp_path: Path) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match="a bug"), open_one(own_store, tmp_path) as run:
        run.client.log_text = refuse
        run.client.log_batch = refuse
        raise ValueError("a bug")

    assert open_client(own_store).get_run(run.run_id).info.status == "FAILED"


def test_a_second_signal_does_no_harm_while_a_run_is_closed(own_store: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_one(own_store, tmp_path) as run:
        plain = run.client.set_terminated

        def close_slowly(*args: Any, **options: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            plain(*args, **options)

        run.client.set_terminated = close_slowly
        raise KeyboardInterrupt

    assert open_client(own_store).get_run(run.run_id).info.status == "KILLED"


def test_what_a_run_made_outlives_its_end(own_store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted), open_one(own_store, tmp_path) as run:
        run.parcel.write_values({})
        raise Interrupted(15)

    assert run.parcel.is_whole
    assert f"What it made waits in {run.parcel.folder}: samebits push {run.run_id}" in capsys.readouterr().err
    client = open_client(own_store)
    assert client.get_run(run.run_id).info.status == "KILLED"
    assert client.list_artifacts(run.run_id) == []  # a file more would be one that its lineage does not know


def test_a_run_is_taken_over_only_while_it_is_running_and_empty(
    own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_client(own_store)
    experiment = client.create_experiment("opened", artifact_location=str(tmp_path / "artifacts"))
    empty, ended, used = (client.create_run(experiment).info.run_id for _ in range(3))
    client.log_param(empty, "conf_file", "a.yaml")
    client.set_terminated(ended)
    client.log_metric(used, "accuracy", 1.0)

    for run_id, said in ((ended, "found one that is FINISHED"), (used, "RUNNING and holds another training")):
        monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
        before = client.get_run(run_id)
        with pytest.raises(TrackingError, match=said):
            open_one(own_store, tmp_path)
        assert client.get_run(run_id).to_dictionary() == before.to_dictionary()

    monkeypatch.setenv("MLFLOW_RUN_ID", empty)
    run = open_one(own_store, tmp_path)
    assert run.run_id == empty
    assert client.get_run(empty).data.tags["process"] == str(run.parcel.note["process"])


def test_a_run_says_now_and_then_that_it_is_alive(own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "HEARTBEAT_SECONDS", 0.01)
    beaten = threading.Event()
    run = open_one(own_store, tmp_path)
    plain = run.client.set_tag
    run.client.set_tag = lambda *args: (plain(*args), beaten.set())

    with run:
        beaten.wait()

    assert "heartbeat" in open_client(own_store).get_run(run.run_id).data.tags


def test_a_run_whose_process_is_gone_is_closed_by_the_next_command(own_store: str, tmp_path: Path) -> None:
    empty, whole, alive = (open_one(own_store, tmp_path) for _ in range(3))
    whole.parcel.write_values({})
    for run in (empty, whole):
        run.parcel.release()  # as the system does for a process that ends

    closed = close_orphans(make_client(own_store), tmp_path)

    client = open_client(own_store)
    assert sorted(closed) == sorted([empty.run_id, whole.run_id])
    assert [client.get_run(run.run_id).info.status for run in (empty, whole, alive)] == ["KILLED", "KILLED", "RUNNING"]
    assert f"samebits push {whole.run_id}" in client.get_run(whole.run_id).data.tags["mlflow.note.content"]
    assert {parcel.run_id for parcel in list_parcels(tmp_path) if parcel.folder.is_relative_to(tmp_path)} == {
        whole.run_id,
        alive.run_id,
    }
    assert close_orphans(client, tmp_path) == []


def test_a_run_that_could_not_be_closed_is_closed_later_as_what_it_was(own_store: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError), open_one(own_store, tmp_path) as run:
        PATIENCE.is_gone = True
        raise TrackingError()
    assert open_client(own_store).get_run(run.run_id).info.status == "RUNNING"

    PATIENCE.renew()
    close_orphans(open_client(own_store), tmp_path)

    assert open_client(own_store).get_run(run.run_id).info.status == "FAILED"
    assert not run.parcel.folder.exists()


def test_without_a_server_there_is_only_the_parcel(own_store: str, tmp_path: Path) -> None:
    with pytest.raises(Undelivered, match=r"found tracking.offline: true\. What it made waits"), open_one("", tmp_path, True) as run:
        run.parcel.write_values({})
        run.deliver()

    assert run.client is None and run.run_id == run.parcel.parcel_id and run.parcel.is_whole


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A server that gives the answer which a test puts here to every request."""
    said: dict[str, Any] = {"status": 200, "text": "3.17.2", "type": "text/plain"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = str(said["text"]).encode()
            self.send_response(said["status"])
            self.send_header("Content-Type", said["type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["uri"] = f"http://127.0.0.1:{server.server_address[1]}"
    yield said
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (200, "2.16.2", "expected an MLflow server of version 3 or later, found 2.16.2"),
        (200, "<!doctype html><title>Log in</title>", "expected an MLflow server, found a page in place of its version"),
        (200, "{}", "expected an MLflow server, found '{}' in place of its version"),
        (401, "", "expected a server that lets this user in, found status 401"),
        (403, "", "Set MLFLOW_TRACKING_USERNAME"),
        (403, "Invalid Host header - possible DNS rebinding attack detected", "expected a server that answers to this name"),
    ],
)
def test_what_is_no_server_for_runs_is_refused_before_training(answers: dict[str, Any], status: int, text: str, expected: str) -> None:
    answers |= {"status": status, "text": text}

    with pytest.raises(TrackingError, match=expected) as raised:
        check_server(answers["uri"])

    assert not isinstance(raised.value, ServerGone)


@pytest.mark.parametrize(("status", "text"), [(200, "3.17.2"), (200, "3.0.0rc1\n"), (200, "4.1.0.dev0"), (404, "")])
def test_a_server_of_another_version_from_three_on_is_tried(answers: dict[str, Any], status: int, text: str) -> None:
    answers |= {"status": status, "text": text}

    check_server(answers["uri"])


def test_a_server_that_is_broken_is_as_one_that_is_not_there(answers: dict[str, Any]) -> None:
    answers |= {"status": 503}

    with pytest.raises(ServerGone, match="status 503"):
        check_server(answers["uri"])


def test_a_server_of_before_three_costs_no_training(answers: dict[str, Any], write_config: Any) -> None:
    answers |= {"text": "2.16.2"}

    done = run_samebits("train", str(write_config()), MLFLOW_TRACKING_URI=answers["uri"])

    assert done.returncode == 2 and done.stdout == ""
    assert "expected an MLflow server of version 3 or later, found 2.16.2" in done.stderr and "read " not in done.stderr


def test_a_store_that_cannot_be_written_is_said_before_training_and_the_run_is_closed(own_store: str, tmp_path: Path) -> None:
    client = open_client(own_store)
    (tmp_path / "a file").write_text("", encoding="utf-8")
    client.create_experiment("opened", artifact_location=str(tmp_path / "a file" / "below"))

    with pytest.raises(TrackingError, match="expected a tracking store that can take artifacts"):
        open_one(own_store, tmp_path)

    (run,) = client.search_runs([client.get_experiment_by_name("opened").experiment_id])
    assert run.info.status == "FAILED"


def test_the_probe_of_a_store_leaves_nothing(own_store: str, tmp_path: Path) -> None:
    run = open_one(own_store, tmp_path)

    client = open_client(own_store)
    assert client.list_artifacts(run.run_id) == []
    location = Path(client.get_experiment(run.parcel.note["experiment_id"]).artifact_location)
    assert [path for path in location.rglob("*") if path.is_file()] == []


def test_a_limit_on_the_size_of_files_is_said_before_training(write_config: Any, own_store: str) -> None:
    command = f"ulimit -f 300; exec {subprocess.list2cmdline(['python', '-m', 'samebits', 'train', str(write_config())])}"
    from conftest import ROOT, clean_environment

    environment = clean_environment(MLFLOW_TRACKING_URI=own_store, PYTHONPATH=str(ROOT / "src"))
    done = subprocess.run(["bash", "-c", command], env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)

    assert done.returncode == 2, done.stderr
    assert "expected files of 64 MiB to be allowed, found a limit of 307200 bytes. Lift it: ulimit -f" in done.stderr


def test_a_silent_store_that_is_apart_from_the_server_does_not_keep_the_run_from_being_closed(own_store: str, tmp_path: Path) -> None:
    with pytest.raises(ServerGone), open_one(own_store, tmp_path) as run:
        run.parcel.write_note(is_store_apart=True)
        PATIENCE.is_gone = True
        raise ServerGone()

    assert open_client(own_store).get_run(run.run_id).info.status == "FAILED"


@pytest.mark.parametrize("is_silent_after", [False, True])
def test_a_run_whose_creation_was_interrupted_is_closed_now_or_later(
    own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_silent_after: bool
) -> None:
    """The server has it, and the answer did not come."""
    plain = opening.create_run

    def be_interrupted(client: Any, parcel: Any) -> None:
        plain(client, parcel)
        parcel.write_note(server_run_id=None)
        PATIENCE.is_gone = is_silent_after
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "create_run", be_interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_one(own_store, tmp_path)
    PATIENCE.renew()
    client = open_client(own_store)
    (run,) = client.search_runs([client.get_experiment_by_name("opened").experiment_id])
    assert run.info.status == ("RUNNING" if is_silent_after else "KILLED")

    close_orphans(client, tmp_path)

    assert client.get_run(run.info.run_id).info.status == "KILLED"
    assert [parcel for parcel in list_parcels(tmp_path) if parcel.folder.is_relative_to(tmp_path)] == []


def test_what_a_process_left_before_it_asked_any_server_goes(own_store: str, tmp_path: Path) -> None:
    left = open_one("", tmp_path, is_offline=True)
    left.parcel.release()

    close_orphans(open_client(own_store), tmp_path)

    assert not left.parcel.folder.exists()


def adopt_new(store: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    client = open_client(store)
    experiment = client.create_experiment("opened", artifact_location=str(folder / "artifacts"))
    run_id: str = client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    return run_id


def test_a_run_that_another_process_has_taken_is_not_taken_too(
    own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = adopt_new(own_store, tmp_path, monkeypatch)
    first = open_one(own_store, tmp_path)

    with pytest.raises(TrackingError, match="found one that another process has taken"):
        open_one(own_store, tmp_path)

    assert open_client(own_store).get_run(run_id).info.status == "RUNNING"
    assert open_client(own_store).get_run(run_id).data.tags["parcel_id"] == first.parcel.parcel_id


def test_a_run_that_was_deleted_is_said_to_be(own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_client(own_store).delete_run(adopt_new(own_store, tmp_path, monkeypatch))

    with pytest.raises(TrackingError, match="a run that is RUNNING and empty, found one that was deleted"):
        open_one(own_store, tmp_path)


@pytest.mark.parametrize(("name", "value"), [("seed", "99"), ("conf_file", "another.yaml")])
def test_a_run_with_a_param_of_another_training_is_not_taken(
    own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    run_id = adopt_new(own_store, tmp_path, monkeypatch)
    open_client(own_store).log_param(run_id, name, value)

    with pytest.raises(TrackingError, match="expected a run that is RUNNING and empty"):
        open_one(own_store, tmp_path)

    run = open_client(own_store).get_run(run_id)
    assert run.info.status == "RUNNING" and "parcel_id" not in run.data.tags


def test_a_job_that_is_started_again_takes_its_run_over_and_is_not_closed_for_the_first(
    own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = adopt_new(own_store, tmp_path, monkeypatch)
    open_one(own_store, tmp_path).parcel.release()  # as the system does for a process that is killed

    second = open_one(own_store, tmp_path)
    close_orphans(second.client, tmp_path)

    run = open_client(own_store).get_run(run_id)
    assert (run.info.status, run.data.tags["parcel_id"]) == ("RUNNING", second.parcel.parcel_id)


@pytest.mark.parametrize("owner", ["../victim", "store", "a" * 32])
def test_a_tag_that_names_a_folder_deletes_none(own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str) -> None:
    run_id = adopt_new(own_store, tmp_path, monkeypatch)
    first = open_one(own_store, tmp_path).parcel
    victim = first.folder.parent / owner
    victim.mkdir()
    (victim / "lock").touch()
    open_client(own_store).set_tag(run_id, "parcel_id", owner)

    with pytest.raises(TrackingError, match="found one that another process has taken"):
        open_one(own_store, tmp_path)

    assert (victim / "lock").exists()
    first.release()


def test_a_run_of_another_machine_is_left_alone(own_store: str, tmp_path: Path) -> None:
    run = open_one(own_store, tmp_path)
    run.parcel.write_note(host="elsewhere")
    run.parcel.release()

    assert close_orphans(make_client(own_store), tmp_path) == []
    assert open_client(own_store).get_run(run.run_id).info.status == "RUNNING"


def test_a_run_that_may_still_be_made_is_waited_for(own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is on its way as the signal comes; the server makes the run after nobody waits for it."""
    plain = sending.explain_failures

    def be_interrupted(action: str, call: Any) -> Any:
        if action == "create a run":
            raise KeyboardInterrupt
        return plain(action, call)

    monkeypatch.setattr(sending, "explain_failures", be_interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_one(own_store, tmp_path)
    monkeypatch.setattr(sending, "explain_failures", plain)
    (parcel,) = [found for found in list_parcels(tmp_path) if found.folder.is_relative_to(tmp_path)]
    client = open_client(own_store)
    assert close_orphans(client, tmp_path) == [] and parcel.folder.exists()

    late = sending.create_run(client, parcel).info.run_id

    assert close_orphans(client, tmp_path) == [late]
    assert client.get_run(late).info.status == "KILLED"


def test_a_mistake_of_the_users_is_said_on_the_run_that_was_made_for_it(
    own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = adopt_new(own_store, tmp_path, monkeypatch)

    opening.fail_adopted_run(run_id, own_store, ConfigError(Problem("a.yaml:3: sed", "a key", "'sed'", "Did you mean 'seed'?")))

    run = open_client(own_store).get_run(run_id)
    assert run.info.status == "FAILED" and "Did you mean" in run.data.tags["mlflow.note.content"]
    assert [found for found in list_parcels(tmp_path) if found.folder.is_relative_to(tmp_path)] == []
