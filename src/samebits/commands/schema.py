"""`samebits schema`: prints the JSON Schema of the config file."""

from __future__ import annotations

import json

from samebits.config.schema import make_json_schema


def run_schema() -> None:
    """Print the schema."""
    print(json.dumps(make_json_schema(), indent=2, ensure_ascii=False))
