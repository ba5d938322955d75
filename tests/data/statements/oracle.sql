-- look
SELECT chosen.id
FROM (SELECT sms_outbound.id AS id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= :most;

-- lock
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, CAST(CAST(sms_outbound.created_at AS TIMESTAMP WITH LOCAL TIME ZONE) AS TIMESTAMP) AS created_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NOT NULL AND sms_outbound.id IN (SELECT chosen.id
FROM (SELECT sms_outbound.id AS id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= :most) FOR UPDATE SKIP LOCKED;

-- mark
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2);

-- mark a run
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id BETWEEN :first AND :last;

-- compare and set
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2) AND sms_outbound.status BETWEEN 0 AND 0;

-- compare and set one
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id = :key AND sms_outbound.status BETWEEN 0 AND 0;

-- left over
SELECT chosen.id, chosen.message_id, chosen.taken_at
FROM (SELECT sms_outbound.id AS id, sms_outbound.message_id AS message_id, sms_outbound.taken_at AS taken_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 1 AND 1 AND sms_outbound.id > :after ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= :most;

-- by keys
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, CAST(CAST(sms_outbound.created_at AS TIMESTAMP WITH LOCAL TIME ZONE) AS TIMESTAMP) AS created_at
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2);

-- greatest key
SELECT max(sms_outbound.id) AS max_1
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL;

-- write back
UPDATE sms_outbound SET status=coalesce(CAST(:v_STATUS AS SMALLINT), sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(CAST(:v_SEGMENTS AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(:v_SUBMITTED_AT AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(:v_DONE_AT AS TIMESTAMP), sms_outbound.done_at) WHERE sms_outbound.id = CAST(:v_key AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND :v_final = 1);

-- write back, few columns
UPDATE sms_outbound SET status=coalesce(CAST(:v_STATUS AS SMALLINT), sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id) WHERE sms_outbound.id = CAST(:v_key AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND :v_final = 1);

-- who holds it
SELECT sms_outbound.id
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2) FOR UPDATE SKIP LOCKED;

-- receipt
INSERT INTO sms_receipt (outbound_id, message_id, mobile, state, carrier_code, segments, channel, submitted_at, done_at) SELECT CAST(:v_OUTBOUND_ID AS NUMBER(19)) AS anon_1, :v_MESSAGE_ID AS anon_2, :v_MOBILE AS anon_3, :v_STATE AS anon_4, :v_CARRIER_CODE AS anon_5, CAST(:v_SEGMENTS AS SMALLINT) AS anon_6, :v_CHANNEL AS anon_7, CAST(:v_SUBMITTED_AT AS TIMESTAMP) AS anon_8, CAST(:v_DONE_AT AS TIMESTAMP) AS anon_9
FROM DUAL
WHERE NOT (EXISTS (SELECT *
FROM sms_receipt
WHERE sms_receipt.outbound_id = CAST(:v_OUTBOUND_ID AS NUMBER(19)) AND sms_receipt.message_id = :v_MESSAGE_ID AND sms_receipt.state = :v_STATE));

-- inbound
INSERT INTO sms_inbound (id, mobile, content, access_number, extension, outbound_id, received_at) SELECT CAST(:v_ID AS NUMBER(19)) AS anon_1, :v_MOBILE AS anon_2, :v_CONTENT AS anon_3, :v_ACCESS_NUMBER AS anon_4, :v_EXTENSION AS anon_5, CAST(:v_OUTBOUND_ID AS NUMBER(19)) AS anon_6, CAST(:v_RECEIVED_AT AS TIMESTAMP) AS anon_7
FROM DUAL
WHERE NOT (EXISTS (SELECT *
FROM sms_inbound
WHERE sms_inbound.id = CAST(:v_ID AS NUMBER(19))));

-- move
INSERT INTO sms_old (id, mobile) SELECT id, mobile
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2);

-- delete
DELETE FROM sms_outbound WHERE sms_outbound.id IN (1, 2);

-- no key
UPDATE sms_outbound SET status=:param_1, result_code=:param_2, result_text=:param_3 WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NULL;

-- mark, to be sent again
UPDATE sms_outbound SET status=:v_STATUS, message_id=NULL, result_code=NULL, result_text=NULL, segments=NULL, submitted_at=NULL, done_at=NULL, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2);

