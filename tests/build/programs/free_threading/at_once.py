"""Two threads answer each other; neither waits in a call, and nothing asks them to let the other one run."""

import sys
import threading
import time

ROUNDS = 200
sys.setswitchinterval(10_000)
turn = [0]
late: "list[int]" = []


def play(me: int) -> None:
    end = time.monotonic() + 60
    for n in range(ROUNDS):
        while turn[0] != 2 * n + me:
            if time.monotonic() > end:
                late.append(n)
                turn[0] = -1
                return
        turn[0] += 1


players = [threading.Thread(target=play, args=(me,)) for me in range(2)]
for player in players:
    player.start()
for player in players:
    player.join()
assert not late, f"one thread runs at a time: round {late[0]}"
print("well")
