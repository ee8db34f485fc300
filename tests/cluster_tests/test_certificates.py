import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tests.cluster import certificates
from tests.cluster.certificates import KeyPair, Subject
from tests.cluster.layout import Network


@pytest.fixture(scope="module")
def ca() -> KeyPair:
    return certificates.authority()


def test_kubernetes_reads_user_and_groups_from_the_subject(ca: KeyPair) -> None:
    subject = Subject("x", "system:node:node", ("system:nodes", "more"))
    name = certificates.issue(ca, subject).certificate.subject
    assert [part.value for part in name.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["system:node:node"]
    groups = {part.value for part in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    assert groups == {"system:nodes", "more"}


def test_the_serving_certificate_is_good_for_every_way_to_the_apiserver(ca: KeyPair) -> None:
    (subject,) = (each for each in certificates.subjects(Network()) if each.file == "serving")
    certificate = certificates.issue(ca, subject).certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    assert ipaddress.ip_address(Network().node) in addresses
    assert ipaddress.ip_address(Network().apiserver_service) in addresses
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_it_is_signed_by_the_authority(ca: KeyPair) -> None:
    certificate = certificates.issue(ca, Subject("x", "x")).certificate
    certificate.verify_directly_issued_by(ca.certificate)
    with pytest.raises(Exception):  # noqa: B017 - the library has a family of its own
        certificate.verify_directly_issued_by(certificates.authority().certificate)


def test_a_strict_verifier_accepts_the_serving_certificate(ca: KeyPair) -> None:
    certificate = certificates.issue(ca, Subject("x", "x", names=("localhost",))).certificate
    trusting = PolicyBuilder().store(Store([ca.certificate]))
    chain = trusting.build_server_verifier(x509.DNSName("localhost")).verify(certificate, [])
    assert chain == [certificate, ca.certificate]
    with pytest.raises(VerificationError):
        trusting.build_server_verifier(x509.DNSName("other")).verify(certificate, [])


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    certificates.write_all(tmp_path, Network())
    keys = list(tmp_path.glob("*.key"))
    assert len(keys) == len(certificates.subjects(Network())) + 2  # the authority's and the tokens'
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
