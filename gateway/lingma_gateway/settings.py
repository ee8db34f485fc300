"""Settings of the gateway, read once from the environment. Names that the earlier gateway used are kept."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lingma_contract.names import Port
from lingma_gateway.aliases import DEFAULT_ALIASES, Aliases
from lingma_gateway.grammars import DEFAULT_BUDGET, Grammars


class Settings(BaseSettings):
    """Each field's variable is its name in capitals. Times are in seconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    host: str = "0.0.0.0"
    """Address to listen on. `serve` takes 127.0.0.1 unless it is set."""
    port: int = Field(default=Port.CLIENT, ge=0, le=65535)
    """Port for clients."""
    admin_port: int = Field(default=Port.ADMIN, ge=0, le=65535)
    """Port for probes, admin and metrics of a sidecar."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug`, `info`, `warning` or `error`; `debug` also shows Lingma's standard error and probes."""

    api_keys: SecretStr = SecretStr("")
    """Keys of clients, comma-separated, each KEY or ID=KEY. Only `serve` reads them; without any it
    refuses to start."""
    allow_anonymous: bool = False
    """Serve without any API key. Whoever reaches the port uses the accounts."""
    admin_token: SecretStr = SecretStr("")
    """Bearer token of /internal for `serve`; while it is empty, the API keys open it. A sidecar takes its own only."""
    metrics_token: SecretStr = SecretStr("")
    """Bearer token of `/metrics`; without it and METRICS_PUBLIC, the API keys open it."""
    metrics_public: bool = False
    """Serve `/metrics` without a token. A sidecar's is open, on the port that only monitoring reaches."""

    lingma_account: str = "local"
    """Name of the account of a sidecar (from the pod)."""
    lingma_account_namespace: str = ""
    """Namespace of the LingmaAccount (from the pod)."""
    lingma_account_uid: str = "standalone"
    """UID of the LingmaAccount (from the pod)."""
    lingma_credentials_dir: Path | None = None
    """Sidecar: folder of the account's derived credentials."""

    lingma_bin: Annotated[tuple[str, ...], NoDecode] = ("Lingma",)
    """The Lingma binary: a path, or a JSON list of a command and its arguments."""
    lingma_work_dir: Path = Path("~/.lingma")
    """Lingma's work directory; with several instances each has a folder of its own in it."""
    lingma_socket_port: int = Field(default=0, ge=0, le=65535)
    """Port of `serve`'s only Lingma; one that listens there already is used and never ended. 0: a free one each."""
    lingma_accounts: SecretStr = SecretStr("")
    """Accounts of `serve`, an instance each: `USER:PASSWORD,USER:PASSWORD`, or a JSON list of objects."""
    lingma_instance_count: int = Field(default=1, ge=1, le=64)
    """Instances that `serve` starts where LINGMA_ACCOUNTS does not say it; all log in alike."""
    lingma_startup_timeout: float = Field(default=120.0, gt=0)
    """How long Lingma may take until it answers before it counts as dead."""
    lingma_rpc_timeout: float = Field(default=30.0, gt=0)
    """How long one call may take."""
    lingma_ping_interval: float = Field(default=10.0, gt=0)
    """Between two pings; each also looks at the login. Three unanswered ones mean that Lingma is dead."""
    lingma_session_bundle_file: Path | None = None
    """File of the session bundle, tar.gz or base64 of it."""
    lingma_session_bundle: SecretStr = SecretStr("")
    """The session bundle itself, in base64; used where there is no such file."""

    lingma_captured_dir: Path | None = None
    """Sidecar: folder of the session that was captured in the pod before (from the operator)."""

    auto_login_enabled: bool = True
    """Log in by token, access key or browser when the session bundle does not. The bundle is always used."""
    auto_login_headless: bool = True
    """Whether the browser runs without a window."""
    auto_login_timeout: float = Field(default=120.0, ge=1)
    """How long one visit of the login page may take."""
    auto_login_max_retry: int = Field(default=3, ge=1, le=20)
    """Tries that fail for a passing reason before ten minutes lie between two."""
    lingma_username: SecretStr = SecretStr("")
    """User name for the login page."""
    lingma_username_file: Path | None = None
    """File of the user name; it goes first, and is read anew when it is needed."""
    lingma_password: SecretStr = SecretStr("")
    """Password for the login page."""
    lingma_password_file: Path | None = None
    """File of the password; it goes first, and is read anew when it is needed."""
    lingma_personal_token: SecretStr = SecretStr("")
    """Personal access token for `auth/login`."""
    lingma_personal_token_file: Path | None = None
    """File of the personal token; it goes first, and is read anew when it is needed."""
    lingma_access_key: SecretStr = SecretStr("")
    """Access key (AK) for `auth/login`."""
    lingma_access_key_file: Path | None = None
    """File of the access key; it goes first, and is read anew when it is needed."""
    lingma_secret_key: SecretStr = SecretStr("")
    """Secret key (SK) for `auth/login`."""
    lingma_secret_key_file: Path | None = None
    """File of the secret key; it goes first, and is read anew when it is needed."""
    lingma_organization_id: str = ""
    """Organization for which `auth/login` logs in an account that has several. Empty: Lingma's own choice."""
    dedicated_domain_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Endpoint of a dedicated edition, set before logging in."""
    login_browser_path: Path = Path("/usr/bin/chromium")
    """The Chromium that opens the login page."""
    login_browser_no_sandbox: bool = False
    """Run Chromium without its sandbox, where user namespaces are forbidden, as in many containers. Root has none."""
    login_browser_port: int = Field(default=0, ge=0, le=65535)
    """Port on loopback of the container `login` (from the pod), which visits the login page. 0: Chromium runs here."""
    login_form_hosts: str = "aliyun.com,alibabacloud.com"
    """Hosts, with subdomains, into whose forms the password may be typed, comma-separated."""
    login_refresh_enabled: bool = True
    """Refresh the login before it ends."""
    login_refresh_before: float = Field(default=86400.0, gt=0)
    """How long before its end."""

    first_event_timeout: float = Field(default=120.0, gt=0)
    """From a question to Lingma's first event about it."""
    idle_timeout: float = Field(default=180.0, gt=0)
    """Between two events of an answer."""
    default_model: str = "org_auto"
    """Served when a request names no model, or one that the account does not have."""
    unknown_model: Literal["default", "reject"] = "default"
    """`default` serves DEFAULT_MODEL for a model that no account has, `reject` answers 404 `model_not_found`."""
    model_aliases: str = DEFAULT_ALIASES
    """Names for models, `NAME` or `NAME=MODEL`, comma-separated or a JSON object; without MODEL the default one. A `*`
    at the end stands for any ending. A model's own name goes first."""
    model_aliases_listed: bool = False
    """Whether `/v1/models` lists the aliases (those without `*`) beside the models that there are."""
    default_ask_mode: Literal["chat", "agent"] = "chat"
    """How Lingma is asked. `agent` is not served yet and refused at the start."""
    chat_ask_as: Literal["notification", "request"] = "notification"
    """How `chat/ask` is sent. Its reply is not waited for either way; a request lets Lingma refuse at once."""
    tools_mode: Literal["emulate", "off"] = "emulate"
    """How a client's tools are served: `emulate` describes them in the prompt and reads calls out of the answer; `off`
    leaves them out, and names them in `x-lingma-ignored`."""
    tools_grammar: str = ""
    """How models are told to write tool calls: `MODEL=coder` (tags) or `MODEL=hermes` (JSON), comma-separated; `*` in
    MODEL stands for any text. Behind it come `kmodel=hermes,kimi-k2*=hermes,*=coder`."""
    tools_description_tokens: int = Field(default=DEFAULT_BUDGET, ge=0)
    """Estimated tokens that the description of a request's tools may take; above it they are described more briefly."""
    tools_log_content: bool = False
    """Log arguments and results of tool calls too, secrets masked. They hold whatever the user's files do."""
    locale: str = "zh-CN"
    """Language that Lingma is told to prefer."""
    image_upload_enabled: bool = True
    """Give images to Lingma, where the model can see them. Never tried on a real one: see docs/protocol.md."""
    unsupported_media: Literal["degrade", "reject"] = "degrade"
    """`degrade` puts a placeholder for what the model cannot see, `reject` answers 400 naming it."""

    session_reuse_enabled: bool = True
    """Ask the next turn of a conversation in the session of Lingma's that holds it, with only what is new."""
    session_cache_max_entries: int = Field(default=256, ge=0)
    """Sessions that are kept for it; 0: none."""
    session_cache_ttl_sec: float = Field(default=1800.0, gt=0)
    """How long a session is kept after its last turn."""

    gateway_max_in_flight: int = Field(default=2, ge=1, le=1000)
    """Turns at once for each account."""
    gateway_queue_timeout_sec: float = Field(default=30.0, ge=0)
    """Longest wait for a slot."""
    gateway_max_queued: int = Field(default=64, ge=0)
    """Requests that may wait for a slot; more are refused at once."""
    idempotency_max_answers: int = Field(default=256, ge=0)
    """Answers to requests with an `Idempotency-Key` that are kept to be joined or repeated. 0: it has no effect."""
    idempotency_max_bytes: int = Field(default=32 * 1024 * 1024, ge=0)
    """Bytes of those answers together; the oldest go first."""
    idempotency_ttl_sec: float = Field(default=600.0, ge=0)
    """How long such an answer is repeated after its end."""
    idempotency_grace_sec: float = Field(default=10.0, ge=0)
    """How long such an answer goes on after its client left, so that a retry finds it running."""
    served_by_in_body: bool = False
    """Whether JSON bodies of chat completions also carry `served_by` and `latency`, as the earlier gateway's did."""
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    """Largest request body."""

    responses_store_enabled: bool = True
    """Keep answers of the Responses API for `previous_response_id`, unless a request says `store: false`. Prompts and
    answers then lie in the work directory."""
    responses_store_max_age: float = Field(default=604800.0, gt=0)
    """How long a response is kept after the last turn of its conversation."""
    responses_store_max_megabytes: int = Field(default=256, ge=1)
    """Size of all stored responses together; those that were not used for longest give way."""

    lingma_drain_seconds: float = Field(default=300.0, ge=0)
    """After SIGTERM, how long running answers may take."""
    drain_propagation_seconds: float = Field(default=5.0, ge=0)
    """After SIGTERM, how long new requests are still taken, until routers know that this pod goes."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("model_aliases")
    @classmethod
    def _aliases(cls, value: str) -> str:
        Aliases.parse(value)
        return value

    @field_validator("tools_grammar")
    @classmethod
    def _grammars(cls, value: str) -> str:
        Grammars.parse(value)
        return value

    @field_validator("default_ask_mode")
    @classmethod
    def _chat_only(cls, value: str) -> str:
        if value != "chat":
            raise ValueError("agent mode is not served yet: leave it out, or set it to chat")
        return value

    @field_validator("lingma_bin", mode="before")
    @classmethod
    def _command(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(json.loads(value)) if value.lstrip().startswith("[") else (value,)
        return value

    @field_validator("lingma_bin")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not value[0].strip():
            raise ValueError("must name a command")
        return value

    @field_validator(
        "lingma_session_bundle_file",
        "lingma_captured_dir",
        "lingma_credentials_dir",
        "lingma_username_file",
        "lingma_password_file",
        "lingma_personal_token_file",
        "lingma_access_key_file",
        "lingma_secret_key_file",
        mode="before",
    )
    @classmethod
    def _unset(cls, value: Any) -> Any:
        return None if value == "" else value
