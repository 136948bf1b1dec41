"""A model file that nobody trusts imports nothing: neither where it is loaded nor where it is asked."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sklearn.preprocessing import StandardScaler

from samebits.errors import LineageError
from samebits.model.file import dump_model, is_trusted, load_model
from samebits.networks import ModuleClassifier

TEXT = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"stranger.Net"', "is_json": True}
CLASS = {"__class__": "StoredClass", "__module__": "samebits.networks", "__loader__": "ReduceNode", "content": {}}
IMPORTING = {"__class__": "import_class", "__module__": "samebits.networks"}


def change(content: bytes, changes: Any) -> bytes:
    """Return a model file whose schema is changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            schema = json.loads(source.read(name)) if name == "schema.json" else None
            target.writestr(name, source.read(name) if schema is None else json.dumps(changes(schema) or schema))
    return buffer.getvalue()


def name_keys(schema: dict[str, Any]) -> None:
    schema["content"]["content"] = {"stranger.Net": TEXT}
    schema["content"]["key_types"]["content"] = [{**IMPORTING, "__loader__": "TypeNode"}]


def call(schema: dict[str, Any]) -> None:
    schema["content"]["content"]["copy"] = {
        **{**IMPORTING, "__loader__": "ReduceNode"},
        "content": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [TEXT]},
    }


def name_class(schema: dict[str, Any]) -> None:
    schema["content"]["content"]["module_class_"] = TEXT


def name_class_unseen(schema: dict[str, Any]) -> None:
    schema["content"] = {**TEXT, "content": '{"module_class_": "stranger.Net"}'}


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("changes", [name_keys, call, name_class, name_class_unseen])
def test_a_strangers_model_file_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, by_name: bool) -> None:
    (tmp_path / "stranger.py").write_text("class Net: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = change(dump_model(StandardScaler() if changes in (name_keys, call) else ModuleClassifier("stranger.Net")), changes)

    with pytest.raises(LineageError, match="model file: expected"):
        load_model(content, by_name=by_name)

    assert "stranger" not in sys.modules


def test_what_is_served_with_a_model_is_trusted_by_its_classes_alone() -> None:
    assert is_trusted("samebits.networks.ModuleClassifier") and is_trusted("samebits.transformers.OutlierClipper")
    assert not is_trusted("samebits.networks.import_class") and not is_trusted("samebits.networks.ModuleClassifier.fit")
