"""From a checked tree to frozen values.

An attribute `poll-min` fills the field `poll_min`, or `poll_min_s` where the value is a
duration. What is left out keeps the default of its dataclass.
"""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast, get_type_hints

from lxml import etree
from sqlalchemy.engine import make_url

from adapter.config import model
from adapter.config.document import NAMESPACE
from adapter.config.provider import ProviderReader
from adapter.config.scalars import collapsed, flag, octets, seconds
from adapter.domain.client import Certificate, Client, ContentCipher, ContentKey, WayIn
from adapter.domain.hours import Span
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door, DoubtRule, Lane
from adapter.security.data_keys import master_of

_T = TypeVar("_T")
_WORDS: dict[str, Callable[[str], Any]] = {
    "lanes": Lane,
    "doors": Door,
    "needs": ProofKind,
    "businesses": str,
    "hours": Span.read,
    "networks": str,
    "proxies": str,
    "encodings": str,
    "channels": str,
    "success_is": str,
    "events": str,
    "delivered": str,
    "pending": str,
}
_SIZES = frozenset({"max_body", "max_answer", "max_frame"})
_SECRETS = frozenset({"password", "secret", "key", "cmpp_secret", "cmpp_secret_old"})

_STATEMENTS = ("fetch", "claim", "recover", "remove", "result", "receipt", "inbound")


def build(root: etree._Element, path: Path) -> model.Config:
    """The configuration of a tree without faults; relative paths start at `path`'s folder."""
    folder = path.resolve().parent
    return model.Config(
        path=path.resolve(),
        node=_section(root, "node", model.Node),
        store=_store(root, folder),
        web=_with_tls_paths(_section(root, "web", model.Web), folder),
        socket=_door(root, "socket", model.Socket, folder),
        cmpp_server=_door(root, "cmpp-server", model.CmppServer, folder),
        channels=tuple(_channel(e, folder) for e in _all(root, "channels", "channel")),
        routes=tuple(_read(e, model.Route) for e in _all(root, "routes", "route")),
        ported=tuple(_read(e, model.Ported) for e in _all(root, "routes", "ported")),
        clients=tuple(_client(e) for e in _all(root, "clients", "client")),
        callbacks=tuple(
            callback_of(each, _said(client, "account"), folder)
            for client in _all(root, "clients", "client")
            for each in _children(client, "callback")
        ),
        sources=tuple(
            source
            for e in _all(root, "sources", "source")
            for source in _tables(e, _source(e, folder))
        ),
        templates=tuple(
            _read(e, model.Template, text=(e.text or "").strip())
            for e in _all(root, "templates", "template")
        ),
        policies=_policies(root),
        jobs=_jobs(root, folder),
        security=_security(root, folder),
        logging=_with_path(_section(root, "logging", model.Logging), "file", folder),
    )


def database_url(url: str, password: str, folder: Path) -> str:
    """A database URL with its password, and an SQLite file found from `folder`.

    Raises sqlalchemy.exc.ArgumentError for one that cannot be read.
    """
    parsed = make_url(url)
    if password:
        parsed = parsed.set(password=password)
    file = parsed.database
    if parsed.get_backend_name() == "sqlite" and file and file != ":memory:":
        parsed = parsed.set(database=_resolved(folder, file))
    return parsed.render_as_string(hide_password=False)


def _resolved(folder: Path, file: str) -> str:
    # Not Path.resolve(): a link such as /var/lib/his-sms -> /data stays as it was written.
    return Path(os.path.normpath(folder / file)).as_posix()


def _with_path(values: _T, name: str, folder: Path) -> _T:
    file = getattr(values, name)
    if not file:
        return values
    return cast(_T, dataclasses.replace(cast(Any, values), **{name: _resolved(folder, file)}))


def _store(root: etree._Element, folder: Path) -> model.Store:
    element = _only(root, "store")
    if element is None:
        return model.Store(url=database_url(model.Store().url, "", folder))
    url = collapsed(element.get("url", model.Store().url))
    password = element.get("password", "")
    standby = _said(element, "standby")
    return _read(
        element,
        model.Store,
        url=database_url(url, password, folder),
        standby=standby and database_url(standby, password, folder),
    )


