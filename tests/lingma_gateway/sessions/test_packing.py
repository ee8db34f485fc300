import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from lingma_contract import bundle as bundles
from lingma_contract.bundle import Bundle
from lingma_gateway.sessions import packing
from lingma_gateway.sessions.loginfiles import Holder
from lingma_gateway.sessions.packing import PackError

NOW_S = 1_790_000_000.0
MACHINE = b"0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
DAY = 86400


def user(**fields: Any) -> bytes:
    padder = PKCS7(128).padder()
    padded = padder.update(json.dumps(fields).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(MACHINE[:16]), modes.CBC(MACHINE[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize())


def work_dir(tmp_path: Path, **files: bytes) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir()
    for name, content in files.items():
        (cache / name).write_bytes(content)
    return tmp_path


def test_exactly_the_files_of_a_login_are_packed(tmp_path: Path) -> None:
    login = user(uid="alice", expire_time=int((NOW_S + DAY) * 1000))
    path = work_dir(tmp_path, id=MACHINE, user=login, quota=b"q", local=b"x")
    (path / "cache" / "config.json").write_bytes(b"{}")
    (path / "cache" / "machine_token.json").write_bytes(b"[]")
    bundle = packing.read_login(path, NOW_S)
    assert bundle.files == {
        "id": MACHINE,
        "user": login,
        "quota": b"q",
        "config.json": b"{}",
        "machine_token.json": b"[]",
    }
    assert bundles.unpack(bundles.pack(bundle)).digest == bundle.digest


def test_a_login_that_does_not_say_when_it_ends_is_packed(tmp_path: Path) -> None:
    assert packing.read_login(work_dir(tmp_path, id=MACHINE, user=user(uid="alice")), NOW_S).files["id"] == MACHINE


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "has no cache/id: log this Lingma in first"),
        ({"id": b" \n", "user": user()}, "has no cache/id"),
        ({"id": MACHINE}, "has no cache/user: log this Lingma in first"),
        ({"id": MACHINE, "user": b"AAAA"}, "does not belong to cache/id; log this Lingma in again"),
        ({"id": b"short", "user": user()}, "shorter than 16 characters"),
        ({"id": MACHINE, "user": user(expire_time=int((NOW_S - 2 * DAY) * 1000))}, "expired 2 days ago"),
        ({"id": MACHINE, "user": user(), "quota": b"x" * (bundles.MAX_MEMBER_BYTES + 1)}, "no file of a login"),
    ],
)
def test_what_is_not_logged_in_is_not_packed(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(PackError, match=reason):
        packing.read_login(work_dir(tmp_path, **files), NOW_S)


def test_a_missing_work_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="gone is no folder"):
        packing.read_login(tmp_path / "gone", NOW_S)


def test_a_device_is_no_file_of_a_login(tmp_path: Path) -> None:
    path = work_dir(tmp_path, user=user())
    os.symlink("/dev/null", path / "cache" / "id")
    with pytest.raises(PackError, match="no plain file"):
        packing.read_login(path, NOW_S)


def test_an_inspection_tells_who_and_when_and_no_token() -> None:
    fields = {"uid": "u1", "name": "Wei", "user_type": "enterprise", "organization_id": "o1", "refresh_token": "rt-9"}
    bundle = Bundle({"user": user(**fields, expire_time=int(NOW_S * 1000)), "id": MACHINE})
    inspection = packing.inspect(bundle)
    assert inspection.holder == Holder("u1", "Wei", "enterprise", "o1", int(NOW_S * 1000))
    assert inspection.fingerprint == bundle.digest[:12]
    assert list(inspection.sizes) == ["id", "user"]
    assert inspection.expires is not None
    assert inspection.expires.timestamp() == NOW_S
    assert inspection.usable(NOW_S - 1)
    assert not inspection.usable(NOW_S)
    assert "rt-9" not in repr(inspection)


def test_a_bundle_that_cannot_be_read_is_still_inspected() -> None:
    inspection = packing.inspect(Bundle({"id": MACHINE, "user": b"AAAA"}))
    assert inspection.holder is None
    assert inspection.expires is None
    assert not inspection.usable(NOW_S)


@pytest.mark.parametrize("expire_time", [None, True, "soon", 10**30])
def test_an_expiry_that_is_no_time_is_unknown(expire_time: object) -> None:
    inspection = packing.inspect(Bundle({"id": MACHINE, "user": user(uid="u1", expire_time=expire_time)}))
    assert inspection.expires is None
    assert inspection.usable(NOW_S)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12 * DAY + 5, "in 12 days"),
        (DAY, "in 1 day"),
        (3600 * 5, "in 5 hours"),
        (61, "in 1 minute"),
        (2, "in 2 seconds"),
        (0.5, "now"),
        (-90, "1 minute ago"),
        (-3 * DAY, "3 days ago"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert packing.relative(seconds) == words
