"""Finds the machine's trusted certificates, wherever the tree was unpacked.

OpenSSL has one folder compiled in (OPENSSLDIR); distributions use many. The order:

1. SSL_CERT_FILE or SSL_CERT_DIR, as with any OpenSSL (SSL_CTX_load_verify_locations(3));
2. the distribution's bundle and its folder of hashed names (openssl-rehash(1)); the list is that of
   Go's crypto/x509/root_linux.go and of update-ca-certificates(8), update-ca-trust(8);
3. the bundle that comes with the interpreter (Mozilla's list, from certifi).
"""

import os
from os import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

ENVIRONMENT = ("SSL_CERT_FILE", "SSL_CERT_DIR")

FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, NixOS, OpenWrt
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, Amazon Linux
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # what the one above links to
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/var/lib/ca-certificates/ca-bundle.pem",  # what the one above links to
    "/etc/pki/tls/cacert.pem",  # OpenELEC
)

FOLDERS = (
    "/etc/ssl/certs",  # Debian, SUSE, Alpine, Arch
    "/etc/pki/tls/certs",  # Fedora, RHEL
    "/var/lib/ca-certificates/openssl",  # SUSE
)

BUNDLED = path.join(path.dirname(__file__), "cacert.pem")


def _is_bundle(name: str) -> bool:
    """Is `name` a readable file that is not empty?"""
    try:
        return path.getsize(name) > 0 and path.isfile(name) and os.access(name, os.R_OK)
    except OSError:
        return False


def _is_hashed(name: str) -> bool:
    """Has `name` the form that OpenSSL looks up in a folder: eight hexadecimal digits, dot, number?"""
    digits, _, number = name.partition(".")
    return len(digits) == 8 and number.isdigit() and not digits.strip("0123456789abcdef")


def _is_hashed_folder(name: str) -> bool:
    try:
        return any(map(_is_hashed, os.listdir(name)))
    except OSError:
        return False


def default_locations() -> "tuple[str | None, str | None]":
    """Return the file and the folder to trust, either of which may be None."""
    folder = next(filter(_is_hashed_folder, FOLDERS), None)
    candidates = FILES if folder else (*FILES, BUNDLED)
    return next(filter(_is_bundle, candidates), None), folder


def load(context: "ssl.SSLContext", load_openssl_defaults: "Callable[[], None]") -> None:
    """Load the default certificates into an SSLContext.

    As SSL_CTX_set_default_verify_paths(3), it finds no certificates rather than fail: a file that is no
    list of certificates is skipped, and the bundled one is used instead.
    """
    if any(name in os.environ for name in ENVIRONMENT):
        load_openssl_defaults()
        return
    cafile, capath = default_locations()
    if capath:
        context.load_verify_locations(capath=capath)
    if not cafile:
        return
    try:
        context.load_verify_locations(cafile=cafile)
    except OSError:  # includes ssl.SSLError
        if _is_bundle(BUNDLED):
            context.load_verify_locations(cafile=BUNDLED)
