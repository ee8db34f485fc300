"""One authority and the certificates of everything that talks to the apiserver."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster.layout import DOMAIN, NODE, Network

LIFETIME = datetime.timedelta(days=365)  # a cluster lives for hours
CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Subject:
    """Kubernetes reads the user from the common name and the groups from the organisations."""

    file: str
    common_name: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyPair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.crt").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        write_key(folder / f"{name}.key", self.key)


def subjects(network: Network) -> tuple[Subject, ...]:
    """Who needs a certificate in a cluster on this network."""
    return (
        Subject("admin", "admin", ("system:masters",)),
        Subject("kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",)),
        Subject("controller-manager", "system:kube-controller-manager"),
        Subject("scheduler", "system:kube-scheduler"),
        Subject("proxy", "system:kube-proxy"),
        Subject("coredns", "system:coredns"),
        Subject("kubelet", f"system:node:{NODE}", ("system:nodes",)),
        Subject(
            "serving",
            "node",
            names=(
                NODE,
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                f"kubernetes.default.svc.{DOMAIN}",
            ),
            addresses=(network.node, network.apiserver_service, "127.0.0.1"),
        ),
    )


def authority() -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lingma-operator-cluster-ca")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate, key)


def issue(ca: KeyPair, subject: Subject) -> KeyPair:
    """A certificate good for both ends of a connection."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
        + [x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)]
    )
    builder = (
        _builder(name, ca.certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(dns) for dns in subject.names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in subject.addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return KeyPair(builder.sign(ca.key, hashes.SHA256()), key)


def write_all(folder: Path, network: Network) -> None:
    """The authority, every subject, and the key that signs ServiceAccount tokens."""
    ca = authority()
    ca.write(folder, "ca")
    for subject in subjects(network):
        issue(ca, subject).write(folder, subject.file)
    tokens = ec.generate_private_key(ec.SECP256R1())
    write_key(folder / "service-accounts.key", tokens)
    public = tokens.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "service-accounts.pub").write_bytes(public)


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def _builder(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
