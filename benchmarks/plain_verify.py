"""What a careful user writes instead of `samebits verify`: hashes a run's files and its table, and compares them with the lineage.

python plain_verify.py RUN_ID
"""

import hashlib
import json
import sys
from pathlib import Path

import mlflow


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def main(run_id: str) -> int:
    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    folder = Path(client.download_artifacts(run_id, ""))
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    lineage = json.loads((folder / "lineage.json").read_text())
    files = {name: folder / name for name in lineage["artifacts"] if not name.startswith("model/")}
    location = Path(model.artifact_location.removeprefix("file://"))
    files.update({name: location / name.removeprefix("model/") for name in lineage["artifacts"] if name.startswith("model/")})
    wrong = [name for name, path in files.items() if digest(path) != lineage["artifacts"][name]["digest"]]
    table = lineage["stages"]["data"]
    wrong += ["data"] if digest(Path(table["location"])) != table["digest"] else []
    print(wrong or "all as recorded")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
