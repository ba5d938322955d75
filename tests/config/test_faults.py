"""Every fault an administrator can make: found, in its place, told in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.config.faults import ConfigError
from adapter.config.load import check, load
from adapter.security.passwords import hash_password
from tests.config.conftest import HEAD, Write

HASH = hash_password("secret")
CONNECTION = '<connection host="10.0.0.1" port="7890" account="900001" password="p"/>'
ROUTED = (
    '<channels>{}</channels><routes><route carrier="mobile" channels="m1"/>'
    '<route carrier="unicom" channels="m1"/><route carrier="telecom" channels="m1"/>'
    '<route carrier="broadnet" channels="m1"/></routes>'
)


def channel(connection: str = CONNECTION, enabled: str = "true") -> str:
    return (
        '<channel name="m1" protocol="cmpp" version="3.0" access-number="10690000"'
        f' enabled="{enabled}">{connection}</channel>'
    )


def told(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    """`LINE: message` of each fault, for files beside the main one with their name."""
    return [
        ("" if f.file == path else f"{f.file.name}:")
        + f"{f.line}: {'warning: ' if f.warning else ''}{f.message}"
        for f in check(path, environ or {})
    ]


# Sections, and all that is told about them; the first line of the sections is line 2.
CASES = [
    # Schema: names.
    (
        "<nodes/>",
        "2: <adapter> has no element <nodes>; allowed: <node>, <store>, <web>, <socket>,"
        " <cmpp-server>, <channels>, <routes>, <clients>, <sources>, <templates>, <policies>,"
        " <jobs>, <security>, <logging>",
    ),
    ('<node nam="x"/>', "2: <node> has no attribute nam; allowed: name, id, timezone"),
    (
        '<node\n  id="1"\n  nam="x"/>',
        "4: <node> has no attribute nam; allowed: name, id, timezone",
    ),
    ("<door/>", "2: <adapter> has no element <door>*"),
    ("<node/><node/>", "2: <node> may stand in <adapter> only once"),
    ('<node xmlns=""/>', '2: <node> is not in the namespace: write xmlns="urn:his-sms:config:1"'),
    ("<node>text</node>", "2: <node> holds text, where only attributes and elements are allowed"),
    ("text", "1: <adapter> holds text, where only attributes and elements are allowed"),
    # Schema: values.
    ('<web port="70000"/>', '2: port="70000": must be a whole number from 1 to 65535'),
    ('<web port="http"/>', '2: port="http": must be a whole number from 1 to 65535'),
    (
        '<web public-url="http://h/soap"/>',
        '2: public-url="http://h/soap": must be http://HOST:PORT or https://HOST:PORT,'
        " without a path",
    ),
    (
        '<web max-body="20000000"/>',
        '2: max-body="20000000": must be a whole number with its unit, from 1kB to 99999kB,'
        " or 1MB to 999MB",
    ),
    (
        '<policies stop-wait="20"/>',
        '2: stop-wait="20": must be a whole number with its unit, such as 500ms, 30s, 5min,'
        " 24h or 7d",
    ),
    (
        '<jobs><backup to="b"/></jobs>',
        '2: <backup>: backups are encrypted: name a key in <security key-file="..."/>',
    ),
    (
        '<store url="postgresql://u@h/d" standby="sqlite:///a.db"/>',
        "2: standby is no postgresql:// address: only those have a standby",
    ),
    ('<logging format="xml"/>', '2: format="xml": must be one of json, text'),
    (
        '<clients><client account="a"><entry needs="hmac"/></client></clients>',
        "2: needs: the client has no <hmac-key>",
    ),
    (
        '<clients><client account="a">'
        '<digest-secret secret="s"/><entry needs="digest" doors="http"/></client></clients>',
        "2: needs: digest can be shown at soap, cmpp, not at http",
    ),
    (
        '<socket/><clients><client account="a"><certificate subject="CN=a"/>'
        '<entry needs="certificate" doors="socket"/></client></clients>',
        "2: needs: <socket> sees no certificates without tls-ca",
    ),
    (
        '<clients><client account="a"><certificate subject="CN=a"/>'
        '<entry needs="certificate" doors="soap"/></client></clients><web/>',
        "2: needs: <web> sees no certificates without tls-ca or proxies",
    ),
    (
        '<clients><client account="a"><hmac-key id="k" secret="too short"/></client></clients>',
        "2: secret: must be a secret of 16 to 1024 characters",
    ),
    (
        '<clients><client account="a"><content-key id="k" cipher="sm4-gcm" key="QUJD"/></client>'
        "</clients>",
        "2: key: sm4-gcm needs 16 octets, written in base64",
    ),
    (
        '<clients><client account="a" hours="8-9"/></clients>',
        '2: hours="8-9": must be parts of the day separated by spaces*',
    ),
    (
        '<clients><client account="a" doors="soap fax"/></clients>',
        '2: doors="soap fax": must be some of soap, http, socket, cmpp, dbpoll,'
        " separated by spaces",
    ),
    (
        '<clients><client account="a" enabled="1"/></clients>',
        '2: enabled="1": must be true or false',
    ),
    (
        '<clients><client account="a" extension="1a"/></clients>',
        '2: extension="1a": must be at most 12 digits',
    ),
    (
        '<clients><client account="a" signature="【医院】"/></clients>',
        '2: signature="【医院】": must be at most 20 characters without brackets',
    ),
    (
        '<channels><channel name="m 1" protocol="smsp" version="9" access-number="x">'
        '<connection host="h" port="0" account="a" password="p" links="0" window="5000"'
        ' rate="0"/></channel></channels>',
        '2: access-number="x": must be 1 to 20 digits',
        '2: links="0": must be a whole number from 1 to 64',
        '2: name="m 1": must be a name of 1 to 32 letters, digits, *',
        '2: port="0": must be a whole number from 1 to 65535',
        '2: protocol="smsp": must be one of cmpp, sgip, smgp, smpp, http, soap',
        '2: rate="0": must be a number from 0.1 to 20000',
        '2: version="9": must be a version such as 3.0',
        "2: warning: no route for mobile, unicom, telecom, broadnet*",
        '2: window="5000": must be a whole number from 1 to 1000',
    ),
    (
        ROUTED.format(channel().replace("cmpp", 'cmpp" encodings="ucs2 utf8')),
        '2: encodings="ucs2 utf8": must be one or several of ascii, gsm7, latin1, gb18030 and ucs2',
    ),
    (
        ROUTED.format(channel().replace("cmpp", 'cmpp" encodings="gsm7 ascii')),
        "2: encodings: cmpp has no gsm7; it has ascii, gb18030, ucs2",
        "2: encodings: not every text can be written so: add ucs2 or gb18030",
    ),
    # Schema: what is missing.
    (
        "<clients><client/></clients>",
        "2: <client> lacks account: What the client logs in with.",
    ),
    (
        f"<channels>{channel(connection='')}</channels>",
        "2: <channel> lacks <connection>: where the carrier's gateway is",
        "2: warning: no route*",
    ),
    (
        "<templates><template name='t'></template></templates>",
        "2: <template>: its text is empty",
        "2: <template>: its text must be a text of 1 to 2000 characters",
    ),
    # Meaning: names.
    (
        f"<channels>{channel()}\n{channel()}</channels>",
        "2: warning: no route*",
        "3: there are two <channel> with name 'm1'",
    ),
    (
        '<clients><client account="a"/>\n<client account="a"/></clients>',
        "3: there are two <client> with account 'a'",
    ),
    (
        '<sources>\n<source name="s" client="his" url="sqlite:///h.db"/></sources>'
        '<clients><client account="lis"/></clients>',
        "3: client: there is no client 'his'; clients: lis",
    ),
    (
        '<sources><source name="s" client="a" url="sqlite:///h.db"/>\n'
        '<source name="s" client="a" url="sqlite:///h.db"/></sources>'
        '<clients><client account="a"/></clients>',
        "3: there are two <source> with name 's'",
    ),
    (
        '<sources>\n<source name="s" client="a" url="sqlite:///h.db"/></sources>'
        '<clients><client account="a" doors="soap"/></clients>',
        "3: client: a may not use the door dbpoll; its doors: soap",
    ),
    (
        "<templates><template name='t'>x</template>\n<template name='t'>y</template></templates>",
        "3: there are two <template> with name 't'",
    ),
    (
        '<policies><lane name="bulk" tries="2"/>\n<lane name="bulk" tries="3"/></policies>',
        "3: there are two <lane> with name 'bulk'",
    ),
    # Meaning: routes.
    (
        f"<channels>{channel()}</channels>\n"
        '<routes><route carrier="mobile" channels="m1 m2"/>\n'
        '<route carrier="mobile" channels="m1 m1"/>\n'
        '<route carrier="unicom" channels="m1"/><route carrier="telecom" channels="m1"/>'
        '<route carrier="broadnet" channels="m1"/></routes>',
        "3: channels: there is no channel 'm2'; channels: m1",
        "4: carrier mobile is routed twice: name its channels in one <route>",
        "4: channels: 'm1' is named twice",
    ),
    (
        f"<channels>{channel(enabled='false')}</channels>\n"
        '<routes><route carrier="mobile" channels="m1"/></routes>',
        "3: warning: channels: none of them is enabled",
        "3: warning: no route for unicom, telecom, broadnet: texts to these are refused with"
        " NO_ROUTE",
    ),
    # Meaning: values.
    (
        '<node timezone="Mars/Olympus"/>',
        "2: timezone='Mars/Olympus' is unknown; write one like Asia/Shanghai",
    ),
    ('<node timezone="../etc/passwd"/>', "2: timezone='../etc/passwd' is unknown*"),
    (
        '<store url="oracle://h/x"/>',
        "2: url begins with oracle:, allowed: sqlite:, postgresql:",
    ),
    ('<store url="adapter.db"/>', "2: url is not a database address*"),
    ('<store url="sqlite://"/>', "2: url names no file: write sqlite:///FILE"),
    ('<store url="sqlite:///:memory:"/>', "2: url names no file: write sqlite:///FILE"),
    ('<store url="postgresql+asyncpg://h/x"/>', "2: url begins with postgresql+asyncpg:*"),
    ('<store url="postgresql://sms@db"/>', "2: url names no database*"),
    ('<store url="postgresql:///sms"/>', "2: url names no host*"),
    (
        '<store url="postgresql://sms:a@db/x" password="b"/>',
        "2: the password stands in url and in password: take one out",
    ),
    (
        '<channels>\n<channel name="m1" protocol="cmpp" version="3.0"'
        ' access-number="123456789012345">'
        '\n<connection host="h" port="1" account="1234567" password="p"/></channel></channels>'
        '<clients>\n<client account="a" extension="123456"/></clients>',
        "2: warning: no route*",
        "4: account='1234567': cmpp takes at most 6 characters",
        "5: extension: with the access-number of channel m1 it has 21 digits,"
        " at most 20 are allowed",
    ),
    (
        '<channels><channel name="t" protocol="smgp" version="1.2" access-number="1">\n'
        '<connection host="h" port="1" account="123456789" password="1234567890123456"/>\n'
        '<smgp separate="true"/>\n<sgip corp="1"/></channel></channels>',
        '2: version="1.2": smgp has 1.3, 2.0, 3.0',
        "2: warning: no route*",
        "3: account='123456789': smgp takes at most 8 characters",
        "3: password: smgp takes at most 15 characters",
        "4: separate: one connection to receive and one to send need links of 2 or more",
        "5: <sgip> is for sgip alone",
    ),
    (
        '<channels><channel name="u" protocol="sgip" version="1.2" access-number="1">\n'
        '<connection host="h" port="1" account="12345678901234567" password="p"/>'
        "</channel></channels>",
        "2: sgip needs <sgip corp=...>: the enterprise code",
        "2: warning: no <listener>: the gateway cannot deliver receipts and replies",
        "2: warning: no route*",
        "3: account='12345678901234567': sgip takes at most 16 characters",
    ),
    (
        "<channels>"
        + "".join(
            f'<channel name="u{port}" protocol="sgip" version="1.2" access-number="1">'
            '<connection host="h" port="1" account="a" password="p"/><sgip corp="123456"/>'
            f'\n<listener port="{port}" account="a" password="12345678901234567"'
            ' networks="10.0.0.0/33"/></channel>'
            for port in (8080, 8080)
        ).replace("u8080", "v", 1)
        + "</channels>",
        '2: corp="123456": must be 1 to 5 digits',
        "2: warning: no route*",
        '3: corp="123456": must be 1 to 5 digits',
        "3: networks: '10.0.0.0/33' is no address or network such as 10.1.0.0/16",
        "3: password: sgip takes at most 16 characters",
        "3: port 8080 is used twice: this node's own web door listens there",
        "4: networks: '10.0.0.0/33' is no address or network such as 10.1.0.0/16",
        "4: password: sgip takes at most 16 characters",
        "4: port 8080 is used twice: another listener has it",
        "4: port 8080 is used twice: this node's own web door listens there",
    ),
    (
        '<channels><channel name="w" protocol="smpp" version="3.0" access-number="1"'
        ' service-id="SIXSIX">\n'
        '<connection host="h" port="1" account="1234567890123456" password="p"/>\n'
        '<smpp separate="true" source-ton="7" alphabet="gbk" prefix="86a"/></channel></channels>',
        "2: service-id: smpp takes at most 5 characters (service_type)",
        '2: version="3.0": smpp has 3.4',
        "2: warning: no route*",
        "3: account='1234567890123456': smpp takes at most 15 characters",
        '4: alphabet="gbk": must be one of gsm, latin1, ascii',
        '4: prefix="86a": must be at most 4 digits',
        "4: separate: one connection to receive and one to send need links of 2 or more",
        '4: source-ton="7": must be a whole number from 0 to 6',
    ),
    (
        '<channels><channel name="m" protocol="cmpp" version="1.2" access-number="1">\n'
        '<connection host="h" port="1" account="a" password="p"/>\n'
        '<listener port="9" account="a" password="p"/></channel></channels>',
        '2: version="1.2": cmpp has 2.0, 3.0',
        "2: warning: no route*",
        "4: <listener> is for sgip alone",
    ),
    (
        '<web port="7890"/><channels>\n'
        + channel(connection=CONNECTION.replace("10.0.0.1", "localhost"))
        + "</channels>",
        "2: warning: no route*",
        "3: port 7890 is used twice: this node's own web door listens there",
    ),
    (
        '<clients><client account="a" networks="10.1.2.3/8 300.1.1.1 10.0.0.0/33 ::1"/></clients>',
        "2: networks: '10.0.0.0/33' is no address or network such as 10.1.0.0/16",
        "2: networks: '300.1.1.1' is no address or network such as 10.1.0.0/16",
        "2: networks: 10.1.2.3/8 names a host in a network; write 10.0.0.0/8",
    ),
    (
        '<clients><client account="a" lane="bulk" lanes="urgent"/></clients>',
        "2: lanes: the client's own lane bulk is not among them",
    ),
    (
        '<clients><client account="a"><doubt lane="bulk" rule="wait"/>'
        '<doubt lane="bulk" rule="resend"/></client></clients>',
        "2: there are two rules for the lane bulk",
    ),
    (
        '<clients><client account="a"><password hash="$2b$12$x"/></client></clients>',
        "2: hash is not an argon2 hash; make one with: sms-adapter hash",
    ),
    (
        '<clients><client account="a" extension="1"/><client account="b" extension="1"/></clients>',
        "2: warning: extension 1 is another client's too: replies cannot be told apart",
    ),
    (
        '<clients><client account="a"/></clients>'
        '<sources><source name="s" client="a" url="sqlite:///h.db">\n<column name="ID" is=""/>\n'
        '<column name="CONTENT" is="C"/><column name="CONTENT" is="D"/>\n'
        '<column name="LANE" is="C"/><column name="PHONE" is="X"/></source></sources>',
        "3: the column ID is needed: name it",
        "4: the column CONTENT is mapped twice",
        '5: name="PHONE": must be one of ID, MOBILE, CONTENT, *',
        "5: two columns are mapped to C",
    ),
    (
        '<clients><client account="a"/></clients><sources>\n'
        '<source name="s" client="a" url="mysql://h/d" encoding="klingon" strategy="watermark">\n'
        '<column name="LANE"/><column name="MOBILE" is="P" value="1"/>\n'
        '<status new="1" submitted="1"/>\n<claim>UPDATE t SET x = :FOO</claim></source></sources>',
        "3: encoding='klingon' is unknown; write one like gbk",
        "3: warning: results are written nowhere: *",
        "4: <column> lacks is, value or default",
        "4: MOBILE has a column and a constant: take one out",
        "5: submitted and new have the same word",
        "5: taken and new have the same word",
        "6: <claim> goes with <fetch> and strategy='status' alone",
        "6: <claim>: no parameter :FOO; allowed: :ID",
    ),
    (
        '<clients><client account="a"/></clients><sources>\n'
        '<source name="s" client="a" url="oracle://h/?service_name=x">\n'
        '<table name="A" as="x"/><table name="A" as="x"/>\n'
        "<fetch>SELECT 1</fetch></source></sources>",
        "4: there are two <table> with as 'x'",
        "4: there are two <table> with name 'A'",
        "5: <fetch> needs <recover>: a crash would lose rows",
        "5: <fetch> needs <result>, or row='untouched'",
    ),
    (
        '<templates><template name="t">Dear ${name</template></templates>',
        "2: <template>: a place to fill in is written ${name}, with letters, digits and '_'"
        " between the braces",
    ),
    ('<templates><template name="t">Dear ${}</template></templates>', "2: <template>: a place*"),
    (
        '<policies><lane name="bulk" backoff-min="1h"/></policies>',
        "2: backoff-min='1h' is longer than backoff-max='600s'",
    ),
]


DAMAGED = [
    *(path.read_bytes() for path in (Path(__file__).parents[2] / "conf").glob("*/*.xml")),
    *(f"{HEAD}{sections}</adapter>".encode() for sections, *_ in CASES[-20:]),
]
DEBRIS = [
    *(b"", b"<", b'"', b"/>", b"&", b"\x00", b"\xff", b"<!--", b"]]>", b"<?p?>", b'xmlns=""'),
    *(b' xmlns:a="b" a:c="d"', b'<xi:include href="."/>', b'<xi:include href="a%00"/>'),
    *(b"${env:", b"}", b"{enc:", "１".encode(), "€".encode(), b"postgresql://[", b"<x/>"),
    b' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="Node" i:nil="true"',
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0][:40])
def test_a_fault_is_found_and_told(case: tuple[str, ...], write: Write) -> None:
    sections, *expected = case
    found = sorted(told(write(sections)))
    for message, pattern in zip(found, expected, strict=False):
        if pattern.endswith("*"):
            assert message.startswith(pattern[:-1])
        else:
            assert message == pattern
    assert len(found) == len(expected), found


def test_all_faults_come_in_one_run_in_the_order_of_lines(write: Write) -> None:
    path = write(
        '<node id="-1"/>\n<web port="${env:PORT}"/>\n<bogus/>\n'
        '<routes><route carrier="mobile" channels="m1"/></routes>\n<logging level="LOUD"/>'
    )
    lines = [int(line.partition(":")[0]) for line in told(path)]
    assert lines == [2, 3, 4, 5, 6]
    with pytest.raises(ConfigError) as error:
        load(path, {})
    assert [str(f) for f in error.value.faults] == [str(f) for f in check(path, {})]
    assert str(error.value.faults[1]).startswith(f"{path}:3: port: ")


def test_warnings_do_not_stop_a_node(write: Write) -> None:
    path = write(f"<channels>{channel()}</channels>")
    assert [f.warning for f in check(path, {})] == [True]
    assert load(path, {}).channels[0].name == "m1"


def test_the_outermost_element_must_be_ours(write: Write) -> None:
    for text in ("<adapter/>", '<node xmlns="urn:his-sms:config:1"/>', "<x><adapter/></x>"):
        assert told(write(text, whole=True)) == [
            '1: the outermost element must be <adapter xmlns="urn:his-sms:config:1">'
        ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "not well-formed XML: the file is empty"),
        ("<adapter>\n<node\n</adapter>", 3, "not well-formed XML: "),
        ("<adapter>\n</node>", 2, "not well-formed XML: Opening and ending tag mismatch"),
        ('<adapter><node id="1" id="2"/></adapter>', 1, "not well-formed XML: Attribute id red"),
        ("<adapter>&nbsp;</adapter>", 1, "not well-formed XML: Entity 'nbsp' not defined"),
        ("<adapter>\n<node n１='1'/></adapter>", 2, "not well-formed XML: "),
        (
            '<?xml version="1.0"?>\n\n<!DOCTYPE adapter>\n<adapter/>',
            3,
            "<!DOCTYPE> and entities are not allowed",
        ),
    ],
)
def test_broken_xml(text: str, line: int, message: str, write: Write) -> None:
    (fault,) = check(write(text, whole=True), {})
    assert (fault.line, fault.message[: len(message)]) == (line, message)


def test_entities_are_neither_expanded_nor_fetched(write: Write, tmp_path: Path) -> None:
    (tmp_path / "loot.txt").write_text("loot", encoding="utf-8")
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    for declared, used in (
        (f'<!ENTITY e0 "lol">{bomb}', "&e11;"),
        ('<!ENTITY e0 SYSTEM "loot.txt">', "&e0;"),
        ('<!ENTITY % e0 SYSTEM "http://127.0.0.1:9/x.dtd"> %e0;', ""),
    ):
        found = told(
            write(
                f'<!DOCTYPE adapter [{declared}]><adapter xmlns="urn:his-sms:config:1">'
                f"<templates><template name='t'>{used}</template></templates></adapter>",
                whole=True,
            )
        )
        assert len(found) == 1
        assert "<!DOCTYPE>" in found[0] or "not well-formed" in found[0]
        assert "loot\n" not in found[0]


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    text = '<adapter xmlns="urn:his-sms:config:1">\n<node name="短信平台"/></adapter>'
    path = tmp_path / "adapter.xml"
    path.write_bytes(text.encode("gbk"))
    (fault,) = check(path, {})
    assert "save it as UTF-8" in fault.message
    for encoding in ("GBK", "GB18030", "UTF-16", "utf-8"):
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'.encode(encoding))
        assert told(path)[0].startswith('3: name="短信平台": must be a name of 1 to 32 letters')
    path.write_bytes(text.encode("utf-8-sig"))
    assert told(path)[0].startswith('2: name="短信平台": ')


def test_what_is_too_large_or_too_deep_is_refused(write: Write) -> None:
    deep = "<x>" * 60 + "</x>" * 60
    assert "nested deeper than 32" in told(write(deep))[0]
    (fault,) = told(write("<!--" + "x" * 4_000_001 + "-->"))
    assert "longer than 4000000 octets" in fault


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_always_told_about_or_loads(data: st.DataObject, tmp_path: Path) -> None:
    text = data.draw(st.sampled_from(DAMAGED))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 20))
        text = text[:at] + data.draw(st.sampled_from(DEBRIS)) + text[at + cut :]
    path = tmp_path / "adapter.xml"
    path.write_bytes(text)
    if not any(not fault.warning for fault in check(path, {})):
        load(path, {})


def test_a_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.xml", tmp_path):
        (fault,) = check(path, {})
        assert (fault.file, fault.line) == (path, 1)
        assert "cannot be read" in fault.message
