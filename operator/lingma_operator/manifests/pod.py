"""The account's pod: restore the session, run Lingma beside the gateway, let streams end before Lingma does."""

from lingma_contract.names import (
    BUNDLE_KEY,
    UID,
    Container,
    Env,
    Path,
    Port,
    captured_secret_name,
    children_name,
)
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests import bootstrap, login
from lingma_operator.manifests.container import (
    ImageMissing,
    container,
    mount,
    resources,
    secret_volume,
    variable,
)
from lingma_operator.manifests.metadata import selector
from lingma_operator.objects import Obj
from lingma_operator.settings import Settings

GRACE_AFTER_DRAIN_SECONDS = 20
"""For what follows the last stream: closing sessions, then Lingma's own end."""

SIMULATOR_COMMAND = ["lingma-sim"]

_WORK, _CREDENTIALS, _BUNDLE, _CAPTURED = "work", "credentials", "bundle", "captured"

# Requests let a small node hold a few accounts; Lingma's limit stops a leak before the node suffers.
_RESTORE_RESOURCES = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
_LINGMA_RESOURCES = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}}
_GATEWAY_RESOURCES = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


class NoLingma(ImageMissing):
    """Neither the account nor the operator's settings say which image holds Lingma."""

    reason = "LingmaImageMissing"


def pod_spec(account: LingmaAccount, settings: Settings) -> Obj:
    """The spec of the pod template.

    Raises:
        ImageMissing: nothing says which image holds Lingma, or the browser.
    """
    spec: Obj = {
        "serviceAccountName": children_name(account.identity.name),
        "automountServiceAccountToken": False,
        # A namespace with thousands of Services would else fill the environment of every pod.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": account.spec.drain_seconds + GRACE_AFTER_DRAIN_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [_spread(account)],
        "initContainers": [
            _restore(account, settings),
            *bootstrap.bootstrap_containers(account, settings, _WORK),
            _lingma(account, settings),
        ],
        "containers": [_gateway(account, settings), *login.browser_containers(account, settings)],
        "volumes": _volumes(account),
    }
    if settings.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return spec


def _restore(account: LingmaAccount, settings: Settings) -> Obj:
    return {
        **container(Container.RESTORE, settings.gateway_image, settings),
        "command": ["lingma-gateway", "session", "restore"],
        "env": _gateway_env(account, settings, {}),
        "resources": _RESTORE_RESOURCES,
        "volumeMounts": [mount(_WORK, Path.VOLUME), *_sessions()],
    }


def _lingma(account: LingmaAccount, settings: Settings) -> Obj:
    """Lingma as a restartable init container: it starts before the gateway and stops after it.

    It has no startupProbe, so that the gateway starts at once and can say why Lingma is not ready.
    """
    wanted = account.spec.lingma
    image, command = _program(account, settings)
    return {
        **container(Container.LINGMA, image, settings),
        "restartPolicy": "Always",
        "command": command,
        "args": [
            "start",
            *("--workDir", Path.WORK_DIR),
            *("--socketPort", str(Port.LINGMA_SOCKET)),
            *("--httpPort", str(Port.LINGMA_HTTP)),
            *wanted.args,
        ],
        "env": [variable("HOME", Path.HOME), variable("TMPDIR", Path.TMP)],
        "resources": resources(wanted.resources, _LINGMA_RESOURCES),
        "volumeMounts": [mount(_WORK, Path.VOLUME)],
        # Lingma listens on loopback, which the kubelet cannot reach: the gateway answers for it. Two minutes
        # outlive the gateway's own start and restarts, which must never cost Lingma its sessions.
        "livenessProbe": _probe("/livez/lingma", period=10, failures=12, timeout=5),
    }


def _program(account: LingmaAccount, settings: Settings) -> tuple[str, list[str]]:
    """Image and command of Lingma: obtained at the start, else the account's, the simulator, the operator's."""
    wanted = account.spec.lingma
    if wanted.bootstrap is not None:
        return wanted.image or settings.gateway_image, list(bootstrap.COMMAND)
    if wanted.image is not None:
        return wanted.image, list(wanted.command or settings.lingma_command)
    if settings.simulator:
        return settings.gateway_image, list(wanted.command or SIMULATOR_COMMAND)
    if settings.lingma_image:
        return settings.lingma_image, list(wanted.command or settings.lingma_command)
    raise NoLingma("no image holds Lingma: set spec.lingma.image of the account, or the chart's value lingma.image")


