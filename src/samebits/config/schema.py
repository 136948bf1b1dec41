"""The JSON Schema of the config file, which the shipped files point editors at; made from the keys themselves."""

from __future__ import annotations

from typing import Any

from samebits.keys.config import Config


def make_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the config file (draft 2020-12), with `dataset` and a file of steps, as the file allows them."""
    schema = Config.model_json_schema(by_alias=True)
    data = schema["$defs"]["Data"]
    data["properties"]["dataset"] = {"type": "string", "description": "name@version of an entry in datasets.yaml."}
    data["required"] = []
    schema["properties"]["steps"]["anyOf"].append({"type": "string"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
