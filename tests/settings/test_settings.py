"""Settings: every problem in one message, and never a secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nurture.errors import ConfigurationError
from nurture.settings import Delivery, load

SECRET = "k" * 40


def problems(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environ={f"NURTURE_{name.upper()}": value for name, value in environ.items()})
    return str(caught.value)


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_values_that_cannot_be_and_values_that_disagree_are_told_together() -> None:
    told = problems(
        delivery="smtp", per_domain="many", dkim_domain="shop.example", database_url="mysql://h/x", tpyo="1"
    )
    for name in ("PER_DOMAIN", "SMTP_URL", "SECRET_KEY", "DKIM_SELECTOR", "DATABASE_URL", "TPYO"):
        assert f"NURTURE_{name}" in told


def test_what_is_wrong_by_itself_is_not_told_twice() -> None:
    told = problems(delivery="smtp", secret_key="short", base_url="ftp://x", smtp_url="smtps://mail.shop.example")
    assert told.count("NURTURE_SECRET_KEY") == 1
    assert told.count("NURTURE_BASE_URL") == 1


def test_a_relay_nobody_could_reach_is_a_problem_of_the_settings_without_its_password() -> None:
    told = problems(delivery="smtp", secret_key=SECRET, smtp_url="http://user:hunter2@relay/path", retention_days="0")
    assert "should begin with smtp://" in told
    assert "has a path" in told
    assert "NURTURE_RETENTION_DAYS" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("url", ["mysql://user:hunter2@h/x", "nurture.db", "sqlite://", "sqlite:///"])
def test_a_database_of_another_kind_is_refused_without_its_password(url: str) -> None:
    told = problems(database_url=url)
    assert "NURTURE_DATABASE_URL must be" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "url", ["sqlite:///nurture.db", "sqlite:////srv/nurture.db", "postgres://h/x", "postgresql://h/x"]
)
def test_the_databases_we_keep_data_in_are_taken(url: str) -> None:
    assert load(environ={"NURTURE_DATABASE_URL": url}).delivery is Delivery.INBOX


def test_links_to_this_machine_are_refused_where_mail_leaves_it() -> None:
    told = problems(delivery="smtp", secret_key=SECRET, smtp_url="smtps://mail.shop.example")
    assert "nobody could unsubscribe" in told
    here = {"NURTURE_DELIVERY": "smtp", "NURTURE_SECRET_KEY": SECRET, "NURTURE_SMTP_URL": "smtp://127.0.0.1:2525"}
    assert load(environ=here).smtp_url is not None
