"""Ask for users with an interpreter while nscd or systemd's user database runs: `driver.py FOLDER COMMAND...`.

It must be started in a mount namespace of its own. FOLDER becomes /etc. COMMAND starts the interpreter, which runs
``client.py`` beside this file. On standard input is a JSON object; the result is what the client wrote.

    nscd      {"users": {name: [uid, gid, gecos, home, shell]}, "groups": {name: [gid, [member...]]}}
    userdb    {"services": [name...], "users": [record...], "groups": [record...], "memberships": [[user, group]...],
              "damage": seed of how to damage replies, "silent": bool}
    calls     a list for client.py
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def listen(path: str, serve: Callable[[socket.socket], None]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), connection:
                serve(connection)

    threading.Thread(target=accept, daemon=True).start()


def nscd(data: dict[str, Any]) -> Callable[[socket.socket], None]:
    users, groups = data["users"], data["groups"]

    def pack(*numbers: int) -> bytes:
        return struct.pack(f"{len(numbers)}i", *numbers)

    def serve(connection: socket.socket) -> None:
        query = connection.recv(4096)
        version, kind, _ = struct.unpack_from("3i", query)
        if version != 2:
            return
        key = query[12:].rstrip(b"\0").decode()
        if kind in (0, 1):
            for name, (uid, gid, *texts) in users.items():
                if key == (name if kind == 0 else str(uid)):
                    fields = [text.encode() + b"\0" for text in (name, "x", *texts)]
                    lengths = [len(field) for field in fields]
                    connection.sendall(pack(2, 1, *lengths[:2], uid, gid, *lengths[2:]) + b"".join(fields))
                    return
            connection.sendall(pack(2, 0, *[0] * 7))
        elif kind in (2, 3):
            for name, (gid, members) in groups.items():
                if key == (name if kind == 2 else str(gid)):
                    names = [member.encode() + b"\0" for member in members]
                    head = pack(2, 1, len(name) + 1, 2, gid, len(names), *map(len, names))
                    connection.sendall(head + name.encode() + b"\0x\0" + b"".join(names))
                    return
            connection.sendall(pack(2, 0, *[0] * 4))
        else:
            found = [gid for gid, members in groups.values() if key in members]
            connection.sendall(pack(2, int(key in users), len(found), *found))

    return serve


def userdb(service: str, data: dict[str, Any]) -> Callable[[socket.socket], None]:
    random_ = random.Random(data["damage"]) if "damage" in data else None

    def answers(method: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        assert parameters.pop("service") == service
        if method == "GetMemberships":
            fields = ("userName", "groupName")
            for membership in data.get("memberships", []):
                named = dict(zip(fields, membership, strict=True))
                if parameters.items() <= named.items():
                    yield named
        else:
            for record in data.get("users" if method == "GetUserRecord" else "groups", []):
                binding: dict[str, Any] = next(iter(record.get("binding", {}).values()), {})
                if parameters.items() <= (record.get("match", record) | binding).items():
                    yield {"record": record, "incomplete": False}
                    return

    def damaged(reply: bytes) -> bytes:
        if random_ is None:
            return reply
        reply = reply.rstrip(b"\0")
        for _ in range(random_.choice((0, 1, 1, 2, 5))):
            at, n = random_.randrange(len(reply) + 1), random_.choice((1, 1, 2, 8))
            new = random_.choice(
                (b"", b'"', b"\\", b"\\u", b"\\ud83d", b"{", b"}", b"[", b"]", b"\0", b"9" * 30, b"\xff")
            )
            reply = reply[:at] + new + reply[at + random_.choice((0, n)) :]
        return reply + b"\0"

    def serve(connection: socket.socket) -> None:
        buffer = b""
        while True:
            while b"\0" not in buffer:
                if not (part := connection.recv(4096)):
                    return
                buffer += part
            query, _, buffer = buffer.partition(b"\0")
            request = json.loads(query.decode(errors="replace"))
            found = list(answers(request["method"].rpartition(".")[2], request["parameters"]))
            if data.get("silent"):
                connection.recv(1)
                return
            replies: list[Any] = [{"parameters": p, "continues": True} for p in found]
            if replies:
                del replies[-1]["continues"]
            else:
                replies = [{"error": "io.systemd.UserDatabase.NoRecordFound", "parameters": {}}]
            for reply in replies:
                connection.sendall(damaged(json.dumps(reply, ensure_ascii=data.get("ascii", True)).encode() + b"\0"))

    return serve


def main() -> None:
    etc, command = sys.argv[1], sys.argv[2:]
    scenario = json.load(sys.stdin)
    subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "run", "/run"], check=True)
    if not Path("/var/run").is_symlink():
        subprocess.run(["mount", "--bind", "/run", "/var/run"], check=True)
    if "nscd" in scenario:
        listen("/run/nscd/socket", nscd(scenario["nscd"]))
    for service in scenario.get("userdb", {}).get("services", []):
        listen(f"/run/systemd/userdb/{service}", userdb(service, scenario["userdb"]))
    client = [*command, str(Path(__file__).with_name("client.py"))]
    done = subprocess.run(client, input=json.dumps(scenario["calls"]), text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"status {done.returncode}: {done.stderr}")
    os.write(1, done.stdout.encode())


if __name__ == "__main__":
    main()
