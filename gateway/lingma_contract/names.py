"""Names that more than one program uses: the Kubernetes API group, labels, ports, paths, headers, variables, metrics.

A name that only one program uses lives in that program.
"""

from enum import StrEnum

GROUP = "lingma.dev"
VERSION = "v1alpha1"
KIND = "LingmaAccount"
PLURAL = "lingmaaccounts"

FIELD_MANAGER = "lingma-operator"
STATUS_FIELD_MANAGER = "lingma-operator-status"


class Label(StrEnum):
    """Labels on the objects of an account, and on the chart's own pods."""

    NAME = "app.kubernetes.io/name"
    INSTANCE = "app.kubernetes.io/instance"
    COMPONENT = "app.kubernetes.io/component"
    MANAGED_BY = "app.kubernetes.io/managed-by"
    ACCOUNT = "lingma.dev/account"
    """The account's name. EndpointSlices inherit it from the account's Service: the router selects by it."""


class Component(StrEnum):
    """Values of `app.kubernetes.io/component`."""

    ACCOUNT = "account"
    OPERATOR = "operator"
    ROUTER = "router"


APP_NAME = "lingma"
"""`app.kubernetes.io/name` of everything that belongs to an account."""


class Annotation(StrEnum):
    """Annotations that we write."""

    SESSION_HASH = "lingma.dev/session-hash"
    """On the pod template: keyed hash of the user's bundle, so that a changed bundle rolls the pod."""
    DERIVED_FROM = "lingma.dev/derived-from"
    """On the captured session's Secret: digest of the user's bundle that it derives from; empty: there was none."""
    CAPTURED = "lingma.dev/captured"
    """On the captured session's Secret: digest of the session."""
    DESIRED_HASH = "lingma.dev/desired-hash"
    """On a child: hash of what was last applied, so that an unchanged child is not sent again."""


class Port:
    """Container ports, the same in every pod."""

    CLIENT = 8317
    """Gateway and router: what clients call."""
    ADMIN = 8318
    """Gateway: admin and metrics in a cluster. Router and operator: metrics and probes."""
    LINGMA_SOCKET = 37010
    """Lingma's WebSocket, on loopback of the pod (the default of its command line)."""
    LINGMA_HTTP = 37510
    """Lingma's HTTP callback, on loopback of the pod."""
    LOGIN_BROWSER = 8319
    """The browser of the container `login`, on loopback of the pod."""


class Header(StrEnum):
    """HTTP headers of ours. Of a client's, the router reads AFFINITY and strips all that begin with `x-lingma-`."""

    ACCOUNT = "x-lingma-account"
    """Answer: the account that served the request."""
    AFFINITY = "x-lingma-affinity"
    """Answer: a signed token that names the account. Request: such a token, or the client's own key."""
    MODEL = "x-lingma-model"
    """Answer: the upstream model that served the request."""
    IGNORED = "x-lingma-ignored"
    """Answer: request fields that had no effect."""
    DEGRADED = "x-lingma-degraded"
    """Answer: parts of the request that the model could not see."""
    RETRIES = "x-lingma-retries"
    """Answer: how often the model was asked again, because its answer had not the form that it must have. Absent:
    never, or the head had been sent before."""
    KEY_ID = "x-lingma-key-id"
    """Router to gateway: the name of the client's API key."""
    REASON = "x-lingma-reason"
    """Answer of the router: how the account was chosen (`token`, `id`, `header`, `session`, `prompt`, `none`), with
    `-spill` when that account was too busy and `-moved` when it could not take the request."""
    REQUEST_ID = "x-request-id"
    CODEX_TURN_STATE = "x-codex-turn-state"
    """Answer to Codex: the affinity token, which it echoes on the next request of the same turn."""


INTERNAL_HEADER_PREFIX = "x-lingma-"


class Env(StrEnum):
    """Environment variables that the operator or the chart sets and another program reads."""

    ACCOUNT = "LINGMA_ACCOUNT"
    ACCOUNT_NAMESPACE = "LINGMA_ACCOUNT_NAMESPACE"
    ACCOUNT_UID = "LINGMA_ACCOUNT_UID"
    POD_NAME = "POD_NAME"
    WORK_DIR = "LINGMA_WORK_DIR"
    CREDENTIALS_DIR = "LINGMA_CREDENTIALS_DIR"
    """Gateway: folder of Secret `<account>-gateway` (files named by `Credential`)."""
    BUNDLE_FILE = "LINGMA_SESSION_BUNDLE_FILE"
    """Gateway and its `session restore`: the mounted session bundle."""
    PERSONAL_TOKEN_FILE = "LINGMA_PERSONAL_TOKEN_FILE"
    """Gateway: the mounted personal token."""
    ACCESS_KEY_FILE = "LINGMA_ACCESS_KEY_FILE"
    """Gateway: the id of the mounted access key."""
    SECRET_KEY_FILE = "LINGMA_SECRET_KEY_FILE"
    """Gateway: its secret."""
    USERNAME_FILE = "LINGMA_USERNAME_FILE"
    """Container `login` alone: the mounted user name."""
    PASSWORD_FILE = "LINGMA_PASSWORD_FILE"
    """Container `login` alone: the mounted password."""
    DEDICATED_DOMAIN = "DEDICATED_DOMAIN_URL"
    """Gateway and container `login`: endpoint of a dedicated edition."""
    LOGIN_BROWSER_PORT = "LOGIN_BROWSER_PORT"
    """Gateway and container `login`: where the browser of the one takes the visits of the other."""
    CAPTURED_DIR = "LINGMA_CAPTURED_DIR"
    """Gateway and its `session restore`: folder of the captured session's Secret."""
    DRAIN_SECONDS = "LINGMA_DRAIN_SECONDS"
    """Gateway and router: seconds that streams in flight may take to finish after SIGTERM."""
    API_KEYS_DIR = "LINGMA_API_KEYS_DIR"
    """Router: folder of the API key Secret, a file a key, named by the key's id."""
    MASTER_DIR = "LINGMA_MASTER_DIR"
    """Operator and router: folder of the master Secret (files named by `MasterKey`)."""


