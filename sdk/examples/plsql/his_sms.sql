-- The hospital's SMS adapter from PL/SQL by raw SOAP over UTL_HTTP (docs/integrator/soap.md). Oracle 18c or newer;
-- before it DBMS_LOCK.SLEEP stands for DBMS_SESSION.SLEEP, and HMAC_SH256 needs 12c.
--
--   v_id := his_sms.send('OP-20260301-0001', '13800138000', '您的就诊时间为明天14:30。');
--   v_count := his_sms.fetch_receipts;               (in a job, say every minute)
--
-- Once, by a DBA (https needs a wallet with the authority's certificate besides, see UTL_HTTP.SET_WALLET):
--   GRANT EXECUTE ON sys.utl_http TO his; GRANT EXECUTE ON sys.dbms_crypto TO his;
--   BEGIN
--     DBMS_NETWORK_ACL_ADMIN.append_host_ace('sms.example.org', 443, 443,
--       xs$ace_type(xs$name_list('http'), 'HIS', xs_acl.ptype_db));
--   END;

CREATE TABLE his_sms_setting (
    url         VARCHAR2(200) NOT NULL,   -- https://sms.example.org/soap
    account     VARCHAR2(64) NOT NULL,
    password    VARCHAR2(256) NOT NULL,
    key_id      VARCHAR2(32),             -- for encrypted contents: the key's id,
    content_key VARCHAR2(64)              -- and the key in base64
);

-- A receipt may come twice; the key keeps the second one out.
CREATE TABLE his_sms_receipt (
    receipt_id   VARCHAR2(20) PRIMARY KEY,
    message_id   VARCHAR2(20) NOT NULL,
    client_ref   VARCHAR2(64),
    mobile       VARCHAR2(40) NOT NULL,
    state        VARCHAR2(20) NOT NULL,
    carrier_code VARCHAR2(40),
    done_at      VARCHAR2(40)
);

-- Nonces of callbacks. Rows older than ten minutes may go.
CREATE TABLE his_sms_nonce (
    nonce   VARCHAR2(128) PRIMARY KEY,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT SYSTIMESTAMP NOT NULL
);

-- Encrypts by the Java SDK inside the database:  loadjava -user his -resolve his-sms-client.jar
CREATE OR REPLACE FUNCTION his_sms_seal(
    p_key_id VARCHAR2, p_key VARCHAR2, p_content VARCHAR2, p_account VARCHAR2, p_client_ref VARCHAR2, p_mobile VARCHAR2
) RETURN VARCHAR2 AS LANGUAGE JAVA NAME
    'hissms.ContentKey.seal(java.lang.String, java.lang.String, java.lang.String, java.lang.String,
     java.lang.String, java.lang.String) return java.lang.String';
/

CREATE OR REPLACE PACKAGE his_sms AS
    -- The adapter says no, for good; the message begins with the code. The same request would be refused again.
    refused EXCEPTION;
    PRAGMA EXCEPTION_INIT(refused, -20101);
    -- Nobody answered, or not now. A text may have been accepted: send again later, under the same p_client_ref.
    no_answer EXCEPTION;
    PRAGMA EXCEPTION_INIT(no_answer, -20102);

    -- Sends one text; it is durable when this returns. The message's id. Take p_client_ref from your own data: a text
    -- is sent once under it, however often you ask. Encrypted where his_sms_setting has a key.
    FUNCTION send(p_client_ref VARCHAR2, p_mobile VARCHAR2, p_content VARCHAR2) RETURN VARCHAR2;

    -- Puts every receipt that waits into his_sms_receipt, commits, and acknowledges it then. How many came.
    FUNCTION fetch_receipts RETURN PLS_INTEGER;

    -- 1 where a callback is from the adapter (docs/integrator/callbacks.md), else 0. Commits the nonce on its own.
    FUNCTION is_true_callback(
        p_method VARCHAR2, p_path VARCHAR2, p_authorization VARCHAR2, p_reference VARCHAR2, p_body RAW,
        p_account VARCHAR2, p_key_id VARCHAR2, p_secret VARCHAR2
    ) RETURN PLS_INTEGER;
