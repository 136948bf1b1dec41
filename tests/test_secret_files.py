from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samebits import secret_files
from samebits.secret_files import find_secret_name, find_secrets

MADE = b"hunter22xyz9"


@pytest.mark.parametrize(
    "name",
    [
        ".env~",
        "id_ed25519.bak",
        "server.key.old",
        ".env.bak.1",
        ".Renviron",
        "token.json",
        ".bash_history",
        "apikey.txt",
        "prod.kubeconfig",
        "kubeconfig.yaml",
        "kube.config",
        ".databrickscfg",
        "terraform.rc",
        "password.txt",
        "hub.token",
    ],
)
def test_a_copy_beside_a_secret_and_what_programs_leave_is_a_secret_by_its_name(name: str) -> None:
    assert find_secret_name(name) == "a secret by its name"


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "model.bak", "notes~", "keys.csv", "history.csv", "train.py.old", "v1.1", "tokens.txt", "pip.conf"]
)
def test_an_ordinary_file_is_none(name: str) -> None:
    assert find_secret_name(name) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", b"curl -u alice:" + MADE + b" https://host/x"),
        ("b.md", b"`DB_PASSWORD=" + MADE + b" psql -h db`"),
        ("c.md", b"password: " + MADE),
        ("d.log", b"send: Authorization: Bearer " + MADE + MADE),
        ("e.sql", b"CREATE USER ml WITH PASSWORD '" + MADE + b"';"),
        ("f.py", b'connect("host=db user=ml password=' + MADE + b'")'),
        ("g.py", b'connect("DRIVER=x;UID=sa;PWD=' + MADE + b'")'),
        ("h.sh", b"mysqldump -u root -p" + MADE + b" all"),
        ("i", b"    client-key-data: " + b"LS0t" * 20),
        ("j.txt", b"https://" + MADE + MADE + b"@host.test/x"),
        ("a.ipynb", b'"source": ["password = \'' + MADE + b"'\\n\"]"),
        ("b.ipynb", b'"source": ["password = \\"' + MADE + b'\\"\\n"]'),
        ("c.jl", b'ENV["PASSWORD"]="' + MADE + b'"'),
        ("d.tf", b'password = "' + MADE + b'"'),
        ("e.py", b"pwd = '" + MADE + b"'"),
        ("f", b"AWS_SECRET_ACCESS_KEY=" + b"aB3/" * 10),
        ("g.csv", b"https://b.s3.amazonaws.com/x?X-Amz-Signature=" + b"0a" * 32),
    ],
)
def test_a_secret_is_found_where_people_write_it(name: str, content: bytes) -> None:
    assert find_secrets(name, content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ipynb", b'{"source": ["tokens = model(\\"bert base 1\\")\\n"], "outputs": [{"text": ["token: abc"]}]}'),
        ("b.py", b'token = "https://example.com/login9"'),
        ("a.md", b"curl -u user:password http://x; `export MLFLOW_TRACKING_PASSWORD=<yours>`; token: shown once"),
        ("b.sql", b"password VARCHAR(40) NOT NULL, token CHAR(64)"),
        ("c.log", b"Authorization: Bearer ***"),
        ("c.csv", b"id,pwd,token\n1,abc,def\n"),
        ("d.sh", b"pwd=/home/user/project"),
    ],
)
def test_an_ordinary_text_holds_none(name: str, content: bytes) -> None:
    assert find_secrets(name, content) == set()


@pytest.mark.parametrize("reason", sorted(secret_files._LEADS))
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_looked_for_first_stands_in_whatever_a_pattern_finds(reason: str, data: st.DataObject) -> None:
    pattern = {**secret_files._CONTENT, **secret_files._HANDED_OVER}[reason]

    content = data.draw(st.from_regex(pattern))

    if (found := pattern.search(content)) is not None:  # what stands around a match is not looked at as it is drawn
        assert any(lead in found[0].lower() for lead in secret_files._LEADS[reason])


def test_every_pattern_has_what_is_looked_for_first() -> None:
    assert secret_files._LEADS.keys() == secret_files._CONTENT.keys() | secret_files._HANDED_OVER.keys()