def _channel(element: etree._Element, folder: Path) -> model.Channel:
    provider = element.find(f"{{{NAMESPACE}}}provider")
    if provider is not None:
        return _provided(element, provider, folder)
    connection = element.find(f"{{{NAMESPACE}}}connection")
    assert connection is not None
    listener = _child(element, "listener", model.Listener)
    channel = _read(
        element,
        model.Channel,
        **_given(connection, model.Channel),
        smgp=_child(element, "smgp", model.Smgp),
        sgip=_child(element, "sgip", model.Sgip),
        smpp=_child(element, "smpp", model.Smpp),
        quirks=_child(element, "quirks", model.Quirks) or model.Quirks(),
        listener=listener and _with_tls_paths(listener, folder),
    )
    return _with_tls_paths(channel, folder)


def _provided(element: etree._Element, provider: etree._Element, folder: Path) -> model.Channel:
    """A channel over web services: its addresses and its account stand in `provider`."""
    settings = provider_reader(folder).settings(provider, f"{_said(element, 'name')}-1")
    nowhere = {"version": "", "host": "", "port": 0, "account": "", "password": ""}
    given = {**_given(provider, model.Channel), **nowhere}
    return _read(element, model.Channel, **given, provider=settings)


def provider_reader(folder: Path) -> ProviderReader:
    """Reads `<provider>`; relative paths start at `folder`."""
    return ProviderReader(_given, folder)


def _with_tls_paths(values: _T, folder: Path) -> _T:
    for name in ("tls_ca", "tls_certificate", "tls_key"):
        values = _with_path(values, name, folder)
    return values


def _door(root: etree._Element, name: str, cls: type[_T], folder: Path) -> _T | None:
    element = _only(root, name)
    return None if element is None else _with_tls_paths(_read(element, cls), folder)


def _child(parent: etree._Element, name: str, cls: type[_T]) -> _T | None:
    element = parent.find(f"{{{NAMESPACE}}}{name}")
    return None if element is None else _read(element, cls)


def _client(element: etree._Element) -> Client:
    return _read(
        element,
        Client,
        password_hashes=tuple(_said(e, "hash") for e in _children(element, "password")),
        digest_secrets=tuple(e.get("secret", "") for e in _children(element, "digest-secret")),
        hmac_keys=MappingProxyType(
            {_said(e, "id"): e.get("secret", "").encode() for e in _children(element, "hmac-key")}
        ),
        content_keys=MappingProxyType(
            {_said(e, "id"): _content_key(e) for e in _children(element, "content-key")}
        ),
        certificates=tuple(_read(e, Certificate) for e in _children(element, "certificate")),
        entries=tuple(_read(e, WayIn) for e in _children(element, "entry")),
        doubt=MappingProxyType(
            {
                Lane(_said(e, "lane")): DoubtRule(_said(e, "rule"))
                for e in _children(element, "doubt")
            }
        ),
    )


def callback_of(element: etree._Element, account: str, folder: Path) -> model.Callback:
    """A callback of a client. Its events are those that it has calls for, where it has any."""
    callback = _read(
        element,
        model.Callback,
        account=account,
        headers=tuple((_said(e, "name"), e.get("value", "")) for e in _children(element, "header")),
        receipt=_callback_call(element, "receipt", folder),
        inbound=_callback_call(element, "inbound", folder),
    )
    if callback.mapped:
        both = {"receipts": callback.receipt, "inbound": callback.inbound}
        events = tuple(name for name, call in both.items() if call is not None)
        callback = dataclasses.replace(callback, events=events)
    for name in ("ca", "certificate", "certificate_key", "wsdl"):
        callback = _with_path(callback, name, folder)
    return callback


def _callback_call(parent: etree._Element, name: str, folder: Path) -> model.CallbackCall | None:
    element = _only(parent, name)
    if element is None:
        return None
    reader, answer = provider_reader(folder), _only(element, "answer")
    return model.CallbackCall(
        reader.call(element), None if answer is None else reader.result(answer)
    )


def _content_key(element: etree._Element) -> ContentKey:
    return ContentKey(
        ContentCipher(_said(element, "cipher")), base64.b64decode(_said(element, "key"))
    )


