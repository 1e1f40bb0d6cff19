"""Certificates for tests."""

import datetime
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def certificate(folder, address, serial, names=(), name="tls", days=2):
    """A self-signed one for an address, or for names instead; returns (certificate, key)."""
    said = ",".join(f"DNS:{n}" for n in names) or f"IP:{address}"
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
                    "-subj", "/CN=control", "-set_serial", str(serial), "-addext", f"subjectAltName={said}",
                    "-keyout", str(folder / f"{name}-new.key"), "-out", str(folder / f"{name}-new.pem")], check=True, capture_output=True)
    (folder / f"{name}-new.key").rename(paths[1])
    (folder / f"{name}-new.pem").rename(paths[0])
    return paths


def dated(folder, name, begins, ends, host):
    """A self-signed one for a host, good from `begins` until `ends` (seconds from now); returns (certificate, key)."""
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    now = datetime.datetime.now(datetime.timezone.utc)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(seconds=begins))
            .not_valid_after(now + datetime.timedelta(seconds=ends))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False).sign(key, hashes.SHA256()))
    put(paths[1], key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    put(paths[0], made.public_bytes(Encoding.PEM))
    return paths


def put(path, content):
    """At once: whoever looks finds the old or the new."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.rename(path)
