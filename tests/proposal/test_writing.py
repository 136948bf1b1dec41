from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from pydantic import BaseModel

from samebits.config.documents import parse_document, read_document
from samebits.config.loading import check_document
from samebits.keys.config import Config
from samebits.proposal.writing import describe_key, quote_text, write_config

VALUES: dict[str, Any] = {
    "name": "new",
    "version": "2026.11.0",
    "seed": 42,
    "data": {"path": "a.csv", "target": "y", "drop": ["id", "a: b"]},
    "models": {"ridge": {"alpha": 1.0}},
}


def list_keys(section: type[BaseModel], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, field in section.model_fields.items():
        own = (*path, field.alias or name)
        inner = field.annotation
        found += [own, *(list_keys(inner, own) if isinstance(inner, type) and issubclass(inner, BaseModel) else [])]
    return found


def test_every_key_is_written_out_with_what_it_is_for() -> None:
    document = write_config(Path("new.yaml"), VALUES)

    text = re.sub(r"\n *# ", " ", document.text)
    for path in list_keys(Config):
        assert path in document.lines, path
    for field in Config.model_fields.values():
        assert describe_key(field) in text or str(field.description) in text


def test_the_shipped_config_has_the_same_keys() -> None:
    shipped = read_document(ROOT / "confs/training.yaml").lines

    written = write_config(Path("new.yaml"), VALUES).lines

    free = ("models", "features", "drop", "columns", "na_values", "business")
    assert {path for path in shipped if not {*path[:-1]} & {*free} and path} <= set(written)
    assert {path for path in list_keys(Config) if path not in shipped} == set()


def test_what_is_written_is_what_was_meant_and_a_config() -> None:
    document = write_config(Path("new.yaml"), VALUES, ["seen:\nname: evil", "\x1b[8m"], {"id": "an id\nseed: 7"})

    config = check_document(document).config
    assert (config.name, config.seed, config.data.drop, config.version) == ("new", 42, ["id", "a: b"], "2026.11.0")
    assert config.models["ridge"].model_dump(exclude_none=True) == {"alpha": 1.0}
    assert all(len(line) <= 135 for line in document.text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "plain",
            "two words",
            "yes",
            "null",
            "~",
            "1",
            "1e3",
            "2026.11",
            "2026.11.0",
            "-",
            "- x",
            "a: b",
            "a #b",
            "#a",
            "'",
            '"',
            "\\",
        ),
        *(
            "",
            'say "no"',
            " a",
            "a ",
            "ä",
            "\U0001f600",
            "a\x85b",
            "\x7f",
            "\n",
            "\t",
            "\ufeff",
            "\u2028",
            "{a}",
            "[a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
        ),
        *("0x1f", ".inf", ".nan", "<<", "a,b", "C:\\temp", "|", ">", "?", "? a", ":", "=", "true", "False", "None"),
    ],
)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    written = f"{quote_text(text)}: [{quote_text(text)}]\n"

    assert parse_document(Path("a.yaml"), written).value == {text: [text]}
