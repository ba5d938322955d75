"""The access number and its spare, and the operator's switch between them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from adapter.config.model import Channel, Quirks
from adapter.dispatch.numbers import Numbers
from adapter.dispatch.switches import Switches
from adapter.domain.states import AccessNumber
from adapter.store.channel_settings import Settings

OWN, SPARE = "106900001234", "106955557"


def numbers(spare: str = SPARE) -> Numbers:
    return Numbers(Channel("a", "cmpp", "3.0", "", 0, "", "", OWN, spare_number=spare))


def test_one_is_in_use_and_both_are_known() -> None:
    both = numbers()
    assert both.in_use == OWN
    assert both.use(AccessNumber.SPARE)
    assert not both.use(AccessNumber.SPARE)
    assert both.in_use == SPARE
    assert both.written_to(OWN + "01") == OWN
    assert both.written_to("86" + SPARE + "0177") == SPARE
    assert both.written_to("12520") == SPARE, "some carriers deliver under a number of their own"


def test_without_a_spare_nothing_is_switched() -> None:
    alone = numbers("")
    assert not alone.use(AccessNumber.SPARE)
    assert alone.in_use == OWN


def test_what_is_set_reaches_the_channels_and_a_store_that_is_away_changes_nothing() -> None:
    settings: Settings = {"a": {"access_number": "spare"}, "gone": {"access_number": "spare"}}
    away = False

    def read() -> Settings:
        if away:
            raise OSError
        return settings

    async def test() -> None:
        nonlocal settings, away
        channel = SimpleNamespace(numbers=numbers())
        switches = Switches(read, {"a": channel})
        await switches.look()
        assert channel.numbers.in_use == SPARE
        away = True
        await switches.look()
        assert channel.numbers.in_use == SPARE
        away, settings = False, {}
        await switches.look()
        assert channel.numbers.in_use == OWN

    asyncio.run(test())


def test_a_gateway_that_refuses_extensions_gets_the_number_alone() -> None:
    assert numbers().sender("0177") == OWN + "0177"
    strict = Channel(
        "a", "cmpp", "3.0", "", 0, "", "", OWN, spare_number=SPARE, quirks=Quirks(extension=False)
    )
    assert Numbers(strict).sender("0177") == OWN