END his_sms;
/

CREATE OR REPLACE PACKAGE BODY his_sms AS
    c_tries CONSTANT PLS_INTEGER := 6;

    FUNCTION escaped(p_text VARCHAR2) RETURN VARCHAR2 IS
    BEGIN
        RETURN DBMS_XMLGEN.convert(p_text, DBMS_XMLGEN.entity_encode);
    END escaped;

    FUNCTION octets(p_text VARCHAR2) RETURN RAW IS
    BEGIN
        RETURN UTL_I18N.string_to_raw(p_text, 'AL32UTF8');
    END octets;

    -- One try. Raises whatever UTL_HTTP raises; none of it tells what became of the request.
    PROCEDURE post(p_url VARCHAR2, p_envelope VARCHAR2, p_status OUT PLS_INTEGER, p_answer OUT CLOB) IS
        v_body     RAW(32767) := octets(p_envelope);
        v_request  UTL_HTTP.req;
        v_response UTL_HTTP.resp;
        v_piece    VARCHAR2(8000);
    BEGIN
        UTL_HTTP.set_transfer_timeout(30);
        UTL_HTTP.set_response_error_check(FALSE);
        UTL_HTTP.set_follow_redirect(0);
        v_request := UTL_HTTP.begin_request(p_url, 'POST', 'HTTP/1.1');
        UTL_HTTP.set_header(v_request, 'Content-Type', 'text/xml; charset=utf-8');
        UTL_HTTP.set_header(v_request, 'Content-Length', UTL_RAW.length(v_body));
        UTL_HTTP.set_header(v_request, 'SOAPAction', '""');
        UTL_HTTP.write_raw(v_request, v_body);
        v_response := UTL_HTTP.get_response(v_request);
        p_status := v_response.status_code;
        UTL_HTTP.set_body_charset(v_response, 'UTF-8');
        DBMS_LOB.createtemporary(p_answer, TRUE);
        BEGIN
            LOOP
                UTL_HTTP.read_text(v_response, v_piece, 2000);
                DBMS_LOB.writeappend(p_answer, LENGTH(v_piece), v_piece);
            END LOOP;
        EXCEPTION
            WHEN UTL_HTTP.end_of_body THEN
                UTL_HTTP.end_response(v_response);
        END;
    EXCEPTION
        WHEN OTHERS THEN
            -- A session has five connections, which are kept until they are closed.
            BEGIN
                IF v_response.private_hndl IS NOT NULL THEN
                    UTL_HTTP.end_response(v_response);
                ELSIF v_request.private_hndl IS NOT NULL THEN
                    UTL_HTTP.end_request(v_request);
                END IF;
            EXCEPTION
                WHEN OTHERS THEN
                    NULL;
            END;
            RAISE;
    END post;

    -- The answer's envelope, after as many tries as are of use.
    FUNCTION ask(p_operation VARCHAR2, p_request VARCHAR2) RETURN XMLTYPE IS
        v_setting  his_sms_setting%ROWTYPE;
        v_envelope VARCHAR2(32767);
        v_status   PLS_INTEGER;
        v_answer   CLOB;
        v_xml      XMLTYPE;
        v_code     VARCHAR2(40);
        v_told     VARCHAR2(1000);
    BEGIN
        SELECT * INTO v_setting FROM his_sms_setting;
        -- document: envelope
        v_envelope :=
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:his-sms:exchange:1">'
            || '<s:Header><Credentials><account>' || escaped(v_setting.account) || '</account><password>'
            || escaped(v_setting.password) || '</password></Credentials></s:Header><s:Body><' || p_operation
            || '><request>' || p_request || '</request></' || p_operation || '></s:Body></s:Envelope>';
        FOR v_tried IN 1 .. c_tries LOOP
            v_code := NULL;
            BEGIN
                post(v_setting.url, v_envelope, v_status, v_answer);
                v_xml := XMLTYPE(v_answer);
                SELECT MAX(found.code), MAX(found.description)
                  INTO v_code, v_told
                  FROM XMLTABLE(
                           XMLNAMESPACES('urn:his-sms:exchange:1' AS "e"),
                           '//e:ExchangeFault' PASSING v_xml
                           COLUMNS code VARCHAR2(40) PATH 'e:code',
                                   description VARCHAR2(1000) PATH 'e:description') found;
                IF v_status = 200 AND v_code IS NULL THEN
                    RETURN v_xml;
                END IF;
            EXCEPTION
                WHEN OTHERS THEN
                    -- Nobody answered, or what came is no XML.
                    v_status := 0;
                    v_told := SQLERRM;
            END;
            IF v_code IS NOT NULL
               AND v_code NOT IN ('RATE_LIMITED', 'SPOOL_FULL', 'STORE_UNAVAILABLE', 'INTERNAL') THEN
                RAISE_APPLICATION_ERROR(-20101, v_code || ': ' || v_told);
            END IF;
            IF v_tried < c_tries THEN
                -- 0.5 s, doubled each time, a part of it by chance.
                DBMS_SESSION.sleep(LEAST(0.5 * POWER(2, v_tried - 1), 30) * DBMS_RANDOM.value(0.5, 1));
            END IF;
        END LOOP;
        RAISE_APPLICATION_ERROR(-20102, p_operation || ': status ' || v_status || ' ' || v_code || ' ' || v_told);
    END ask;

    FUNCTION send(p_client_ref VARCHAR2, p_mobile VARCHAR2, p_content VARCHAR2) RETURN VARCHAR2 IS
        v_setting his_sms_setting%ROWTYPE;
        v_text    VARCHAR2(32767);
        v_request VARCHAR2(32767);
        v_xml     XMLTYPE;
        v_code    VARCHAR2(40);
        v_id      VARCHAR2(20);
    BEGIN
        SELECT * INTO v_setting FROM his_sms_setting;
        v_text := '<content>' || escaped(p_content) || '</content>';
        IF v_setting.content_key IS NOT NULL THEN
            v_text := '<encryptedContent>'
                || his_sms_seal(v_setting.key_id, v_setting.content_key, p_content, v_setting.account, p_client_ref,
                                p_mobile)
                || '</encryptedContent>';
        END IF;
        -- document: send
        v_request := '<clientRef>' || escaped(p_client_ref) || '</clientRef>' || v_text
            || '<recipients><Recipient><mobile>' || escaped(p_mobile) || '</mobile></Recipient></recipients>';
        v_xml := ask('Send', v_request);
        SELECT found.code, found.message_id
          INTO v_code, v_id
          FROM XMLTABLE(
                   XMLNAMESPACES('urn:his-sms:exchange:1' AS "e"),
                   '//e:Result' PASSING v_xml
                   COLUMNS code VARCHAR2(40) PATH 'e:code',
                           message_id VARCHAR2(20) PATH 'e:messageId') found;
        IF v_id IS NULL THEN
            RAISE_APPLICATION_ERROR(-20101, v_code || ': the number was refused');
        END IF;
        RETURN v_id;
    END send;

    FUNCTION fetch_receipts RETURN PLS_INTEGER IS
        v_request VARCHAR2(200);
        v_xml     XMLTYPE;
        v_cursor  VARCHAR2(80);
        v_more    VARCHAR2(5);
        v_count   PLS_INTEGER := 0;
    BEGIN
        LOOP
            -- document: fetch
            v_request := '<max>500</max>';
            v_xml := ask('FetchReceipts', v_request);
            MERGE INTO his_sms_receipt kept
            USING (SELECT found.*
                     FROM XMLTABLE(
                              XMLNAMESPACES('urn:his-sms:exchange:1' AS "e"),
                              '//e:Receipt' PASSING v_xml
                              COLUMNS receipt_id VARCHAR2(20) PATH 'e:receiptId',
                                      message_id VARCHAR2(20) PATH 'e:messageId',
                                      client_ref VARCHAR2(64) PATH 'e:clientRef',
                                      mobile VARCHAR2(40) PATH 'e:mobile',
                                      state VARCHAR2(20) PATH 'e:state',
                                      carrier_code VARCHAR2(40) PATH 'e:carrierCode',
                                      done_at VARCHAR2(40) PATH 'e:doneAt') found) came
               ON (kept.receipt_id = came.receipt_id)
             WHEN NOT MATCHED THEN
                INSERT (receipt_id, message_id, client_ref, mobile, state, carrier_code, done_at)
                VALUES (came.receipt_id, came.message_id, came.client_ref, came.mobile, came.state,
                        came.carrier_code, came.done_at);
            v_count := v_count + SQL%ROWCOUNT;
            -- First they are safe here, then they are acknowledged.
            COMMIT;
            SELECT found.cursor_, found.more_
              INTO v_cursor, v_more
              FROM XMLTABLE(
                       XMLNAMESPACES('urn:his-sms:exchange:1' AS "e"),
                       '//e:FetchReceiptsResult' PASSING v_xml
                       COLUMNS cursor_ VARCHAR2(80) PATH 'e:cursor',
                               more_ VARCHAR2(5) PATH 'e:more') found;
            -- document: ack
            v_request := '<cursor>' || escaped(v_cursor) || '</cursor>';
            v_xml := ask('AckReceipts', v_request);
            EXIT WHEN v_more = 'false';
        END LOOP;
        RETURN v_count;
    END fetch_receipts;

    FUNCTION is_true_callback(
        p_method VARCHAR2, p_path VARCHAR2, p_authorization VARCHAR2, p_reference VARCHAR2, p_body RAW,
        p_account VARCHAR2, p_key_id VARCHAR2, p_secret VARCHAR2
    ) RETURN PLS_INTEGER IS
        PRAGMA AUTONOMOUS_TRANSACTION;
        c_form CONSTANT VARCHAR2(300) :=
            '^HMAC-SHA256 account="([^"]*)", key="([^"]*)", time="([^"]*)", nonce="([A-Za-z0-9._~+/=-]{8,64})", '
            || 'signature="([0-9a-f]{64})"$';
        v_time  VARCHAR2(40);
        v_nonce VARCHAR2(64);
        v_lines VARCHAR2(4000);
        v_mac   RAW(32);

        FUNCTION part(p_number PLS_INTEGER) RETURN VARCHAR2 IS
        BEGIN
            RETURN REGEXP_SUBSTR(p_authorization, c_form, 1, 1, 'c', p_number);
        END part;
    BEGIN
        IF part(1) IS NULL OR part(1) <> p_account OR part(2) <> p_key_id THEN
            RETURN 0;
        END IF;
        v_time := part(3);
        v_nonce := part(4);
        v_lines := 'HMAC-SHA256' || CHR(10) || p_method || CHR(10) || p_path || CHR(10) || p_account || CHR(10)
            || p_key_id || CHR(10) || v_time || CHR(10) || v_nonce || CHR(10) || p_reference || CHR(10);
        v_mac := DBMS_CRYPTO.mac(
            UTL_RAW.concat(octets(v_lines), p_body), DBMS_CRYPTO.hmac_sh256, octets(p_secret));
        -- Compared as digests of digests, so that the time taken tells nothing.
        IF DBMS_CRYPTO.hash(v_mac, DBMS_CRYPTO.hash_sh256)
           <> DBMS_CRYPTO.hash(HEXTORAW(part(5)), DBMS_CRYPTO.hash_sh256) THEN
            RETURN 0;
        END IF;
        IF ABS(CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE) - TO_DATE(v_time, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) > 5 / 1440
        THEN
            RETURN 0;
        END IF;
        INSERT INTO his_sms_nonce (nonce) VALUES (p_key_id || ' ' || v_nonce);
        COMMIT;
        RETURN 1;
    EXCEPTION
        WHEN OTHERS THEN
            -- It came before (DUP_VAL_ON_INDEX), or a part of it cannot be read.
            ROLLBACK;
            RETURN 0;
    END is_true_callback;
END his_sms;
/
