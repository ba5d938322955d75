-- look
SELECT chosen.id
FROM (SELECT sms_outbound.id AS id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= ?;

-- lock
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NOT NULL AND sms_outbound.id IN (SELECT chosen.id
FROM (SELECT sms_outbound.id AS id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= ?) FOR UPDATE SKIP LOCKED;

-- mark
UPDATE sms_outbound SET status=?, taken_at=? WHERE sms_outbound.id IN (1, 2);

-- mark a run
UPDATE sms_outbound SET status=?, taken_at=? WHERE sms_outbound.id BETWEEN ? AND ?;

-- compare and set
UPDATE sms_outbound SET status=?, taken_at=? WHERE sms_outbound.id IN (1, 2) AND sms_outbound.status BETWEEN 0 AND 0;

-- compare and set one
UPDATE sms_outbound SET status=?, taken_at=? WHERE sms_outbound.id = ? AND sms_outbound.status BETWEEN 0 AND 0;

-- left over
SELECT chosen.id, chosen.message_id, chosen.taken_at
FROM (SELECT sms_outbound.id AS id, sms_outbound.message_id AS message_id, sms_outbound.taken_at AS taken_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 1 AND 1 AND sms_outbound.id > ? ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= ?;

-- by keys
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2);

-- greatest key
SELECT max(sms_outbound.id) AS max_1
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL;

-- write back
UPDATE sms_outbound SET status=coalesce(CAST(? AS SMALLINT), sms_outbound.status), message_id=coalesce(?, sms_outbound.message_id), result_code=coalesce(?, sms_outbound.result_code), result_text=coalesce(?, sms_outbound.result_text), segments=coalesce(CAST(? AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.done_at) WHERE sms_outbound.id = CAST(? AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND ? = 1);

-- write back, few columns
UPDATE sms_outbound SET status=coalesce(CAST(? AS SMALLINT), sms_outbound.status), message_id=coalesce(?, sms_outbound.message_id) WHERE sms_outbound.id = CAST(? AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND ? = 1);

-- who holds it
SELECT sms_outbound.id
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2) FOR UPDATE SKIP LOCKED;

-- receipt
INSERT INTO sms_receipt (outbound_id, message_id, mobile, state, carrier_code, segments, channel, submitted_at, done_at) SELECT CAST(? AS NUMBER(19)) AS anon_1, ? AS anon_2, ? AS anon_3, ? AS anon_4, ? AS anon_5, CAST(? AS SMALLINT) AS anon_6, ? AS anon_7, CAST(? AS TIMESTAMP) AS anon_8, CAST(? AS TIMESTAMP) AS anon_9
FROM DUAL
WHERE NOT (EXISTS (SELECT *
FROM sms_receipt
WHERE sms_receipt.outbound_id = CAST(? AS NUMBER(19)) AND sms_receipt.message_id = ? AND sms_receipt.state = ?));

-- inbound
INSERT INTO sms_inbound (id, mobile, content, access_number, extension, outbound_id, received_at) SELECT CAST(? AS NUMBER(19)) AS anon_1, ? AS anon_2, ? AS anon_3, ? AS anon_4, ? AS anon_5, CAST(? AS NUMBER(19)) AS anon_6, CAST(? AS TIMESTAMP) AS anon_7
FROM DUAL
WHERE NOT (EXISTS (SELECT *
FROM sms_inbound
WHERE sms_inbound.id = CAST(? AS NUMBER(19))));

-- move
INSERT INTO sms_old (id, mobile) SELECT id, mobile
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2);

-- delete
DELETE FROM sms_outbound WHERE sms_outbound.id IN (1, 2);

-- no key
UPDATE sms_outbound SET status=?, result_code=?, result_text=? WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NULL;

-- mark, to be sent again
UPDATE sms_outbound SET status=?, message_id=NULL, result_code=NULL, result_text=NULL, segments=NULL, submitted_at=NULL, done_at=NULL, taken_at=? WHERE sms_outbound.id IN (1, 2);

-- write back, of the last sending
UPDATE sms_outbound SET status=coalesce(CAST(? AS SMALLINT), sms_outbound.status), message_id=coalesce(?, sms_outbound.message_id), result_code=coalesce(?, sms_outbound.result_code), result_text=coalesce(?, sms_outbound.result_text), segments=coalesce(CAST(? AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.done_at) WHERE sms_outbound.id = CAST(? AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND ? = 1) AND sms_outbound.status NOT BETWEEN 0 AND 0 AND (sms_outbound.message_id = ? OR sms_outbound.message_id IS NULL AND (sms_outbound.taken_at IS NULL OR sms_outbound.taken_at <= CAST(? AS TIMESTAMP)));

-- lock, moments with a zone
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at, sms_outbound.taken_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NOT NULL AND sms_outbound.id IN (SELECT chosen.id
FROM (SELECT sms_outbound.id AS id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= ?) FOR UPDATE SKIP LOCKED;

-- mark, moments with a zone
UPDATE sms_outbound SET status=?, message_id=NULL, result_code=NULL, result_text=NULL, segments=NULL, submitted_at=NULL, done_at=NULL, taken_at=? WHERE sms_outbound.id IN (1, 2);

-- write back, moments with a zone
UPDATE sms_outbound SET status=coalesce(CAST(? AS SMALLINT), sms_outbound.status), message_id=coalesce(?, sms_outbound.message_id), result_code=coalesce(?, sms_outbound.result_code), result_text=coalesce(?, sms_outbound.result_text), segments=coalesce(CAST(? AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(? AS TIMESTAMP WITH TIME ZONE), sms_outbound.done_at) WHERE sms_outbound.id = CAST(? AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND ? = 1) AND sms_outbound.status NOT BETWEEN 0 AND 0 AND (sms_outbound.message_id = ? OR sms_outbound.message_id IS NULL AND (sms_outbound.taken_at IS NULL OR sms_outbound.taken_at <= CAST(? AS TIMESTAMP WITH TIME ZONE)));

-- write back, a CLOB
UPDATE sms_outbound SET status=coalesce(CAST(? AS SMALLINT), sms_outbound.status), result_text=coalesce(?, sms_outbound.result_text) WHERE sms_outbound.id = CAST(? AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND ? = 1);

-- look, bytes of another encoding
SELECT sms_outbound.id, sms_outbound.mobile, UTL_RAW.CAST_TO_RAW(sms_outbound.content) AS "CONTENT", sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id;

-- write back, bytes of another encoding
UPDATE sms_outbound SET status=coalesce(CAST(? AS SMALLINT), sms_outbound.status), message_id=coalesce(?, sms_outbound.message_id), result_code=coalesce(?, sms_outbound.result_code), result_text=coalesce(UTL_RAW.CAST_TO_VARCHAR2(?), sms_outbound.result_text), segments=coalesce(CAST(? AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(? AS TIMESTAMP), sms_outbound.done_at) WHERE sms_outbound.id = CAST(? AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND ? = 1);