class Path:
    """Paths inside our containers."""

    VOLUME = "/lingma"
    """The work volume: Lingma's work directory, HOME and TMPDIR."""
    WORK_DIR = "/lingma/work"
    HOME = "/lingma/home"
    TMP = "/lingma/tmp"
    CREDENTIALS = "/var/run/lingma/credentials"
    BUNDLE_DIR = "/var/run/lingma/bundle"
    BUNDLE = "/var/run/lingma/bundle/bundle"
    PERSONAL_TOKEN_DIR = "/var/run/lingma/personal-token"
    ACCESS_KEY_DIR = "/var/run/lingma/access-key"
    LOGIN_DIR = "/var/run/lingma/login"
    """The user name and password, in the container `login` alone."""
    SCRATCH = "/scratch"
    """HOME and TMPDIR of the container `login`."""
    BOOTSTRAP_DIR = "/lingma/program"
    """Where `bootstrap` puts Lingma, in the work volume."""
    CAPTURED_DIR = "/var/run/lingma/captured"
    API_KEYS = "/var/run/lingma/api-keys"
    MASTER = "/var/run/lingma/master"


class Container(StrEnum):
    """Containers of an account's pod, in the order in which they start."""

    RESTORE = "restore"
    BOOTSTRAP = "bootstrap"
    """Only with spec.lingma.bootstrap."""
    LINGMA = "lingma"
    GATEWAY = "gateway"
    LOGIN = "login"
    """Only with spec.login.browser."""


class Credential(StrEnum):
    """Keys of Secret `<account>-gateway`. Each holds one value a line, the current one first, then the previous one."""

    ROUTER_TOKEN = "router-token"
    ADMIN_TOKEN = "admin-token"
    ACCOUNT_KEY = "account-key"


class MasterKey(StrEnum):
    """Keys of the master Secret."""

    CURRENT = "current"
    PREVIOUS = "previous"


BUNDLE_KEY = "bundle"
"""Default key of the user's session Secret, and the key of the captured one."""
DERIVED_FROM_KEY = "derived-from"
"""Key of the captured session's Secret, as its annotation: a mounted file is all that a pod sees of a Secret."""

UID = 65532
"""User and group of every container."""


def children_name(account: str) -> str:
    """Name of the account's StatefulSet, Service, Secret, NetworkPolicy and ServiceAccount."""
    return f"{account}-gateway"


def captured_secret_name(account: str) -> str:
    """Name of the Secret that holds the captured session. Not `<account>-session`, as people call their own."""
    return f"{account}-gateway-session"


MAX_ACCOUNT_NAME = 44
"""Characters: `<account>-gateway` must leave room in 63 for the StatefulSet's revision label."""


class Metric(StrEnum):
    """Metrics that dashboards or another program read. `gateway_pool_*` keep the names of the earlier gateway."""

    POOL_IN_FLIGHT = "gateway_pool_instance_in_flight"
    POOL_READY = "gateway_pool_instance_ready"
    REQUESTS = "gateway_requests_total"
    REQUEST_SECONDS = "gateway_request_duration_seconds"
    FIRST_TOKEN_SECONDS = "gateway_time_to_first_token_seconds"
    TOKENS = "gateway_tokens_total"
    TOOL_EVENTS = "gateway_tool_events_total"
    TOOL_CALLS = "gateway_tool_calls_total"
    """Calls of clients' tools by tool and outcome: `ok`, `repaired`, `retried`, `refused`."""
    RETRIES = "gateway_retries_total"
    """Times that a model was asked again within a turn, by what was wrong with its answer."""
    SESSIONS_KEPT = "gateway_sessions_kept"
    """Sessions of Lingma's that a conversation may go on in."""
    SESSION_REUSE = "gateway_session_reuse_total"
    """Turns by `outcome`: `hit`, or why the turn got a new session (docs/gateway.md, Session reuse)."""
    SESSIONS_DROPPED = "gateway_sessions_dropped_total"
    """Sessions that were given up, by `reason`."""
    QUEUED = "gateway_queued"
    QUEUE_SECONDS = "gateway_queue_duration_seconds"
    KEY_REQUESTS = "gateway_key_requests_total"
    ACCEPTED = "gateway_accepted_total"
    LOGIN_STATE = "gateway_login_state"
    """1 for the reason that holds now (`LoginReason`), by account."""
    SESSION_EXPIRY = "gateway_session_expiry_timestamp_seconds"
    """Seconds since 1970, by account; absent while Lingma does not tell."""
    REJECTED = "gateway_rejected_total"
    ROUTER_REQUESTS = "lingma_router_requests_total"
    ROUTER_ACCOUNTS_READY = "lingma_router_accounts_ready"
    ROUTER_IN_FLIGHT = "lingma_router_in_flight"
    ROUTER_PLACEMENTS = "lingma_router_placements_total"
