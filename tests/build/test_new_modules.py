"""New modules of a series that depend on this project: on a library, or on several interpreters."""

from __future__ import annotations

import pytest

from tests.build.conftest import BuiltTarget


@pytest.mark.needs_modules("_zstd")
def test_zstd(target: BuiltTarget, seed: int) -> None:
    code = f"""if 1:
        import io, random, tarfile
        from compression import zstd
        rng = random.Random({seed})
        words = [b"%x " % rng.getrandbits(20) for _ in range(500)]
        samples = [b"".join(rng.choices(words, k=rng.randrange(50, 400))) for _ in range(400)]
        data = b"".join(samples) * 8
        for level in (-5, 1, 3, 10, 19):
            assert zstd.decompress(zstd.compress(data, level)) == data
        dictionary = zstd.train_dict(samples, 16000)
        plain, with_it = (sum(len(zstd.compress(s, zstd_dict=d)) for s in samples) for d in (None, dictionary))
        assert with_it < plain, (with_it, plain)
        for sample in samples[:20]:
            assert zstd.decompress(zstd.compress(sample, zstd_dict=dictionary), dictionary) == sample
        options = {{zstd.CompressionParameter.nb_workers: 3, zstd.CompressionParameter.checksum_flag: 1}}
        assert zstd.CompressionParameter.nb_workers.bounds()[1] > 1, "built without threads"
        assert zstd.decompress(zstd.compress(data, options=options)) == data
        packed = bytearray(zstd.compress(data, options=options))
        packed[len(packed) // 2] ^= 1
        try:
            zstd.decompress(bytes(packed))
        except zstd.ZstdError:
            pass
        else:
            raise AssertionError("a damaged frame")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:zst") as tar:
            member = tarfile.TarInfo("member")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        buffer.seek(0)
        with tarfile.open(fileobj=buffer) as tar:
            assert tar.extractfile("member").read() == data
        print(zstd.zstd_version_info)
    """
    assert target.run("-c", code).startswith("(1, ")


@pytest.mark.needs_modules("_interpreters")
def test_interpreters_at_once(target: BuiltTarget) -> None:
    """Each has a thread and a lock of its own, and modules in C; what one makes, another gets through a queue."""
    if target.plan.series == "3.13":
        pytest.skip("3.13 has no concurrent.interpreters")
    code = """if 1:
        import threading
        from concurrent import interpreters
        from concurrent.futures import InterpreterPoolExecutor
        text = '''if 1:
            import json, hashlib, decimal, sqlite3, zlib
            for i in range(20):
                row = sqlite3.connect(":memory:").execute("select ? * 2", (i,)).fetchone()
                queue.put(json.dumps([row[0], hashlib.sha256(bytes([i])).hexdigest()[:4], str(decimal.Decimal(i))]))
        '''
        queue = interpreters.create_queue()
        several = [interpreters.create() for _ in range(4)]
        for one in several:
            one.prepare_main(queue=queue)
        threads = [one.call_in_thread(exec, text, {"queue": queue}) for one in several]
        for thread in threads:
            thread.join()
        found = sorted(queue.get() for _ in range(80))
        assert len(set(found)) == 20, found
        for one in several:
            one.close()
        with InterpreterPoolExecutor(3) as pool:
            print(sum(pool.map(len, ["a", "bb", "ccc"])))
    """
    assert target.run("-c", code) == "6"


@pytest.mark.needs_modules("_hmac")
def test_hmac_and_hashes_without_openssl(target: BuiltTarget, seed: int) -> None:
    """Every hash, also those that use the CPU's vectors, compared with HMAC's definition."""
    code = f"""if 1:
        import random, sys
        sys.modules["_hashlib"] = None
        import hashlib, hmac
        rng = random.Random({seed})
        hashes = [n for n in hashlib.algorithms_guaranteed if not n.startswith("shake")]
        assert {{"blake2b", "blake2s", "md5", "sha3_512"}} <= set(hashes), hashes
        for name in hashes:
            new = getattr(hashlib, name)
            block = new().block_size
            for size in (0, 1, block - 1, block, block + 1, 4 * block, rng.randrange(20_000)):
                key, text = rng.randbytes(rng.randrange(3 * block)), rng.randbytes(size)
                padded = (new(key).digest() if len(key) > block else key).ljust(block, bytes(1))
                inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
                expected = new(outer + new(inner + text).digest()).digest()
                cut = rng.randrange(size + 1)
                parts = hmac.new(key, text[:cut], name)
                copy = parts.copy()
                copy.update(text[cut:])
                found = {{hmac.digest(key, text, name), hmac.new(key, text, name).digest(), copy.digest()}}
                assert found == {{expected}}, (name, len(key), size, cut)
        print(hmac.new(b"key", b"The quick brown fox jumps over the lazy dog", "sha256").hexdigest()[:8])
    """
    assert target.run("-c", code) == "f7bc83f4"
