"""Obtaining Lingma when the pod starts: an init container unpacks it into the work volume, where `lingma` runs it.

It comes after `restore`, which makes the folders of HOME and TMPDIR.
"""

from lingma_contract.names import Container, Path
from lingma_operator.account import LingmaAccount
from lingma_operator.manifests.container import container, mount, variable
from lingma_operator.objects import Obj
from lingma_operator.settings import Settings

# A download is streamed to a file; what Lingma's archive needs of memory is the page cache, which yields.
_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}

COMMAND = (f"{Path.BOOTSTRAP_DIR}/Lingma",)
"""Lingma's program, once it is there."""


def bootstrap_containers(account: LingmaAccount, settings: Settings, work: str) -> list[Obj]:
    """The container `bootstrap`, for an account that asks for it; `work` is the name of the work volume."""
    wanted = account.spec.lingma.bootstrap
    if wanted is None:
        return []
    free = {**settings.gateway_env, **account.spec.gateway.env}
    env = {
        **{name: value for name, value in free.items() if name.lower() in ("https_proxy", "http_proxy", "no_proxy")},
        "HOME": Path.HOME,
        "TMPDIR": Path.TMP,
    }
    source = ["--vsix", wanted.vsix_url, "--sha256", wanted.sha256]
    return [
        {
            **container(Container.BOOTSTRAP, settings.gateway_image, settings),
            "command": ["lingma-gateway", "bootstrap", *source, "--to", Path.BOOTSTRAP_DIR],
            "env": [variable(name, value) for name, value in sorted(env.items())],
            "resources": _RESOURCES,
            "volumeMounts": [mount(work, Path.VOLUME)],
            # Its last words are the account's condition.
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
    ]
