"""Wrong tries cost time, then the door (issue: brute force)."""

from __future__ import annotations

from adapter.security.tries import FREE, WIDE, WrongTries

HERE, THERE = "10.1.0.1", "10.1.0.2"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_wrong_tries_cost_nothing_then_each_doubles_the_wait() -> None:
    clock = Clock()
    tries = WrongTries(clock=clock)
    waits = []
    for _ in range(9):
        tries.wrong("his", HERE)
        waits.append(tries.wait_s("his", HERE))
        clock.now += waits[-1]
    assert waits == [0] * FREE + [1, 2, 4, 8, 16, 32]


def test_a_locked_account_is_unlocked_by_time() -> None:
    clock = Clock()
    tries = WrongTries(most=4, lock_s=60, clock=clock)
    assert [tries.wrong("his", HERE) for _ in range(4)] == [False] * 3 + [True]
    assert tries.wait_s("his", HERE) == 60
    clock.now += 59.5
    assert tries.wait_s("his", HERE) == 1
    clock.now += 0.5
    assert tries.wait_s("his", HERE) == 0
    assert tries.wrong("his", HERE), "one more locks it again"
    clock.now += 121
    assert not tries.wrong("his", HERE), "after a lock's time in peace all is forgotten"


def test_nobody_locks_out_another_address_or_account() -> None:
    tries = WrongTries(most=4)
    for _ in range(4):
        tries.wrong("his", HERE)
    assert tries.wait_s("his", THERE) == 0
    assert tries.wait_s("lis", HERE) == 0


def test_the_right_proof_forgets() -> None:
    tries = WrongTries(most=4)
    for _ in range(3):
        tries.wrong("his", HERE)
    tries.right("his", HERE)
    assert not tries.wrong("his", HERE)


def test_one_password_tried_on_many_accounts_locks_the_address() -> None:
    tries = WrongTries(most=4)
    tries.right("his", HERE)
    locked = [tries.wrong(f"guess{at}", HERE) for at in range(WIDE * 4)]
    assert locked == [False] * (WIDE * 4 - 1) + [True]
    assert tries.wait_s("lis", HERE) > 0
    assert tries.wait_s("lis", THERE) == 0
    assert tries.wait_s("his", HERE) == 0, "who was let in from there is not asked for it"


def test_memory_is_bounded() -> None:
    tries = WrongTries(most=4, remembered=10)
    for _ in range(4):
        tries.wrong("his", HERE)
    for at in range(10):
        tries.wrong(f"guess{at}", f"10.2.0.{at}")
    assert tries.wait_s("his", HERE) == 0, "the quietest is forgotten"
