"""Certificates for tests."""

import subprocess


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
