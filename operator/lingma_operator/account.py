"""LingmaAccount: spec and status, parsed once at the border. The CRD in `crds/` is generated from these models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from lingma_contract.names import BUNDLE_KEY

QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$"
"""A Kubernetes quantity, without a sign: nothing here can be negative."""
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

Quantity = Annotated[
    int | Annotated[str, StringConstraints(pattern=QUANTITY)],
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY,
            "maxLength": 32,
        }
    ),
]
Argument = Annotated[str, StringConstraints(max_length=1024)]
SecretName = Annotated[str, Field(pattern=DNS_SUBDOMAIN, max_length=253)]
SecretKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
RESERVED_ENV = ("HOME", "TMPDIR", "POD_NAME")
"""Variables of the gateway that the operator alone sets, beside all that begin with `LINGMA_`."""


def _rules(*rules: tuple[str, str]) -> dict[str, Any]:
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


class _Model(BaseModel):
    # Unknown fields are ignored, as the API server prunes them: a newer CRD must not break an older operator.
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class SessionSecretRef(_Model):
    """The key of a Secret, in the account's namespace, that holds the session bundle of a logged-in Lingma."""

    name: SecretName
    """Name of the Secret. The operator never writes it. A changed bundle restarts the pod with the new session."""
    key: SecretKey = BUNDLE_KEY
    """Key of the Secret: tar.gz of Lingma's login files, or base64 of it."""


class Resources(_Model):
    """Requests and limits of a container. Absent: the operator's defaults."""

    requests: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the scheduler sets aside, for example `cpu: 100m`."""
    limits: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the container may use at most, for example `memory: 2Gi`."""


SHA256 = r"^[0-9a-fA-F]{64}$"
VSIX_URL = r"^(https://[^/?#@\s]+|http://[^/?#@:\s]+\.svc(\.cluster\.local)?(:[0-9]+)?)([/?#]\S*)?$"
"""By https, without a user name; by http to a Service of the cluster, for the sum is checked in any case."""


def _checked_text(pattern: str, max_length: int, message: str) -> WithJsonSchema:
    """The schema of a text whose pattern the API server explains in words."""
    rules = _rules((f"self.matches(r'{pattern}')", message))
    return WithJsonSchema({"type": "string", "maxLength": max_length, **rules})


class Bootstrap(_Model):
    """Obtaining Lingma when the pod starts, from the plugin that its provider publishes."""

    vsix_url: Annotated[
        str,
        StringConstraints(pattern=VSIX_URL, max_length=2048),
        _checked_text(
            VSIX_URL,
            2048,
            "spec.lingma.bootstrap.vsixUrl must be an https address without a user name "
            "(http only to a Service of the cluster, whose name ends in .svc)",
        ),
    ]
    """Address of the VSIX."""
    sha256: Annotated[
        str,
        StringConstraints(pattern=SHA256, max_length=64),
        _checked_text(
            SHA256, 64, "spec.lingma.bootstrap.sha256 must be 64 hexadecimal digits, as sha256sum prints them"
        ),
    ]
    """SHA-256 of the VSIX; nothing is unpacked from a file of another one."""


class Lingma(_Model):
    """The container that runs Lingma."""

    model_config = ConfigDict(
        json_schema_extra=_rules(
            (
                "!(has(self.bootstrap) && has(self.command))",
                "spec.lingma.command and spec.lingma.bootstrap exclude each other: "
                "with bootstrap the program is the one that it installs",
            )
        )
    )

    bootstrap: Bootstrap | None = None
    """Obtain Lingma at the pod's start, and run that. Absent: the image holds it."""
    image: Annotated[str | None, Field(min_length=1, max_length=512)] = None
    """Image that holds Lingma, instead of the operator's; with `bootstrap`, the image that it runs in."""
    command: Annotated[list[Argument] | None, Field(min_length=1, max_length=32)] = None
    """The program, instead of the operator's; `start`, the work directory and the ports are appended as arguments."""
    args: Annotated[list[Argument], Field(max_length=64)] = []
    """More arguments, after the operator's."""
    resources: Resources | None = None
    """Requests and limits of the container."""


class Gateway(_Model):
    """The container that speaks OpenAI and Anthropic in front of Lingma."""

    env: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=4096)]],
        Field(
            max_length=64,
            json_schema_extra=_rules(
                (
                    "self.all(name, !name.startsWith('LINGMA_') && !(name in ['HOME', 'TMPDIR', 'POD_NAME']))",
                    "spec.gateway.env must not set LINGMA_*, HOME, TMPDIR or POD_NAME: the operator sets them",
                )
            ),
        ),
    ] = {}
    """Settings of the gateway by name, over those of the operator. Not for secrets: they show in the pod."""
    resources: Resources | None = None
    """Requests and limits of the container."""


class Work(_Model):
    """The volume of Lingma's work directory. It lives as long as the pod."""

    medium: Literal["", "Memory"] = ""
    """`""` is the node's disk; `Memory` is a tmpfs, which counts against the memory limits."""
    size_limit: Quantity = "2Gi"
    """The pod is evicted when the volume grows beyond."""


