"""What `check` says about a `<provider>`: the fault, and its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.config.faults import ConfigError
from adapter.config.load import check, load
from connectors.web.settings import LongTexts, Then
from tests.certificates import Authority
from tests.config.conftest import Write

SUBMIT = """<submit>
<url>https://api.example/send</url>
<body>{"to": "${mobile}"}</body>
<answer success="code" success-is="0" id="id"/>
</submit>"""
ROUTE = (
    '<routes><route carrier="mobile" channels="a"/><route carrier="unicom" channels="a"/>'
    '<route carrier="telecom" channels="a"/><route carrier="broadnet" channels="a"/></routes>'
)


def channel(provider: str, protocol: str = "http") -> str:
    """A configuration whose provider begins on line 3."""
    return (
        f'<channels><channel name="a" protocol="{protocol}" access-number="1069">\n'
        f"{provider}\n</channel></channels>{ROUTE}"
    )


def told(path: Path) -> list[str]:
    return [f"{fault.line}: {fault.message}" for fault in check(path)]


def test_a_provider_is_read(write: Write, tmp_path: Path) -> None:
    Authority(tmp_path, "ca")
    (made,) = load(
        write(
            channel(
                f"""<provider window="7" rate="30" keep-alive="2s" ca="ca.pem" prefix="86"
          long-texts="segments" max-answer="64kB">
<value name="key" is="k  1"/>
<digest name="sign" key="s" algorithm="sha1">${{key}}</digest>
{SUBMIT.replace("<answer", "<header name='X'>${sign}</header><answer", 0)}
<push name="in" networks="10.0.0.0/8"><inbound mobile="m" text="t"/></push>
</provider>"""
            )
        )
    ).channels
    assert (made.window, made.rate, made.version, made.whole_texts) == (7, 30.0, "", False)
    provider = made.provider
    assert provider is not None
    assert (provider.window, provider.keep_alive_s, provider.max_answer) == (7, 2.0, 64_000)
    assert (provider.long_texts, provider.prefix) == (LongTexts.SEGMENTS, "86")
    assert provider.ca.endswith("ca.pem")
    assert provider.values == {"key": "k  1"}
    assert provider.submit.result.success_is == ("0",)
    assert provider.submit.result.otherwise is Then.PERMANENT
    assert "k  1" not in repr(made)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('success="code"', 'success="code["'), "7: success: 'code[' is no JMESPath: *"),
        (('id="id"', 'id="a:b" format="xml"'), "7: id: 'a:b' has a prefix: *"),
        (('success="code"', 'success="//*[" format="xml"'), "7: success: '//*[' is no XPath: *"),
        (('success="code"', 'success="(" format="text"'), "7: success: '(' is no regular *"),
        (("${mobile}", "${mobil}"), "6: <body>: nothing fills ${mobil}; known: *"),
        (("${mobile}", "${mobile"), "6: <body>: a place to fill in is written ${name}"),
        (("https://api", "ftp://api"), "5: <url>: it must begin with http:// or https://"),
        (("api.example", "${mobile}"), "5: <url>: the host is not to be filled in"),
        (("<submit>", '<submit format="form">'), "6: <body>: fields make up the request *"),
        (("<submit>", '<submit method="GET">'), "4: method: GET has no body*"),
        (("<submit>", '<submit batch="5">'), "3: batch: one id for several recipients needs *"),
        (('success-is="0" ', ""), "7: success-is: success needs the values *"),
        (("<body>", "<header name='A'>${x}</header><body>"), "6: <header A>: nothing fills ${x}*"),
    ],
)
def test_a_fault_is_told_with_its_line(
    write: Write, change: tuple[str, str], expected: str
) -> None:
    text = f"<provider>\n{SUBMIT}\n</provider>"
    assert change[0] in text
    found = told(write(channel(text.replace(*change))))
    assert len(found) == 1, found
    assert found[0].startswith(expected.removesuffix("*")), found
    with pytest.raises(ConfigError):
        load(write(channel(text.replace(*change))))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('<push name="p"><receipts id="i" stat="s"/></push>', "3: networks or secret: *"),
        ('<push name="p" secret="x"><receipts id="i" stat="s"/></push>', "3: secret: name the *"),
        ('<push name="p" networks="::1"><receipts id="i"/></push>', "9: stat: it is needed*"),
        ('<push name="p" networks="::1"/>', "3: neither receipts nor inbound are described"),
        (
            '<pull name="p"><url>http://h/</url><inbound mobile="m" text="[t"/></pull>',
            "9: text: '[t' is no JMESPath: *",
        ),
        (
            '<pull name="p"><url>http://h/${ids}</url><inbound mobile="m" text="t"/></pull>',
            "9: <url>: nothing fills ${ids}*",
        ),
    ],
)
def test_a_fault_of_a_pull_or_push(write: Write, more: str, expected: str) -> None:
    found = told(write(channel(f"<provider>\n{SUBMIT}\n{more}</provider>")))
    assert len(found) == 1, found
    assert found[0].startswith(expected.removesuffix("*")), found


@pytest.mark.parametrize(
    ("protocol", "inside", "expected"),
    [
        ("http", "", "2: <channel> lacks <provider>: *"),
        ("soap", f"<provider>{SUBMIT}</provider>", "3: <provider> lacks wsdl: *"),
        (
            "http",
            '<provider><submit operation="Send"/></provider>',
            "3: operation: it needs wsdl in <provider>",
        ),
        (
            "soap",
            f'<provider wsdl="no.wsdl">{SUBMIT}</provider>',
            "3: wsdl: no.wsdl: the file cannot be read: *",
        ),
        (
            "http",
            '<connection host="h" port="1" account="a" password="b"/>'
            f"<provider>{SUBMIT}</provider>",
            "3: <connection> is not for http, which has <provider>",
        ),
        ("cmpp", f"<provider>{SUBMIT}</provider>", "2: <channel> lacks <connection>: *"),
    ],
)
def test_what_a_protocol_needs(write: Write, protocol: str, inside: str, expected: str) -> None:
    found = told(write(channel(inside, protocol)))
    assert any(each.startswith(expected.removesuffix("*")) for each in found), found


def test_a_wsdl_is_held_against_the_requests(write: Write, tmp_path: Path) -> None:
    (tmp_path / "a.wsdl").write_text("<definitions/>", encoding="utf-8")
    text = f'<provider wsdl="a.wsdl">\n{SUBMIT}\n</provider>'
    assert told(write(channel(text, "soap")))[0].startswith("3: wsdl: a.wsdl: ")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('ca="no.pem"', "3: ca: the file cannot be used: No such file*"),
        ('ca="adapter.xml"', "3: ca: the file cannot be used: *"),
        ('proxy="proxy:8080"', "3: proxy: write http://HOST:PORT"),
    ],
)
def test_what_a_connection_needs(write: Write, attributes: str, expected: str) -> None:
    (found,) = told(write(channel(f"<provider {attributes}>{SUBMIT}</provider>")))
    assert found.startswith(expected.removesuffix("*"))


def test_a_secret_that_cannot_be_opened_is_one_fault(write: Write) -> None:
    text = f'<provider>\n<value name="k" is="${{env:NOT_SET_ANYWHERE}}"/>\n{SUBMIT}</provider>'
    assert told(write(channel(text))) == [
        "4: is: the environment variable NOT_SET_ANYWHERE is not set (${env:NOT_SET_ANYWHERE})"
    ]
