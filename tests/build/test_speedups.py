"""What the patches for speed change in CPython and OpenSSL, against slower ways to the same result."""

from __future__ import annotations

import socket
import ssl
import subprocess

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

# Text with something special at each place, of sizes around the 8 and 16 characters that are looked at together.
TEXTS = """
SPECIAL = '"\\\\\\n\\x00\\x1f ~\\x7f\\x80\\xa2\\xdc\\xff\\u20ac\\U0001f600'
TEXTS = ["x" * n for n in range(70)]
TEXTS += ["x" * i + c + "y" * (n - i) for n in range(40) for i in range(n + 1) for c in SPECIAL]
"""

JSON = """
from json import decoder, encoder, JSONDecodeError

def result(function, *arguments):
    try:
        return function(*arguments)
    except JSONDecodeError as error:
        return error.msg.split()[0]  # the rest of the message differs

for text in TEXTS:
    assert encoder.c_encode_basestring_ascii(text) == encoder.py_encode_basestring_ascii(text), ascii(text)
    escaped = encoder.py_encode_basestring_ascii(text), encoder.py_encode_basestring(text)
    for quoted in (*escaped, '"' + text + '"', '"' + text, escaped[0] + ", 12345678"):
        for strict in (True, False):
            arguments = quoted, 1, strict
            c, python = result(decoder.c_scanstring, *arguments), result(decoder.py_scanstring, *arguments)
            assert c == python, (arguments, c, python)
"""

SEARCH = """
import random
random.seed(1)

def find(text, word):
    return next((i for i in range(len(text) - len(word) + 1) if text[i:i + len(word)] == word), -1)

def rfind(text, word):
    return next((i for i in range(len(text) - len(word), -1, -1) if text[i:i + len(word)] == word), -1)

for letters in ("ab", "abcdefgh", "ab\\xe9\\xff", "ab\\u20ac\\u20ad", "ab\\U0001f600\\U0001f601"):
    for _ in range(1500):
        text = "".join(random.choices(letters, k=random.choice((5, 50, 300))))
        word = "".join(random.choices(letters, k=random.randrange(1, 9)))
        assert text.find(word) == find(text, word), (text, word)
        assert text.rfind(word) == rfind(text, word), (text, word)
        assert text.count(word) == len(text.split(word)) - 1 == text.replace(word, word + "!").count(word + "!")
        assert word.join(text.split(word)) == text == word.join(text.rsplit(word))
        for sought, inside in ((word.encode(), text.encode()), (word.encode("utf-32-le"), text.encode("utf-32-le"))):
            assert inside.find(sought) == find(inside, sought) and inside.rfind(sought) == rfind(inside, sought)
"""

SERVER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
    with context.wrap_socket(connection, server_side=True) as tls:
        while size := int.from_bytes(tls.recv(4)):
            data = b""
            while len(data) < size:
                data += tls.recv(size - len(data))
            tls.sendall(data[::-1])
"""


PROGRAMS = {"json": TEXTS + JSON, "search": SEARCH}


@pytest.mark.parametrize("program", PROGRAMS)
def test_same_results_as_the_slow_way(target: BuiltTarget, program: str) -> None:
    assert target.run("-c", PROGRAMS[program]) == ""


def test_chacha20_poly1305_with_another_openssl(target: BuiltTarget) -> None:
    """Another library must understand what ours encrypts: two of ours could make the same mistake."""
    certificate = target.build.parent / "sources/cpython/Lib/test/certdata/keycert3.pem"
    command = [*target.emulator, str(target.binary), "-c", SERVER, str(certificate)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-CHACHA20-POLY1305")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()) as server:
        assert server.stdout
        address = ("127.0.0.1", int(server.stdout.readline()))
        with socket.create_connection(address, timeout=60) as plain, context.wrap_socket(plain) as tls:
            assert tls.cipher() == ("ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2", 256)
            # Each way through the code is for a range of sizes: blocks of 64 bytes by 1, 4, 8, 16.
            for size in (*range(1, 300, 7), *range(300, 2500, 61), 4096, 16384, 100_001):
                data = bytes(i * 7 % 251 for i in range(size))
                tls.sendall(size.to_bytes(4, "big") + data)
                answer = b""
                while len(answer) < size:
                    answer += tls.recv(size)
                assert answer == data[::-1], size
            tls.sendall(bytes(4))
        assert server.wait(60) == 0
