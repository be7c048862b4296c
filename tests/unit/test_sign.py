"""Files for users, signed with a key of the test, and verified as docs/trust.md tells users."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from staticpython import index, sign
from staticpython.config import ROOT
from tests.unit.test_published import TREE, facts, fake_tree, pack, plan_of

SIGNATURE = "SHA256SUMS.minisig"
(VERIFY,) = (line.strip() for line in (ROOT / "docs/trust.md").read_text().splitlines() if "minisign -V" in line)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder as make dist leaves it."""
    fake_tree(tmp_path / "dist", TREE, 0)
    pack(tmp_path, plan_of())
    assert index.main([str(tmp_path / "dist"), "--url", "https://example.org/x"]) == 0
    return tmp_path / "dist"


def new_key(folder: Path) -> tuple[Path, str]:
    """Make a key without a password; return the file of the secret one, and the public one."""
    if not shutil.which("minisign"):
        pytest.skip("no minisign (Debian: minisign)")
    folder.mkdir()
    secret, public = folder / "a key", folder / "public"
    subprocess.run(["minisign", "-G", "-W", "-s", secret, "-p", public], check=True, capture_output=True)
    return secret, public.read_text().splitlines()[-1]


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    return new_key(tmp_path / "keys")


def signed(dist: Path, key: tuple[Path, str]) -> Path:
    assert sign.main([str(dist), "--key", str(key[0])]) == 0
    return dist / SIGNATURE


def verify(dist: Path, public: str) -> subprocess.CompletedProcess[str]:
    """Do what docs/trust.md says."""
    command = VERIFY.replace("PUBLIC_KEY", public)
    return subprocess.run(command, shell=True, cwd=dist, capture_output=True, text=True)


def test_verified(dist: Path, key: tuple[Path, str]) -> None:
    """The signature names its release, and signing again gives the same signature."""
    signature = signed(dist, key).read_bytes()
    done = verify(dist, key[1])
    assert done.returncode == 0, done.stderr
    assert f"Trusted comment: static-python {facts().release.stamp}\n" in done.stdout
    assert done.stdout.count(": OK\n") == 3, "two archives and uv's list"
    assert signed(dist, key).read_bytes() == signature


def damage_archive(dist: Path) -> None:
    archive = next(dist.glob("*-install_only.tar.gz"))
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")


def damage_list(dist: Path) -> None:
    sums = dist / "SHA256SUMS"
    damage_archive(dist)
    sums.write_text(index.sums_text(index.hashes(dist)))


def remove_signature(dist: Path) -> None:
    (dist / SIGNATURE).unlink()


def damage_comment(dist: Path) -> None:
    """Another release's name, as if an attacker passed an old release off as a newer one."""
    signature = dist / SIGNATURE
    signature.write_text(signature.read_text().replace(facts().release.stamp, "20990101"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_archive, "-install_only.tar.gz: FAILED"),
        (damage_list, "Signature verification failed"),
        (remove_signature, f"{SIGNATURE}: No such file or directory"),
        (damage_comment, "Comment signature verification failed"),
    ],
)
def test_users_see_it(dist: Path, key: tuple[Path, str], damage: Callable[[Path], None], says: str) -> None:
    signed(dist, key)
    damage(dist)
    done = verify(dist, key[1])
    assert done.returncode != 0
    assert says in done.stdout + done.stderr


def test_signed_by_somebody_else(dist: Path, key: tuple[Path, str], tmp_path: Path) -> None:
    signed(dist, new_key(tmp_path / "another"))
    done = verify(dist, key[1])
    assert done.returncode != 0
    assert "Signature key id" in done.stderr
    assert "OK" not in done.stdout


def test_another_list_has_no_signature(dist: Path, key: tuple[Path, str]) -> None:
    """An old signature would be taken for the new list's."""
    signature = signed(dist, key)
    assert index.main([str(dist), "--url", "https://example.org/y"]) == 0
    assert not signature.exists()


def add_file(dist: Path) -> None:
    (dist / "one-more.whl").write_text("x")


def remove_list(dist: Path) -> None:
    (dist / "SHA256SUMS").unlink()


@pytest.mark.parametrize(
    ("damage", "code", "says"),
    [
        (damage_archive, 5, "-install_only_stripped.tar.gz: run make dist again"),
        (add_file, 5, "one-more.whl: run make dist again"),
        (remove_list, 2, "no such file: run make dist first"),
    ],
)
def test_not_signed(
    dist: Path,
    key: tuple[Path, str],
    damage: Callable[[Path], None],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(dist)
    assert sign.main([str(dist), "--key", str(key[0])]) == code
    assert says in capsys.readouterr().err
    assert not list(dist.glob(f"{SIGNATURE}*"))


@pytest.mark.parametrize("name", ["", "keys", "not/there"])
def test_no_key(dist: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (dist / "keys").mkdir()
    assert sign.main([str(dist), "--key", str(dist / name) if name else ""]) == 2
    assert "no key to sign by" in capsys.readouterr().err


def test_a_key_that_is_none(dist: Path, key: tuple[Path, str], capfd: pytest.CaptureFixture[str]) -> None:
    """minisign's own error message is shown."""
    key[0].write_text("untrusted comment: mine\nnothing\n")
    assert sign.main([str(dist), "--key", str(key[0])]) == 1
    said = capfd.readouterr().err
    assert "was an actual secret key given?" in said
    assert "is not signed: minisign ended with exit code" in said
    assert not list(dist.glob(f"{SIGNATURE}*"))


def test_no_minisign(
    dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("x")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sign.main([str(dist), "--key", str(tmp_path / "key")]) == 2
    assert "apt-get install minisign" in capsys.readouterr().err
