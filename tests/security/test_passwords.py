"""The password checker: right answers, paid once, never remembered in clear."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.security import passwords
from adapter.security.passwords import CheckerBusy, PasswordChecker, hash_password, is_hash

OLD = hash_password("old-Secret")
NEW = hash_password("新密码-Secret")


class Counted:
    """Stands between the checker and argon2 to count checks, and to hold them if asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.now = 0
        self.most = 0
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()
        self._lock = threading.Lock()
        self._real = passwords._fits
        monkeypatch.setattr(passwords, "_fits", self)

    def __call__(self, password_hash: str, octets: bytes) -> bool:
        with self._lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        self.entered.set()
        assert self.go.wait(30)
        try:
            return self._real(password_hash, octets)
        finally:
            with self._lock:
                self.now -= 1


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def test_right_and_wrong() -> None:
    checker = PasswordChecker()
    assert checker.verify("his", [OLD], "old-Secret")
    assert not checker.verify("his", [OLD], "old-secret")
    assert not checker.verify("his", [OLD], "")
    assert not checker.verify("his", ["not a hash"], "old-Secret")


def test_both_passwords_work_during_rotation_and_the_old_one_stops_with_its_hash() -> None:
    checker = PasswordChecker()
    assert checker.verify("his", [OLD, NEW], "old-Secret")
    assert checker.verify("his", [OLD, NEW], "新密码-Secret")
    assert checker.verify("his", [NEW], "新密码-Secret")
    assert not checker.verify("his", [NEW], "old-Secret")


def test_a_password_is_paid_for_once(counted: Counted) -> None:
    checker = PasswordChecker()
    assert all(checker.verify("his", [OLD], "old-Secret") for _ in range(1_000))
    assert counted.calls == 1


def test_a_wrong_password_is_paid_for_once_too(counted: Counted) -> None:
    checker = PasswordChecker()
    assert not any(checker.verify("his", [OLD], "wrong") for _ in range(100))
    assert not any(checker.verify("nobody", [], "wrong") for _ in range(100))
    assert counted.calls == 2


def test_an_unknown_account_costs_one_check_like_a_known_one(counted: Counted) -> None:
    checker = PasswordChecker()
    assert not checker.verify("his", [OLD], "guess")
    assert counted.calls == 1
    assert not checker.verify("nobody", [], "guess")
    assert counted.calls == 2


def test_failures_cannot_push_out_what_passed(counted: Counted) -> None:
    checker = PasswordChecker(remembered=2)
    assert checker.verify("his", [OLD], "old-Secret")
    for n in range(4):
        assert not checker.verify("his", [OLD], f"guess {n}")
    before = counted.calls
    assert checker.verify("his", [OLD], "old-Secret")
    assert counted.calls == before
    assert len(checker._failed) == 2


def test_many_threads_with_one_new_password_check_it_once(counted: Counted) -> None:
    checker = PasswordChecker(concurrent=1, patience_s=30)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: checker.verify("his", [OLD], "old-Secret"), range(64)))
    assert all(answers)
    assert counted.calls == 1


def test_an_attack_runs_in_few_places_only(counted: Counted) -> None:
    checker = PasswordChecker(concurrent=2, patience_s=30)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: checker.verify("his", [OLD], f"guess {n}"), range(24)))
    assert not any(answers)
    assert counted.most <= 2


def test_who_finds_no_place_is_told_so_while_known_passwords_pass(counted: Counted) -> None:
    checker = PasswordChecker(concurrent=1, patience_s=0.01)
    assert checker.verify("his", [OLD], "old-Secret")
    counted.entered.clear()
    counted.go.clear()
    with ThreadPoolExecutor(1) as pool:
        attack = pool.submit(checker.verify, "his", [OLD], "guess")
        assert counted.entered.wait(30)
        with pytest.raises(CheckerBusy):
            checker.verify("lis", [NEW], "新密码-Secret")
        assert checker.verify("his", [OLD], "old-Secret")
        counted.go.set()
        assert not attack.result(30)
    assert checker.verify("lis", [NEW], "新密码-Secret")


def test_the_checker_keeps_no_password() -> None:
    checker = PasswordChecker()
    password = "a-password-" + "to-look-for"
    assert checker.verify("his", [hash_password(password)], password)
    assert not checker.verify("his", [OLD], password)
    del password
    gc.collect()
    held = repr(vars(checker))
    assert "to-look-for" not in held


def test_hashes_are_salted_and_recognised() -> None:
    assert hash_password("same") != hash_password("same")
    assert is_hash(OLD)
    for text in ("", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=1$x$y", "$argon2"):
        assert not is_hash(text)
    assert len(passwords.new_password()) == 20


def test_odd_characters_do_not_break_the_checker() -> None:
    checker = PasswordChecker()
    assert not checker.verify("\ud800", [], "\ud800\0")
