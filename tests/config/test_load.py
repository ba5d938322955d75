"""What is written becomes values, every one of them; what is left out takes the default."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from adapter.config import model
from adapter.config.load import load
from adapter.domain.client import Certificate, Client, ContentCipher, ContentKey, WayIn
from adapter.domain.hours import Span
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Carrier, Door, DoubtRule, Lane
from adapter.security.passwords import hash_password
from adapter.security.secrets import new_key, write_key
from tests.config.conftest import Write

HASH = hash_password("secret")

EVERYTHING = f"""
<node name="n2" id="7" timezone="Asia/Urumqi"/>
<store url="sqlite:///data/s.db" capacity="5000"/>
<web host="0.0.0.0" port="81" public-url="https://sms.example" threads="4" max-body="64kB"
     proxies="10.9.0.0/16"/>
<socket host="::1" port="82" connections="20" connections-per-client="3" max-frame="64kB" window="4"
        threads="6" login="5s" idle="1min" answer="7s"/>
<cmpp-server host="::1" port="83" connections="21" connections-per-client="2" window="5"
             deliver-window="6" threads="2" login="4s" heartbeat="30s" heartbeat-tries="2"
             response-timeout="20s" part-wait="1min"/>
<channels>
  <channel name="m1" protocol="cmpp" version="2.0" access-number="1069" service-id="S"
           encodings="ascii ucs2" spare-number="10955" enabled="false" trace="50">
    <connection host="h" port="7890" account="901" password=" two  words " links="2" window="8"
        rate="0.5" heartbeat="30s" heartbeat-tries="2" response-timeout="45s"
        connect-timeout="500ms" reconnect-min="2s" reconnect-max="5min"/>
    <quirks report-ids="swapped" bare-answers="true" answers-heartbeats="false"
        sequence-from-zero="true" reports="false" gbk-as-ucs2="true" extension="false"
        delivered-after="10min" long-reference="16"/>
  </channel>
  <channel name="t1" protocol="smgp" version="3.0" access-number="10659">
    <connection host="t" port="8890" account="12345678" password="q" links="2"/>
    <smgp msg-src="12345678" product="PID0001" separate="true"/>
  </channel>
  <channel name="u1" protocol="sgip" version="1.2" access-number="10655">
    <connection host="u" port="8801" account="hosp01" password="r"/>
    <sgip corp="12345" node="3010012345" rest="30s"/>
    <listener port="8802" account="smgcli" password=" s  t " host="::1" networks="10.0.0.9 ::1"/>
  </channel>
  <channel name="w1" protocol="smpp" version="3.4" access-number="10690">
    <connection host="w" port="2775" account="hosp01" password="v" links="2"/>
    <smpp separate="true" system-type="VMA" source-ton="3" source-npi="9" dest-ton="2"
          dest-npi="8" prefix="" alphabet="latin1" long-texts="sar"
          receipts-by-text="true" accepted-is-final="true" trailing-nul="true"/>
  </channel>
</channels>
<routes>
  <ported prefix="13800138000" carrier="unicom"/>
  <route carrier="mobile" channels=" m1 "/>
</routes>
<clients>
  <client account="a" cmpp-secret=" s  3 " cmpp-secret-old="s2" title="T" extension="01"
          signature="院"
          business="b" lane="bulk"
          lanes="bulk urgent" doors="dbpoll soap cmpp" networks="10.0.0.0/8 ::1"
          rate-per-minute="60" daily-quota="9" max-segments="3" validity="90s" enabled="false"
          monthly-quota="99" max-recipients="7" businesses="b lab" hours="07:30-12:00 22:00-06:00">
    <password hash="{HASH}"/>
    <digest-secret secret="clear"/>
    <hmac-key id="k1" secret="sixteen letters  "/>
    <content-key id="c1" cipher="sm4-gcm" key="MDEyMzQ1Njc4OWFiY2RlZg=="/>
    <certificate subject="CN=a,O=H"/>
    <entry needs="password hmac" doors="http"/>
    <doubt lane="bulk" rule="resend"/>
  </client>
</clients>
<sources>
  <source name="s" client="a" url="sqlite:////srv/h.db" table="HIS.OUT" receipt-table="R"
          inbound-table="I" batch="5" poll-min="1s" poll-max="1min" report-submitted="false"
          strategy="watermark" claim-by="compare-and-set" where="DEPT = 'A'" encoding="gbk"
          row="untouched" resend="allowed" late="5s" begin="start" move-to="OLD" connections="2"
          channel="news" thick="system" statement-timeout="9s" lock-timeout="1s"
          enabled="false">
    <column name="MOBILE" is="手机号 1-2"/><column name="PARAMS" is=""/>
    <column name="LANE" value="bulk"/><column name="BUSINESS" default="lab"/>
    <parameter name="name" is="PAT"/>
    <status new="N"/>
    <results url="sqlite:////srv/r.db"/>
    <receipt> INSERT INTO R VALUES (:MOBILE) </receipt>
  </source>