def _source(element: etree._Element, folder: Path) -> model.Source:
    return _read(
        element,
        model.Source,
        url=database_url(_said(element, "url"), element.get("password", ""), folder),
        results_url=next(
            (
                database_url(_said(e, "url"), e.get("password", ""), folder)
                for e in _children(element, "results")
            ),
            "",
        ),
        columns=_by_name(element, "column", "is"),
        constants=_by_name(element, "column", "value"),
        defaults=_by_name(element, "column", "default"),
        parameters=_by_name(element, "parameter", "is"),
        statuses=MappingProxyType(
            {
                str(name): collapsed(str(value))
                for e in _children(element, "status")
                for name, value in e.items()
            }
        ),
        sql=MappingProxyType(
            {name: (e.text or "").strip() for name in _STATEMENTS for e in _children(element, name)}
        ),
    )


def _tables(element: etree._Element, source: model.Source) -> Iterator[model.Source]:
    """A source for each of its tables, where it has several."""
    tables = list(_children(element, "table"))
    if not tables:
        yield source
    for table in tables:
        name = f"{source.name}.{_said(table, 'as')}"
        yield dataclasses.replace(source, name=name, table=_said(table, "name"))


def _by_name(element: etree._Element, kind: str, attribute: str) -> Mapping[str, str]:
    """This attribute of each child of a kind that has it, by the child's name."""
    return MappingProxyType(
        {
            _said(child, "name"): _said(child, attribute)
            for child in _children(element, kind)
            if child.get(attribute) is not None
        }
    )


def _policies(root: etree._Element) -> model.Policies:
    lanes = dict(model.Policies().lanes)
    for element in _all(root, "policies", "lane"):
        lane = Lane(_said(element, "name"))
        lanes[lane] = dataclasses.replace(lanes[lane], **_given(element, model.LanePolicy))
    policies = _only(root, "policies")
    given = {} if policies is None else _given(policies, model.Policies)
    return model.Policies(lanes=MappingProxyType(lanes), **given)


def _jobs(root: etree._Element, folder: Path) -> model.Jobs:
    element = _only(root, "jobs")
    if element is None:
        return model.Jobs()
    planned = _child(element, "backup", model.Backup)
    return _read(element, model.Jobs, backup=planned and _with_path(planned, "to", folder))


def _security(root: etree._Element, folder: Path) -> model.Security:
    keys = tuple(master_of(_said(e, "key")) for e in _all(root, "security", "store-key"))
    element = _only(root, "security")
    if element is None:
        return model.Security()
    return _with_path(_read(element, model.Security, store_keys=keys), "key_file", folder)


def _section(root: etree._Element, name: str, cls: type[_T]) -> _T:
    element = _only(root, name)
    return cls() if element is None else _read(element, cls)


def _read(element: etree._Element, cls: type[_T], **more: Any) -> _T:
    return cls(**{**_given(element, cls), **more})


def _given(element: etree._Element, cls: type[Any]) -> dict[str, Any]:
    """The fields of `cls` that have an attribute in this element."""
    return {
        field: read(value)
        for attribute, field, read in readers(cls)
        if (value := element.get(attribute)) is not None
    }


def readers(cls: type[Any]) -> tuple[tuple[str, str, Callable[[str], Any]], ...]:
    """For each field of a dataclass: its attribute, its name, and how to read it."""
    hints = get_type_hints(cls)
    return tuple(_reader(f.name, hints[f.name]) for f in dataclasses.fields(cls))


def _reader(name: str, hint: Any) -> tuple[str, str, Callable[[str], Any]]:
    attribute = name.replace("_", "-")
    if name in _WORDS:
        word = _WORDS[name]
        return attribute, name, lambda text: tuple(word(w) for w in text.split())
    if name in _SIZES:
        return attribute, name, lambda text: octets(collapsed(text))
    if name.endswith("_s"):
        return attribute[:-2], name, lambda text: hint(seconds(collapsed(text)))
    if name in _SECRETS:
        return attribute, name, str
    if hint is bool:
        return attribute, name, lambda text: flag(collapsed(text))
    return attribute, name, lambda text: hint(collapsed(text))


def _said(element: etree._Element, attribute: str) -> str:
    return collapsed(element.get(attribute, ""))


def _children(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    return parent.iterchildren(f"{{{NAMESPACE}}}{name}")


def _all(root: etree._Element, section: str, name: str) -> Iterator[etree._Element]:
    for parent in _children(root, section):
        yield from _children(parent, name)


def _only(root: etree._Element, name: str) -> etree._Element | None:
    return root.find(f"{{{NAMESPACE}}}{name}")
