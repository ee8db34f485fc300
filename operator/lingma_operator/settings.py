"""The operator's settings: read once from the environment, then passed explicitly."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

ALL_NAMESPACES = "*"


class SettingsError(ValueError):
    """The environment is no valid configuration; the message names the variables."""


def _csv(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    # What Helm writes for a map that has no value.
    return {} if read is None else read


Csv = Annotated[tuple[str, ...], BeforeValidator(_csv)]
JsonMap = Annotated[dict[str, str], BeforeValidator(_json)]
JsonList = Annotated[tuple[str, ...], BeforeValidator(_json)]


class Settings(BaseModel):
    """What the environment says. Each field names its variable; an empty variable counts as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    namespace: Annotated[str, Field(alias="POD_NAMESPACE", min_length=1)]
    """Namespace of the release: where the operator and the router run."""
    pod_name: Annotated[str, Field(alias="POD_NAME")] = "lingma-operator"
    """Name of this pod; Events say that they come from it."""
    watch_namespaces: Annotated[Csv, Field(alias="LINGMA_WATCH_NAMESPACES")] = ()
    """Namespaces whose accounts are served; `*` is all, empty is the release's own."""
    gateway_image: Annotated[str, Field(alias="LINGMA_GATEWAY_IMAGE", min_length=1)]
    """Image of the gateway, which also holds the restore step and the simulator."""
    login_image: Annotated[str, Field(alias="LINGMA_LOGIN_IMAGE")] = ""
    """Image of the browser that logs accounts in; empty when no account asks for it by spec.login.browser."""
    lingma_image: Annotated[str, Field(alias="LINGMA_IMAGE")] = ""
    """Image that holds Lingma; empty when each account names its own."""
    lingma_command: Annotated[JsonList, Field(alias="LINGMA_COMMAND", min_length=1)] = ("/opt/lingma/Lingma",)
    """Lingma's program inside its image, as a JSON list."""
    simulator: Annotated[bool, Field(alias="LINGMA_SIMULATOR")] = False
    """True: accounts without an image of their own run the simulator instead of Lingma."""
    image_pull_policy: Annotated[str, Field(alias="LINGMA_IMAGE_PULL_POLICY")] = "IfNotPresent"
    """Pull policy of every container."""
    image_pull_secrets: Annotated[Csv, Field(alias="LINGMA_IMAGE_PULL_SECRETS")] = ()
    """Names of pull Secrets in the namespace of each account."""
    master_secret: Annotated[str, Field(alias="LINGMA_MASTER_SECRET", min_length=1)] = "lingma-master"
    """Name of the master Secret in the release namespace; made when it is missing."""
    api_keys_secret: Annotated[str, Field(alias="LINGMA_API_KEYS_SECRET")] = ""
    """Name of the API key Secret in the release namespace, made when it is missing; empty: the user has their own."""
    router_labels: Annotated[JsonMap, Field(alias="LINGMA_ROUTER_LABELS")] = {}
    """Labels of the router's pods, which may call the gateways. Empty: no NetworkPolicy rule lets any in."""
    operator_labels: Annotated[JsonMap, Field(alias="LINGMA_OPERATOR_LABELS")] = {}
    """Labels of the operator's pods, which may ask the gateways for their health."""
    monitoring_labels: Annotated[JsonMap, Field(alias="LINGMA_MONITORING_LABELS")] = {}
    """Labels of monitoring pods, in any namespace, which may read metrics. Empty: none."""
    gateway_env: Annotated[JsonMap, Field(alias="LINGMA_GATEWAY_ENV")] = {}
    """Settings of every gateway; those of an account come over them."""
    workers: Annotated[int, Field(alias="LINGMA_WORKERS", ge=1, le=256)] = 16
    """Accounts that are reconciled at the same time."""
    admin_port: Annotated[int, Field(alias="LINGMA_ADMIN_PORT", ge=0, le=65535)] = 8318
    """Port of probes and metrics; 0 picks a free one."""
    log_level: Annotated[str, Field(alias="LOG_LEVEL")] = "info"
    """Level of the log: debug, info, warning or error."""

    @property
    def scope(self) -> tuple[str | None, ...]:
        """The namespaces to list and to watch; (None,) is the whole cluster."""
        if ALL_NAMESPACES in self.watch_namespaces:
            return (None,)
        return tuple(dict.fromkeys(self.watch_namespaces)) or (self.namespace,)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """The settings in `environment`.

        Raises:
            SettingsError: a variable is missing or no value of its kind. Values are not shown.
        """
        known = {str(field.alias) for field in cls.model_fields.values()}
        values: dict[str, Any] = {key: value for key, value in environment.items() if key in known and value != ""}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())) from None
