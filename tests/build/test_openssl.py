"""OpenSSL's providers work as on Debian: the legacy one if a configuration activates it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import BuiltTarget, clean_environment

CONFIG = """openssl_conf = init
[init]
providers = providers
[providers]
default = on
legacy = on
[on]
activate = 1
"""
PROGRAM = "import hashlib\ntry: print(hashlib.new('md4', b'abc').hexdigest())\nexcept ValueError: print('unsupported')"


@pytest.mark.parametrize(("text", "digest"), [(CONFIG, "a448017aaf21d8525fc10ae87aa6729d"), ("", "unsupported")])
def test_legacy_provider(target: BuiltTarget, tmp_path: Path, text: str, digest: str) -> None:
    (tmp_path / "openssl.cnf").write_text(text)
    assert target.run("-c", PROGRAM, env=clean_environment(OPENSSL_CONF=str(tmp_path / "openssl.cnf"))) == digest