def _gateway(account: LingmaAccount, settings: Settings) -> Obj:
    return {
        **container(Container.GATEWAY, settings.gateway_image, settings),
        "command": ["lingma-gateway", "sidecar"],
        "env": _gateway_env(account, settings, login.gateway_env(account)),
        "ports": [
            {"name": "http", "containerPort": Port.CLIENT, "protocol": "TCP"},
            {"name": "admin", "containerPort": Port.ADMIN, "protocol": "TCP"},
        ],
        "resources": resources(account.spec.gateway.resources, _GATEWAY_RESOURCES),
        "volumeMounts": [
            mount(_WORK, Path.VOLUME),
            mount(_CREDENTIALS, Path.CREDENTIALS, read_only=True),
            *_sessions(),
            *login.gateway_mounts(account),
        ],
        "livenessProbe": _probe("/livez", period=10, failures=6, timeout=5),
        # The gateway itself waits 3 s before it says not ready, so one answer is enough.
        "readinessProbe": _probe("/readyz", period=2, failures=1, timeout=2),
    }


def _sessions() -> list[Obj]:
    """What there is to log in with: the user's bundle, and what was captured of a login that derives from it."""
    return [
        mount(_BUNDLE, Path.BUNDLE_DIR, read_only=True),
        mount(_CAPTURED, Path.CAPTURED_DIR, read_only=True),
    ]


def _gateway_env(account: LingmaAccount, settings: Settings, more: dict[str, str]) -> list[Obj]:
    identity = account.identity
    fixed = {
        **more,
        Env.ACCOUNT.value: identity.name,
        Env.ACCOUNT_NAMESPACE.value: identity.namespace,
        Env.ACCOUNT_UID.value: identity.uid,
        Env.WORK_DIR.value: Path.WORK_DIR,
        Env.CREDENTIALS_DIR.value: Path.CREDENTIALS,
        Env.BUNDLE_FILE.value: Path.BUNDLE,
        Env.CAPTURED_DIR.value: Path.CAPTURED_DIR,
        Env.DRAIN_SECONDS.value: str(account.spec.drain_seconds),
        "HOME": Path.HOME,
        "TMPDIR": Path.TMP,
    }
    free = {**settings.gateway_env, **account.spec.gateway.env}
    free.pop(Env.POD_NAME.value, None)
    return [
        {"name": Env.POD_NAME.value, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}},
        # What the operator sets comes over what people set, and each name stands once.
        *(variable(name, value) for name, value in sorted({**free, **fixed}.items())),
    ]


def _volumes(account: LingmaAccount) -> list[Obj]:
    work: Obj = {"sizeLimit": str(account.spec.work.size_limit)}
    if account.spec.work.medium:
        work["medium"] = account.spec.work.medium
    reference = account.spec.session_secret_ref
    if reference is None:
        bundle: Obj = {"name": _BUNDLE, "emptyDir": {"sizeLimit": "1Mi"}}
    else:
        bundle = secret_volume(_BUNDLE, reference.name, {reference.key: BUNDLE_KEY})
    return [
        {"name": _WORK, "emptyDir": work},
        {
            "name": _CREDENTIALS,
            "secret": {"secretName": children_name(account.identity.name), "defaultMode": 0o440},
        },
        bundle,
        {
            "name": _CAPTURED,
            # It comes into being with the first capture, if ever.
            "secret": {
                "secretName": captured_secret_name(account.identity.name),
                "optional": True,
                "defaultMode": 0o440,
            },
        },
        *login.volumes(account),
    ]


def _probe(path: str, *, period: int, failures: int, timeout: int) -> Obj:
    return {
        "httpGet": {"path": path, "port": Port.ADMIN},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": timeout,
    }


def _spread(account: LingmaAccount) -> Obj:
    """Accounts go to different nodes where there are some: a lost node takes few of them."""
    shared = {key: value for key, value in selector(account.identity).items() if key.startswith("app.kubernetes.io/")}
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": shared},
    }