-- write back, of the last sending
UPDATE sms_outbound SET status=coalesce(CAST(:v_STATUS AS SMALLINT), sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(CAST(:v_SEGMENTS AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(:v_SUBMITTED_AT AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(:v_DONE_AT AS TIMESTAMP), sms_outbound.done_at) WHERE sms_outbound.id = CAST(:v_key AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND :v_final = 1) AND sms_outbound.status NOT BETWEEN 0 AND 0 AND (sms_outbound.message_id = :v_MESSAGE_ID OR sms_outbound.message_id IS NULL AND (sms_outbound.taken_at IS NULL OR sms_outbound.taken_at <= CAST(:v_accepted AS TIMESTAMP)));

-- lock, moments with a zone
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, CAST(CAST(sms_outbound.schedule_at AS TIMESTAMP WITH LOCAL TIME ZONE) AS TIMESTAMP) AS schedule_at, sms_outbound.expire_at, CAST(CAST(sms_outbound.created_at AS TIMESTAMP WITH LOCAL TIME ZONE) AS TIMESTAMP) AS created_at, CAST(CAST(sms_outbound.taken_at AS TIMESTAMP WITH LOCAL TIME ZONE) AS TIMESTAMP) AS taken_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NOT NULL AND sms_outbound.id IN (SELECT chosen.id
FROM (SELECT sms_outbound.id AS id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id) chosen
WHERE ROWNUM <= :most) FOR UPDATE SKIP LOCKED;

-- mark, moments with a zone
UPDATE sms_outbound SET status=:v_STATUS, message_id=NULL, result_code=NULL, result_text=NULL, segments=NULL, submitted_at=NULL, done_at=NULL, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2);

-- write back, moments with a zone
UPDATE sms_outbound SET status=coalesce(CAST(:v_STATUS AS SMALLINT), sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(CAST(:v_SEGMENTS AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(:v_SUBMITTED_AT AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(:v_DONE_AT AS TIMESTAMP WITH TIME ZONE), sms_outbound.done_at) WHERE sms_outbound.id = CAST(:v_key AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND :v_final = 1) AND sms_outbound.status NOT BETWEEN 0 AND 0 AND (sms_outbound.message_id = :v_MESSAGE_ID OR sms_outbound.message_id IS NULL AND (sms_outbound.taken_at IS NULL OR sms_outbound.taken_at <= CAST(:v_accepted AS TIMESTAMP WITH TIME ZONE)));

-- write back, a CLOB
UPDATE sms_outbound SET status=coalesce(CAST(:v_STATUS AS SMALLINT), sms_outbound.status), result_text=coalesce(TO_CLOB(:v_RESULT_TEXT), sms_outbound.result_text) WHERE sms_outbound.id = CAST(:v_key AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND :v_final = 1);

-- look, bytes of another encoding
SELECT sms_outbound.id, sms_outbound.mobile, UTL_RAW.CAST_TO_RAW(sms_outbound.content) AS "CONTENT", sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, CAST(CAST(sms_outbound.created_at AS TIMESTAMP WITH LOCAL TIME ZONE) AS TIMESTAMP) AS created_at
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id;

-- write back, bytes of another encoding
UPDATE sms_outbound SET status=coalesce(CAST(:v_STATUS AS SMALLINT), sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(UTL_RAW.CAST_TO_VARCHAR2(:v_RESULT_TEXT), sms_outbound.result_text), segments=coalesce(CAST(:v_SEGMENTS AS SMALLINT), sms_outbound.segments), submitted_at=coalesce(CAST(:v_SUBMITTED_AT AS TIMESTAMP), sms_outbound.submitted_at), done_at=coalesce(CAST(:v_DONE_AT AS TIMESTAMP), sms_outbound.done_at) WHERE sms_outbound.id = CAST(:v_key AS NUMBER(19)) AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND :v_final = 1);
