from __future__ import annotations

import os

import pytest

from samebits.trust.variables import list_installer_variables, list_plain_variables, list_run_variables, name_secrets

SECRETS = dict.fromkeys(
    (
        *("GITHUB_TOKEN", "OPENAI_API_KEY", "HF_TOKEN", "DATABASE_URL", "SSH_AUTH_SOCK", "MLFLOW_FLASK_SERVER_SECRET_KEY"),
        *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "DATABRICKS_TOKEN"),
        *("UV_INDEX_TEAM_PASSWORD", "PIP_INDEX_URL", "PGPASSWORD", "GOOGLE_APPLICATION_CREDENTIALS", "PYTHONPATH", "LD_PRELOAD"),
    ),
    "s3cret",
) | {"https_proxy": "http://me:s3cret@proxy:3128", "HTTP_PROXY": "http://proxy:3128"}


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, "LC_TIME": "C", "TZ": "UTC"}.items():
        monkeypatch.setenv(name, value)


def test_any_program_gets_what_starts_it_and_nothing_that_opens_anything() -> None:
    handed = list_plain_variables()

    assert {"PATH", "HOME", "LC_TIME", "TZ"} <= set(handed)
    assert not set(handed) & set(SECRETS) and "s3cret" not in str(handed)


def test_an_installer_gets_what_lets_it_into_an_index_and_no_others_secrets() -> None:
    handed = list_installer_variables()

    assert {name for name in handed if name in SECRETS} == {"UV_INDEX_TEAM_PASSWORD", "https_proxy", "HTTP_PROXY"}


@pytest.mark.parametrize(
    ("addresses", "secrets"),
    [
        (["sqlite:////srv/mlflow.db", "/srv/mlruns"], set()),
        (["https://mlflow.example.org", "mlflow-artifacts:/1"], {"MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}),
        (["https://m.example.org", "s3://b/1"], {"MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY"}),
        (["postgresql+psycopg://db/mlflow", "gs://b"], {"PGPASSWORD", "GOOGLE_APPLICATION_CREDENTIALS"}),
        (["databricks://profile", "dbfs:/x"], {"DATABRICKS_TOKEN"}),
    ],
)
def test_a_run_gets_what_its_own_server_asks_for_and_says_so(addresses: list[str], secrets: set[str]) -> None:
    handed = list_run_variables(addresses)

    assert {name for name in handed if name in SECRETS} == secrets | {"HTTP_PROXY"}
    assert set(name_secrets(addresses)) & set(SECRETS) == secrets | {"UV_INDEX_TEAM_PASSWORD", "https_proxy"}


def test_what_a_packages_build_script_is_given_and_the_password_in_an_address_are_named() -> None:
    named = name_secrets(["https://me:s3cret@mlflow.example.org", "mlflow-artifacts:/1"])

    assert {"MLFLOW_TRACKING_URI", "UV_INDEX_TEAM_PASSWORD", "https_proxy"} <= set(named)
    assert "MLFLOW_TRACKING_URI" not in name_secrets(["https://mlflow.example.org"])


def test_every_other_variable_of_the_shell_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_NOBODY_THOUGHT_OF", "x")

    for handed in (list_plain_variables(), list_installer_variables(), list_run_variables(["https://x"])):
        assert "SOMETHING_NOBODY_THOUGHT_OF" not in handed
        assert all(os.environ[name] == value for name, value in handed.items())
