"""Binds the channels of the configuration to the connectors."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace

from adapter.config.model import Channel, Listener, Smpp
from connectors.ids import IdBook, IdForm
from connectors.link import Link
from connectors.listener import DuplexLink, ListenerSettings
from connectors.pace import Pacing
from connectors.quirks import Quirks
from connectors.settings import LinkSettings
from connectors.sgip.settings import SgipSettings
from connectors.smgp.settings import BOTH, RECEIVE, SEND, SmgpSettings
from connectors.smpp.settings import Alphabet, Bind, LongTexts, SmppOptions
from connectors.tls import client_context, server_context
from connectors.trace import Trace
from connectors.values import Handler, Submit
from connectors.web.link import WebLink


def open_links(
    channel: Channel, handler: Handler, pace: Pacing, trace: Trace | None = None
) -> Sequence[Link | WebLink]:
    """The links of a channel, not yet started; the first one has the channel's listener. All
    share the one `pace`, and write to the one `trace`."""
    if channel.provider is not None:
        return [WebLink(channel.provider, handler, _reference, pace=pace, trace=trace)]
    links: list[Link] = []
    quirks = _quirks(channel)
    for number in range(1, channel.links + 1):
        settings = replace(_settings(channel, number, quirks), pace=pace, trace=trace)
        if channel.listener is not None and number == 1:
            listening = replace(_listening(channel, channel.listener), trace=trace)
            links.append(DuplexLink(settings, handler, listening))
        else:
            links.append(Link(settings, handler))
    return links


def _reference(submit: Submit) -> str:
    """The message's id: the same whenever the text is sent again, so that a provider can tell."""
    flight, number = submit.token
    made: int = flight.waiting.message.id
    return str(made) if submit.total == 1 else f"{made}-{number}"


def _quirks(channel: Channel) -> Quirks:
    """One for all links of a channel: a report may come on any of them."""
    own = channel.quirks
    # SMPP writes ids as texts and a receipt may have two of them, so its dialect reads them.
    by_dialect = channel.protocol == "smpp" or own.report_ids == "auto"
    return Quirks(
        report_ids=IdForm.SAME if by_dialect else IdForm(own.report_ids),
        bare_answers=own.bare_answers,
        tests=own.answers_heartbeats,
        from_zero=own.sequence_from_zero,
        no_reports=not own.reports,
        gbk_as_ucs2=own.gbk_as_ucs2,
    )


def _own(
    channel: Channel, number: int, quirks: Quirks
) -> SmgpSettings | SgipSettings | SmppOptions | None:
    """What the channel's protocol alone wants to know."""
    if channel.smgp is not None:
        mode = BOTH
        if channel.smgp.separate:
            mode = RECEIVE if number == 1 else SEND
        return SmgpSettings(mode, channel.smgp.msg_src, channel.smgp.product)
    if channel.sgip is not None:
        return SgipSettings(channel.sgip.corp, channel.sgip.node)
    if channel.protocol == "smpp":
        ids = IdForm(channel.quirks.report_ids)
        return _smpp(channel.smpp or Smpp(), number, ids, quirks.book)
    return None


def _smpp(smpp: Smpp, number: int, ids: IdForm, book: IdBook) -> SmppOptions:
    bind = Bind.TRANSCEIVER
    if smpp.separate:
        bind = Bind.RECEIVER if number == 1 else Bind.TRANSMITTER
    return SmppOptions(
        bind=bind,
        system_type=smpp.system_type,
        source_ton=smpp.source_ton,
        source_npi=smpp.source_npi,
        dest_ton=smpp.dest_ton,
        dest_npi=smpp.dest_npi,
        prefix=smpp.prefix,
        alphabet=Alphabet(smpp.alphabet),
        long_texts=LongTexts(smpp.long_texts),
        ids=ids,
        receipts_by_text=smpp.receipts_by_text,
        accepted_is_final=smpp.accepted_is_final,
        trailing_nul=smpp.trailing_nul,
        book=book,
    )


def _listening(channel: Channel, listener: Listener) -> ListenerSettings:
    return ListenerSettings(
        protocol=channel.protocol,
        host=listener.host,
        port=listener.port,
        account=listener.account,
        password=listener.password,
        name=f"{channel.name}-listener",
        peers=listener.networks,
        tls=_server_tls(listener),
    )


def _server_tls(listener: Listener) -> ssl.SSLContext | None:
    if not listener.tls_certificate:
        return None
    return server_context(listener.tls_certificate, listener.tls_key, listener.tls_ca)


def _client_tls(channel: Channel) -> ssl.SSLContext | None:
    if not channel.tls:
        return None
    return client_context(
        channel.tls_ca, channel.tls_certificate, channel.tls_key, verify=channel.tls_verify
    )


def _settings(channel: Channel, number: int, quirks: Quirks) -> LinkSettings:
    return LinkSettings(
        protocol=channel.protocol,
        version=channel.version,
        host=channel.host,
        port=channel.port,
        account=channel.account,
        password=channel.password,
        service_id=channel.service_id,
        name=f"{channel.name}-{number}",
        number=number,
        window=channel.window,
        heartbeat_s=channel.heartbeat_s,
        heartbeat_tries=channel.heartbeat_tries,
        response_timeout_s=channel.response_timeout_s,
        connect_timeout_s=channel.connect_timeout_s,
        reconnect_min_s=channel.reconnect_min_s,
        reconnect_max_s=channel.reconnect_max_s,
        quirks=quirks,
        tls=_client_tls(channel),
        tls_name=channel.tls_name,
        own=_own(channel, number, quirks),
    )