</sources>
<templates><template name="t">
  您好，${{name}}
</template></templates>
<policies active="200" receipt-wait="1d" inbound-wait="2min" stop-wait="5s">
  <lane name="bulk" doubt="resend" doubt-wait="1min" tries="3" backoff-min="3s" backoff-max="4s"/>
</policies>
<jobs keep-days="1" statistics-keep-days="2" notices-keep-days="3"/>
<security/>
<logging level="DEBUG" format="text" file="log/a.log"/>
"""


def test_everything_written_arrives(write: Write, tmp_path: Path) -> None:
    config = load(write(EVERYTHING), {})
    assert config == model.Config(
        path=tmp_path / "adapter.xml",
        node=model.Node("n2", 7, "Asia/Urumqi"),
        store=model.Store(f"sqlite:///{(tmp_path / 'data/s.db').as_posix()}", 5000),
        web=model.Web("0.0.0.0", 81, "https://sms.example", ("10.9.0.0/16",), 4, 64_000),
        socket=model.Socket("::1", 82, 20, 3, 64_000, 4, 6, 5.0, 60.0, 7.0),
        cmpp_server=model.CmppServer("::1", 83, 21, 2, 5, 6, 2, 4.0, 30.0, 2, 20.0, 60.0),
        channels=(
            model.Channel(
                name="m1",
                protocol="cmpp",
                version="2.0",
                host="h",
                port=7890,
                account="901",
                password=" two  words ",
                access_number="1069",
                service_id="S",
                links=2,
                window=8,
                rate=0.5,
                encodings=("ascii", "ucs2"),
                heartbeat_s=30.0,
                heartbeat_tries=2,
                response_timeout_s=45.0,
                connect_timeout_s=0.5,
                reconnect_min_s=2.0,
                reconnect_max_s=300.0,
                spare_number="10955",
                quirks=model.Quirks("swapped", True, False, True, False, True, False, 600.0, 16),
                enabled=False,
                trace=50,
            ),
            model.Channel(
                name="t1",
                protocol="smgp",
                version="3.0",
                host="t",
                port=8890,
                account="12345678",
                password="q",
                access_number="10659",
                links=2,
                smgp=model.Smgp("12345678", "PID0001", separate=True),
            ),
            model.Channel(
                name="u1",
                protocol="sgip",
                version="1.2",
                host="u",
                port=8801,
                account="hosp01",
                password="r",
                access_number="10655",
                sgip=model.Sgip("12345", 3010012345, 30.0),
                listener=model.Listener(8802, "smgcli", " s  t ", "::1", ("10.0.0.9", "::1")),
            ),
            model.Channel(
                name="w1",
                protocol="smpp",
                version="3.4",
                host="w",
                port=2775,
                account="hosp01",
                password="v",
                access_number="10690",
                links=2,
                smpp=model.Smpp(
                    separate=True,
                    system_type="VMA",
                    source_ton=3,
                    source_npi=9,
                    dest_ton=2,
                    dest_npi=8,
                    prefix="",
                    alphabet="latin1",
                    long_texts="sar",
                    receipts_by_text=True,
                    accepted_is_final=True,
                    trailing_nul=True,
                ),
            ),
        ),
        routes=(model.Route(Carrier.MOBILE, ("m1",)),),
        ported=(model.Ported("13800138000", Carrier.UNICOM),),
        clients=(
            Client(
                account="a",
                cmpp_secret=" s  3 ",
                cmpp_secret_old="s2",
                password_hashes=(HASH,),
                title="T",
                extension="01",
                signature="院",
                business="b",
                lane=Lane.BULK,
                lanes=(Lane.BULK, Lane.URGENT),
                doors=(Door.DBPOLL, Door.SOAP, Door.CMPP),
                networks=("10.0.0.0/8", "::1"),
                rate_per_minute=60,
                daily_quota=9,
                monthly_quota=99,
                max_recipients=7,
                businesses=("b", "lab"),
                hours=(Span(450, 720), Span(1320, 360)),
                max_segments=3,
                validity_s=90,
                digest_secrets=("clear",),
                hmac_keys={"k1": b"sixteen letters  "},
                content_keys={"c1": ContentKey(ContentCipher.SM4_GCM, b"0123456789abcdef")},
                certificates=(Certificate(subject="CN=a,O=H"),),
                entries=(WayIn((ProofKind.PASSWORD, ProofKind.HMAC), (Door.HTTP,)),),
                doubt={Lane.BULK: DoubtRule.RESEND},
                enabled=False,
            ),
        ),
        sources=(
            model.Source(
                name="s",
                client="a",
                url="sqlite:////srv/h.db",
                table="HIS.OUT",
                receipt_table="R",
                inbound_table="I",
                columns={"MOBILE": "手机号 1-2", "PARAMS": ""},
                constants={"LANE": "bulk"},
                defaults={"BUSINESS": "lab"},
                parameters={"name": "PAT"},
                statuses={"new": "N"},
                sql={"receipt": "INSERT INTO R VALUES (:MOBILE)"},
                results_url="sqlite:////srv/r.db",
                strategy="watermark",
                claim_by="compare-and-set",
                where="DEPT = 'A'",
                encoding="gbk",
                row="untouched",
                resend="allowed",
                late_s=5.0,
                begin="start",
                move_to="OLD",
                connections=2,
                channel="news",
                thick="system",
                statement_timeout_s=9.0,
                lock_timeout_s=1.0,
                batch=5,
                poll_min_s=1.0,
                poll_max_s=60.0,
                report_submitted=False,
                enabled=False,
            ),
        ),
        templates=(model.Template("t", "您好，${name}"),),
        policies=model.Policies(
            lanes={
                **model.Policies().lanes,
                Lane.BULK: model.LanePolicy(Lane.BULK, DoubtRule.RESEND, 60.0, 3, 3.0, 4.0),
            },
            active=200,
            receipt_wait_s=86_400.0,
            inbound_wait_s=120.0,
            stop_wait_s=5.0,
        ),
        jobs=model.Jobs(1, 2, 3),
        security=model.Security(),
        logging=model.Logging("DEBUG", "text", (tmp_path / "log/a.log").as_posix()),
    )


def test_this_test_writes_every_field_differently_from_its_default(write: Write) -> None:
    """So that a field which is forgotten on its way is noticed above."""
    config = load(write(EVERYTHING), {})
    parts: list[Any] = [
        config,
        config.node,
        config.web,
        config.socket,
        config.cmpp_server,
        config.policies,
        config.jobs,
        config.logging,
    ]
    one, telecom, unicom, world = config.channels
    parts += [one, telecom.smgp, unicom.sgip, unicom.listener, world.smpp, one.quirks]
    parts += [*config.clients, *config.sources]
    of_one_protocol = {"smgp", "sgip", "smpp", "listener", "provider"}
    for part in parts:
        for each in dataclasses.fields(part):
            if part is one and each.name in of_one_protocol:
                continue
            # Backups need a key: see the test below. TLS needs files: see test_tls.py, the
            # doors that stay open: test_doors.py, callbacks: test_callback.py.
            apart = ("security", "backup", "socket", "cmpp_server", "callbacks")
            elsewhere = each.name in apart
            elsewhere = elsewhere or each.name.startswith("tls")
            if each.default is not dataclasses.MISSING and not elsewhere:
                assert getattr(part, each.name) != each.default, each.name


def test_a_standby_has_the_password_of_its_store(write: Write) -> None:
    urls = 'url="postgresql://u@a/d" standby="postgresql://u@b/d"'
    config = load(write(f'<store {urls} password="p@w"/>'), {})
    assert config.store.standby == "postgresql://u:p%40w@b/d"


def test_backups_are_planned(write: Write, tmp_path: Path) -> None:
    write_key(tmp_path / "a.key", new_key())
    planned = '<security key-file="a.key"/><jobs><backup to="b" every="15min" keep="3"/></jobs>'
    config = load(write(planned), {})
    assert config.jobs == model.Jobs(backup=model.Backup((tmp_path / "b").as_posix(), 900.0, 3))


def test_an_empty_configuration_is_all_defaults(write: Write, tmp_path: Path) -> None:
    config = load(write(""), {})
    store = model.Store(f"sqlite:///{(tmp_path / 'var/adapter.db').as_posix()}")
    assert config == model.Config(path=tmp_path / "adapter.xml", store=store)


def test_relative_paths_start_at_the_folder_of_the_main_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        '<store xmlns="urn:his-sms:config:1" url="sqlite:///../s.db"/>', "parts/x.xml", whole=True
    )
    path = write('<xi:include href="parts/x.xml"/>')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    expected = f"sqlite:///{(tmp_path.parent / 's.db').as_posix()}"
    assert load(path, {}).store.url == expected
    assert load(Path("../adapter.xml"), {}).store.url == expected


def test_a_password_goes_into_its_url_whatever_it_holds(write: Write) -> None:
    path = write('<store url="postgresql://sms@db:5432/sms" password="${env:PW}"/>')
    assert load(path, {"PW": "p@ss/w:rd %"}).store.url.startswith(
        "postgresql://sms:p%40ss%2Fw%3Ard"
    )


def test_a_source_with_several_tables_is_several_sources(write: Write) -> None:
    text = (
        '<clients><client account="a"/></clients><sources>'
        '<source name="his" client="a" url="sqlite:///h.db" batch="9">'
        '<table name="SMS_LAB" as="lab"/><table name="SMS_ER" as="er"/>'
        '<column name="CONTENT" is="TXT"/></source></sources>'
    )
    sources = load(write(text), {}).sources
    assert [(s.name, s.table, s.batch) for s in sources] == [
        ("his.lab", "SMS_LAB", 9),
        ("his.er", "SMS_ER", 9),
    ]
    assert {s.columns["CONTENT"] for s in sources} == {"TXT"}
