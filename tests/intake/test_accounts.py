"""Who may enter, and what a stranger learns (R-2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.states import Door
from adapter.intake.accounts import Accounts
from adapter.security.passwords import CheckerBusy, PasswordChecker, hash_password
from adapter.security.tries import WrongTries

HASH = hash_password("right")
CHECKER = PasswordChecker()


def accounts(**settings: Any) -> Accounts:
    client = Client("his", password_hashes=(HASH,), **settings)
    return Accounts([client, Client("tables-only")], CHECKER)


def refusal(
    entrance: Accounts,
    account: str = "his",
    password: str = "right",
    address: str = "10.1.2.3",
    door: str = "soap",
) -> Refusal:
    with pytest.raises(Refusal) as caught:
        entrance.authenticate(account, password, address, door)
    return caught.value


def test_the_right_password_opens() -> None:
    assert accounts().authenticate("his", "right", "10.1.2.3", "soap").account == "his"


def test_both_passwords_open_during_a_rotation() -> None:
    entrance = Accounts([Client("his", password_hashes=(HASH, hash_password("new")))], CHECKER)
    for password in ("right", "new"):
        assert entrance.authenticate("his", password, "10.1.2.3", "soap").account == "his"


def test_every_wrong_part_gives_the_same_answer() -> None:
    answers = {
        (refused.code, refused.description, refused.field)
        for refused in (
            refusal(accounts(), password="wrong"),
            refusal(accounts(), password=""),
            refusal(accounts(), account="nobody"),
            refusal(accounts(), account=""),
            refusal(accounts(), account="tables-only", password=""),
            refusal(accounts(enabled=False)),
            refusal(accounts(doors=(Door.HTTP,))),
            refusal(accounts(), password="x" * 10_000),
            refusal(accounts(), account="\ud800", password="\x00"),
        )
    }
    assert len(answers) == 1
    assert answers.pop()[0] is Code.AUTH_FAILED


def test_the_address_is_judged_only_when_the_password_was_right() -> None:
    entrance = accounts(networks=("192.168.0.0/16",))
    assert refusal(entrance, password="wrong").code is Code.AUTH_FAILED
    assert refusal(entrance).code is Code.IP_DENIED


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "10.1.255.255", "::ffff:10.1.2.3", "192.168.7.7", "2001:db8::5", "fe80::1%eth0"],
)
def test_addresses_inside(address: str) -> None:
    entrance = accounts(
        networks=("10.1.2.3/16", "192.168.7.7", "2001:db8::/32", "::ffff:172.16.0.0/108", "fe80::1")
    )
    assert entrance.authenticate("his", "right", address, "soap").account == "his"


@pytest.mark.parametrize(
    "address",
    ["10.2.0.0", "192.168.7.8", "2001:db9::5", "::ffff:10.2.0.0", "", "localhost", "unix:"],
)
def test_addresses_outside_or_unreadable(address: str) -> None:
    entrance = accounts(networks=("10.1.0.0/16", "192.168.7.7", "2001:db8::/32"))
    assert refusal(entrance, address=address).code is Code.IP_DENIED


def test_a_mapped_network_means_its_ipv4_addresses() -> None:
    entrance = accounts(networks=("::ffff:172.16.0.0/108",))
    assert entrance.authenticate("his", "right", "172.31.255.255", "soap").account == "his"
    assert refusal(entrance, address="172.32.0.0").code is Code.IP_DENIED


def test_doors() -> None:
    entrance = accounts(doors=(Door.HTTP, Door.SOAP))
    assert entrance.authenticate("his", "right", "10.1.2.3", "soap").account == "his"
    assert refusal(entrance, door="socket").code is Code.AUTH_FAILED


def test_a_network_that_cannot_be_read_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ValueError, match=r"10\.1\.0\.0/33"):
        accounts(networks=("10.1.0.0/33",))


def test_find() -> None:
    found = accounts(enabled=False).find("his")
    assert found is not None
    assert not found.enabled
    assert accounts().find("nobody") is None


class BusyChecker(PasswordChecker):
    """All places are taken."""

    def verify(self, account: str, hashes: Sequence[str], password: str) -> bool:
        raise CheckerBusy(account)


def test_while_too_many_passwords_are_checked_a_caller_is_told_to_come_back() -> None:
    entrance = Accounts([Client("his", password_hashes=(HASH,))], BusyChecker())
    assert refusal(entrance).code is Code.RATE_LIMITED


class Seen:
    """What a watch was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def wrong_try(self, door: str, client: str) -> None:
        self.told.append(("wrong", door, client))

    def locked_out(self, door: str, client: str) -> None:
        self.told.append(("locked", door, client))


def test_who_guesses_is_locked_out_even_with_the_right_password() -> None:
    now = [1_000.0]
    seen = Seen()
    tries = WrongTries(most=5, lock_s=900, clock=lambda: now[0])
    entrance = Accounts([Client("his", (HASH,))], CHECKER, tries=tries, watch=seen)
    for at in range(5):
        now[0] += 10
        assert refusal(entrance, password=f"guess {at}").code is Code.AUTH_FAILED
    refused = refusal(entrance)
    assert (refused.code, refused.retry_after_s) == (Code.RATE_LIMITED, 900)
    assert entrance.authenticate("his", "right", "10.9.9.9", "soap").account == "his"
    assert seen.told == [("wrong", "soap", "his")] * 5 + [("locked", "soap", "his")]
    now[0] += 900
    assert entrance.authenticate("his", "right", "10.1.2.3", "soap").account == "his"


def test_an_unknown_account_is_locked_like_a_known_one() -> None:
    seen = Seen()
    entrance = Accounts([Client("his", (HASH,))], CHECKER, watch=seen)
    answers = [refusal(entrance, account="nobody").code for _ in range(6)]
    assert answers == [Code.AUTH_FAILED] * 4 + [Code.RATE_LIMITED] * 2
    assert set(seen.told) == {("wrong", "soap", "")}


def test_the_log_tells_what_was_wrong_and_no_secret() -> None:
    with capture_logs() as logs:
        refusal(accounts(doors=(Door.HTTP,)), password="my-secret")
    (line,) = logs
    assert line["wrong"] == "password door"
    assert "my-secret" not in repr(logs)
