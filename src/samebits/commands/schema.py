"""`samebits schema`: prints the JSON Schema of the config file."""

from __future__ import annotations

from samebits.config.schema import make_json_schema
from samebits.text import tell_json


def run_schema() -> None:
    """Print the schema."""
    tell_json(make_json_schema())