class BrowserSecretRef(_Model):
    """A Secret, in the account's namespace, with a user name and a password."""

    name: SecretName
    """Name of the Secret, for example one of type `kubernetes.io/basic-auth`."""
    username_key: SecretKey = "username"
    """Key of the user name."""
    password_key: SecretKey = "password"
    """Key of the password."""


class Browser(_Model):
    """A container with a browser that logs in on the login page. It has no other credential, key or session."""

    secret_ref: BrowserSecretRef
    """The user name and password. A changed Secret is used for the next try, without a restart of the pod."""
    resources: Resources | None = None
    """Requests and limits of the container."""


class PersonalTokenSecretRef(_Model):
    """The key of a Secret, in the account's namespace, that holds a personal access token."""

    name: SecretName
    """Name of the Secret."""
    key: SecretKey = "token"
    """Key of the token."""


class AccessKeySecretRef(_Model):
    """A Secret, in the account's namespace, with the two halves of an access key."""

    name: SecretName
    """Name of the Secret."""
    access_key_id_key: SecretKey = "accessKeyId"
    """Key of the AccessKey id."""
    access_key_secret_key: SecretKey = "accessKeySecret"
    """Key of the AccessKey secret."""


class Login(_Model):
    """Ways to log in by itself, beside the session bundle, which goes first; they are tried in this order."""

    personal_token_secret_ref: PersonalTokenSecretRef | None = None
    """A personal access token. A changed Secret is used for the next try, without a restart of the pod."""
    access_key_secret_ref: AccessKeySecretRef | None = None
    """An access key. A changed Secret is used for the next try, without a restart of the pod."""
    browser: Browser | None = None
    """A user name and password, for a browser. What asks for a person is reported and never worked around."""
    dedicated_domain_url: Annotated[str | None, Field(pattern=r"^https?://[^/?#@\s]+(/\S*)?$", max_length=512)] = None
    """Endpoint of a dedicated edition, which Lingma is told before it logs in."""

    @property
    def configured(self) -> bool:
        """Whether there is a way at all."""
        return any((self.personal_token_secret_ref, self.access_key_secret_ref, self.browser))


class LingmaAccountSpec(_Model):
    """What the person wants of the account."""

    session_secret_ref: SessionSecretRef | None = None
    """Where the session bundle is. Absent: the account logs in by `login`, or runs and waits for a login."""
    login: Login = Login()
    """Ways to log in by itself, beside the session bundle."""
    suspend: bool = False
    """True stops the pod and keeps everything else."""
    lingma: Lingma = Lingma()
    """The container that runs Lingma."""
    gateway: Gateway = Gateway()
    """The container that speaks OpenAI and Anthropic in front of Lingma."""
    work: Work = Work()
    """The volume of Lingma's work directory."""
    drain_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """Seconds that streams in flight may take to finish when the pod stops."""


class Condition(_Model):
    """One aspect of the account's state."""

    type: Annotated[str, Field(max_length=64)]
    """Ready, PoolReady, LoggedIn, SessionValid, Progressing or Conflict."""
    status: Literal["True", "False", "Unknown"]
    """Whether the condition holds."""
    reason: Annotated[str, Field(max_length=128)]
    """One CamelCase word for programs."""
    message: Annotated[str, Field(max_length=4096)]
    """A sentence for people: what is the matter and what to do."""
    last_transition_time: Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
    """When `status` last changed."""
    observed_generation: int = 0
    """The metadata.generation that this is about."""


class LingmaAccountStatus(_Model):
    """What the operator sees."""

    observed_generation: int = 0
    """The metadata.generation that this status is about."""
    pool_ready: int = 0
    """Instances of Lingma that take requests."""
    pool_size: int = 0
    """Instances of Lingma of this account."""
    endpoint: Annotated[str | None, Field(max_length=512)] = None
    """The gateway inside the cluster. Clients call the router instead: it holds the API keys."""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = []
    """The aspects of the account's state; Ready sums them up."""

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type."""
        return next((condition for condition in self.conditions if condition.type == type_), None)

    def as_json(self) -> dict[str, Any]:
        """The status as it is written to the API server."""
        return self.model_dump(by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which account an object is."""

    name: str
    namespace: str
    uid: str
    generation: int


@dataclass(frozen=True, slots=True)
class LingmaAccount:
    """An account as the API server holds it."""

    identity: Identity
    spec: LingmaAccountSpec
    status: LingmaAccountStatus


class AccountInvalid(ValueError):
    """The API server took the object and it is none of this version. The message names fields, never their values."""


def identify(body: Mapping[str, Any]) -> Identity:
    """Which account the object is."""
    metadata = body["metadata"]
    return Identity(metadata["name"], metadata["namespace"], metadata["uid"], int(metadata.get("generation", 0)))


def parse_status(body: Mapping[str, Any]) -> LingmaAccountStatus:
    """The status that was last written; an unreadable one counts as none, since it is always written anew."""
    try:
        return LingmaAccountStatus.model_validate(body.get("status") or {})
    except ValidationError:
        return LingmaAccountStatus()


def parse(body: Mapping[str, Any]) -> LingmaAccount:
    """The account in an object of the API server.

    Raises:
        AccountInvalid: the spec is none of this version.
    """
    try:
        spec = LingmaAccountSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        faults = (f"spec.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise AccountInvalid("; ".join(faults)) from None
    return LingmaAccount(identify(body), spec, parse_status(body))
