"""The README's steps for an account, as they stand there, but for the namespace and the name."""

import base64
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from demo import accounts
from tests.docs.test_readme import block
from tests.e2e.support import Lingma

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180, func_only=True)]


def test_an_account_is_applied_as_the_readme_says(lingma: Lingma, tmp_path: Path) -> None:
    bundle = accounts.bundle("carol")
    (tmp_path / "alice.tgz").write_bytes(base64.b64decode(bundle))
    kubectl = shlex.join(lingma.kube.command()[:-2])
    steps = block("kubectl -n lingma create secret").replace("alice-bundle", "carol-bundle")
    steps = steps.replace("name: alice}", "name: carol}").replace("lingmaaccount/alice", "lingmaaccount/carol")
    steps = steps.replace("kubectl -n lingma ", f"{kubectl} --namespace {lingma.kube.namespace} ")
    steps = steps.replace("kubectl -n", kubectl).replace(
        "--for=condition=Ready", "--for=condition=Ready --timeout=120s"
    )
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", steps],
            cwd=tmp_path,
            env={**os.environ, **lingma.kube.environment()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "lingmaaccount.lingma.dev/carol condition met" in done.stdout
    finally:
        lingma.delete_account("carol")
        lingma.kube.run("delete", "secret", "carol-bundle", "--ignore-not-found")
