"""Certificates for tests."""

import subprocess


def certificate(folder, address, serial):
    """A self-signed one for an address; returns (certificate, key)."""
    paths = folder / "tls.pem", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=control", "-set_serial", str(serial), "-addext", f"subjectAltName=IP:{address}",
                    "-keyout", str(folder / "new.key"), "-out", str(folder / "new.pem")], check=True, capture_output=True)
    (folder / "new.key").rename(paths[1])
    (folder / "new.pem").rename(paths[0])
    return paths
