from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from lingma_gateway.settings import Settings

READ = {
    "HOST": ("::1", "::1"),
    "PORT": ("9000", 9000),
    "ADMIN_PORT": ("0", 0),
    "LOG_LEVEL": ("Debug", "debug"),
    "API_KEYS": ("a,b", SecretStr("a,b")),
    "ALLOW_ANONYMOUS": ("true", True),
    "ADMIN_TOKEN": ("t", SecretStr("t")),
    "METRICS_TOKEN": ("t", SecretStr("t")),
    "METRICS_PUBLIC": ("1", True),
    "LINGMA_ACCOUNT": ("alice", "alice"),
    "LINGMA_ACCOUNT_NAMESPACE": ("team", "team"),
    "LINGMA_ACCOUNT_UID": ("uid-1", "uid-1"),
    "LINGMA_CAPTURED_DIR": ("/var/run/s", Path("/var/run/s")),
    "LINGMA_CREDENTIALS_DIR": ("/var/run/c", Path("/var/run/c")),
    "LINGMA_BIN": ('["lingma-sim", "--x"]', ("lingma-sim", "--x")),
    "LINGMA_WORK_DIR": ("/lingma/work", Path("/lingma/work")),
    "LINGMA_SOCKET_PORT": ("36510", 36510),
    "LINGMA_ACCOUNTS": ("u:p", SecretStr("u:p")),
    "LINGMA_INSTANCE_COUNT": ("3", 3),
    "LINGMA_STARTUP_TIMEOUT": ("1.5", 1.5),
    "LINGMA_RPC_TIMEOUT": ("2", 2.0),
    "LINGMA_PING_INTERVAL": ("3", 3.0),
    "LINGMA_SESSION_BUNDLE_FILE": ("/bundle", Path("/bundle")),
    "LINGMA_SESSION_BUNDLE": ("H4sI", SecretStr("H4sI")),
    "AUTO_LOGIN_ENABLED": ("false", False),
    "AUTO_LOGIN_HEADLESS": ("false", False),
    "AUTO_LOGIN_TIMEOUT": ("30", 30.0),
    "AUTO_LOGIN_MAX_RETRY": ("5", 5),
    "LINGMA_USERNAME": ("u", SecretStr("u")),
    "LINGMA_USERNAME_FILE": ("/s/u", Path("/s/u")),
    "LINGMA_PASSWORD": ("p", SecretStr("p")),
    "LINGMA_PASSWORD_FILE": ("/s/p", Path("/s/p")),
    "LINGMA_PERSONAL_TOKEN": ("t", SecretStr("t")),
    "LINGMA_PERSONAL_TOKEN_FILE": ("/s/t", Path("/s/t")),
    "LINGMA_ACCESS_KEY": ("a", SecretStr("a")),
    "LINGMA_ACCESS_KEY_FILE": ("/s/a", Path("/s/a")),
    "LINGMA_SECRET_KEY": ("k", SecretStr("k")),
    "LINGMA_SECRET_KEY_FILE": ("/s/k", Path("/s/k")),
    "LINGMA_ORGANIZATION_ID": ("o1", "o1"),
    "DEDICATED_DOMAIN_URL": ("https://d.example", "https://d.example"),
    "LOGIN_BROWSER_PATH": ("/opt/chrome", Path("/opt/chrome")),
    "LOGIN_BROWSER_NO_SANDBOX": ("true", True),
    "LOGIN_BROWSER_PORT": ("8319", 8319),
    "LOGIN_FORM_HOSTS": ("d.example", "d.example"),
    "LOGIN_REFRESH_ENABLED": ("false", False),
    "LOGIN_REFRESH_BEFORE": ("60", 60.0),
    "FIRST_EVENT_TIMEOUT": ("4", 4.0),
    "IDLE_TIMEOUT": ("5", 5.0),
    "DEFAULT_MODEL": ("q35model", "q35model"),
    "UNKNOWN_MODEL": ("reject", "reject"),
    "CHAT_ASK_AS": ("request", "request"),
    "MODEL_ALIASES": ("a=b", "a=b"),
    "MODEL_ALIASES_LISTED": ("true", True),
    "TOOLS_MODE": ("off", "off"),
    "TOOLS_GRAMMAR": ("q35model=hermes", "q35model=hermes"),
    "TOOLS_DESCRIPTION_TOKENS": ("0", 0),
    "TOOLS_LOG_CONTENT": ("true", True),
    "DEFAULT_ASK_MODE": ("agent", "agent"),
    "AGENT_MODE": ("on", "on"),
    "AGENT_TOOLS": ("list_dir=show", "list_dir=show"),
    "AGENT_SESSION_TYPE": ("ask", "ask"),
    "AGENT_CHAT_TASK": ("chat", "chat"),
    "TOOL_FORWARD_ENABLED": ("true", True),
    "LOCALE": ("en", "en"),
    "IMAGE_UPLOAD_ENABLED": ("false", False),
    "UNSUPPORTED_MEDIA": ("reject", "reject"),
    "SESSION_REUSE_ENABLED": ("false", False),
    "SESSION_CACHE_MAX_ENTRIES": ("0", 0),
    "SESSION_CACHE_TTL_SEC": ("60", 60.0),
    "GATEWAY_MAX_IN_FLIGHT": ("7", 7),
    "GATEWAY_QUEUE_TIMEOUT_SEC": ("0", 0.0),
    "GATEWAY_MAX_QUEUED": ("0", 0),
    "IDEMPOTENCY_MAX_ANSWERS": ("0", 0),
    "IDEMPOTENCY_MAX_BYTES": ("9", 9),
    "IDEMPOTENCY_TTL_SEC": ("60", 60.0),
    "IDEMPOTENCY_GRACE_SEC": ("0", 0.0),
    "SERVED_BY_IN_BODY": ("true", True),
    "MAX_BODY_BYTES": ("1024", 1024),
    "RESPONSES_STORE_ENABLED": ("false", False),
    "RESPONSES_STORE_MAX_AGE": ("60", 60.0),
    "RESPONSES_STORE_MAX_MEGABYTES": ("1", 1),
    "LINGMA_DRAIN_SECONDS": ("0", 0.0),
    "DRAIN_PROPAGATION_SECONDS": ("0.5", 0.5),
}
"""Each variable, a value that is not the default, and what is read."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """None of the variables is set."""
    for variable in READ:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    yield monkeypatch


def test_every_field_stands_in_the_table_above() -> None:
    assert {name.upper() for name in Settings.model_fields} == {*READ}


@pytest.mark.parametrize("variable", READ)
def test_each_field_reads_the_variable_of_its_name(environment: pytest.MonkeyPatch, variable: str) -> None:
    text, expected = READ[variable]
    default = getattr(Settings(), variable.lower())
    environment.setenv(variable, text)
    assert getattr(Settings(), variable.lower()) == expected != default


BAD = {
    "PORT": ["eight", "-1", "65536", "80.5"],
    "ADMIN_PORT": ["65536"],
    "LOG_LEVEL": ["loud", ""],
    "ALLOW_ANONYMOUS": ["perhaps"],
    "METRICS_PUBLIC": [""],
    "LINGMA_BIN": ["[", '["a", 3]', "[]", "", " "],
    "LINGMA_SOCKET_PORT": ["-1", "65536"],
    "DEFAULT_ASK_MODE": ["assistant"],
    "AGENT_MODE": ["yes"],
    "AGENT_TOOLS": ["list_dir", "list_dir=allow", "*=approve", "run_in_terminal=approve"],
    "AGENT_SESSION_TYPE": ["", "a b"],
    "AGENT_CHAT_TASK": [""],
    "MODEL_ALIASES": ["*", "a,a"],
    "LINGMA_INSTANCE_COUNT": ["0", "65", "x"],
    "LINGMA_STARTUP_TIMEOUT": ["0", "soon"],
    "LINGMA_RPC_TIMEOUT": ["0", "-1"],
    "LINGMA_PING_INTERVAL": ["0"],
    "AUTO_LOGIN_TIMEOUT": ["0"],
    "AUTO_LOGIN_MAX_RETRY": ["0", "21"],
    "DEDICATED_DOMAIN_URL": ["d.example", "ftp://d.example", "https://"],
    "LOGIN_REFRESH_BEFORE": ["0"],
    "FIRST_EVENT_TIMEOUT": ["0"],
    "IDLE_TIMEOUT": ["nan"],
    "UNKNOWN_MODEL": ["ignore"],
    "GATEWAY_MAX_IN_FLIGHT": ["0"],
    "GATEWAY_QUEUE_TIMEOUT_SEC": ["-1"],
    "GATEWAY_MAX_QUEUED": ["-1", "many"],
    "MAX_BODY_BYTES": ["1"],
    "LINGMA_DRAIN_SECONDS": ["-1"],
    "DRAIN_PROPAGATION_SECONDS": ["-0.1"],
}


@pytest.mark.parametrize(("variable", "text"), [(variable, text) for variable, texts in BAD.items() for text in texts])
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    environment: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    environment.setenv(variable, text)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert {str(error["loc"][0]).upper() for error in caught.value.errors()} == {variable}


def test_all_bad_values_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "x")
    environment.setenv("IDLE_TIMEOUT", "x")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [error["loc"] for error in caught.value.errors()] == [("port",), ("idle_timeout",)]


def test_secrets_are_shown_neither_when_printed_nor_in_errors(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_KEYS", "sk-secret")
    environment.setenv("LINGMA_ACCOUNTS", "u:p-secret")
    environment.setenv("LINGMA_SESSION_BUNDLE", "b-secret")
    environment.setenv("METRICS_TOKEN", "mt-secret")
    for name in ("USERNAME", "PASSWORD", "PERSONAL_TOKEN", "ACCESS_KEY"):
        environment.setenv(f"LINGMA_{name}", "login-hush")
    shown = f"{Settings()!r} {Settings()} {Settings().model_dump_json()}"
    assert "sk-secret" not in shown
    assert "mt-secret" not in shown
    assert "hush" not in shown
    environment.setenv("PORT", "port-secret")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "command"),
    [("/opt/lingma/Lingma", ("/opt/lingma/Lingma",)), ("/opt/my lingma", ("/opt/my lingma",)), (' ["a"]', ("a",))],
)
def test_the_binary_is_a_path_or_a_json_list(environment: pytest.MonkeyPatch, text: str, command: tuple[str]) -> None:
    environment.setenv("LINGMA_BIN", text)
    assert Settings().lingma_bin == command


@pytest.mark.parametrize("variable", ["LINGMA_SESSION_BUNDLE_FILE", "LINGMA_CREDENTIALS_DIR", "LINGMA_PASSWORD_FILE"])
def test_an_empty_path_is_none_and_not_the_current_folder(environment: pytest.MonkeyPatch, variable: str) -> None:
    environment.setenv(variable, "")
    assert getattr(Settings(), variable.lower()) is None


def test_other_variables_do_not_matter(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LINGMA_SOMETHING_ELSE", "x")
    assert Settings().port == 8317


def test_values_given_in_code_are_checked_too() -> None:
    given: dict[str, Any] = {"lingma_bin": ("a", "b"), "log_level": "INFO"}
    assert Settings(**given).lingma_bin == ("a", "b")
    with pytest.raises(ValidationError, match="log_level"):
        Settings.model_validate({"log_level": 3})


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1
