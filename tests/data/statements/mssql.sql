-- look
SELECT TOP (:most) sms_outbound.id
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id;

-- lock
SELECT TOP (:most) sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at
FROM sms_outbound WITH (UPDLOCK, READPAST, ROWLOCK)
WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NOT NULL ORDER BY sms_outbound.status, sms_outbound.id;

-- mark
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2);

-- mark a run
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id BETWEEN :first AND :last;

-- compare and set
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2) AND sms_outbound.status BETWEEN 0 AND 0;

-- compare and set one
UPDATE sms_outbound SET status=:v_STATUS, taken_at=:v_TAKEN_AT WHERE sms_outbound.id = :key AND sms_outbound.status BETWEEN 0 AND 0;

-- left over
SELECT TOP (:most) sms_outbound.id, sms_outbound.message_id, sms_outbound.taken_at
FROM sms_outbound
WHERE sms_outbound.status BETWEEN 1 AND 1 AND sms_outbound.id > :after ORDER BY sms_outbound.status, sms_outbound.id;

-- by keys
SELECT sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at
FROM sms_outbound
WHERE sms_outbound.id IN (1, 2);

-- greatest key
SELECT max(sms_outbound.id) AS max_1
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL;

-- write back
UPDATE sms_outbound SET status=coalesce(:v_STATUS, sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(:v_SEGMENTS, sms_outbound.segments), submitted_at=coalesce(:v_SUBMITTED_AT, sms_outbound.submitted_at), done_at=coalesce(:v_DONE_AT, sms_outbound.done_at) WHERE sms_outbound.id = :v_key AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND 1 = :v_final);

-- write back, few columns
UPDATE sms_outbound SET status=coalesce(:v_STATUS, sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id) WHERE sms_outbound.id = :v_key AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND 1 = :v_final);

-- who holds it
SELECT sms_outbound.id
FROM sms_outbound WITH (UPDLOCK, READPAST, ROWLOCK)
WHERE sms_outbound.id IN (1, 2);

-- receipt
INSERT INTO sms_receipt (outbound_id, message_id, mobile, state, carrier_code, segments, channel, submitted_at, done_at) SELECT :v_OUTBOUND_ID AS anon_1, :v_MESSAGE_ID AS anon_2, :v_MOBILE AS anon_3, :v_STATE AS anon_4, :v_CARRIER_CODE AS anon_5, :v_SEGMENTS AS anon_6, :v_CHANNEL AS anon_7, :v_SUBMITTED_AT AS anon_8, :v_DONE_AT AS anon_9
WHERE NOT (EXISTS (SELECT *
FROM sms_receipt
WHERE sms_receipt.outbound_id = :v_OUTBOUND_ID AND sms_receipt.message_id = :v_MESSAGE_ID AND sms_receipt.state = :v_STATE));

-- inbound
INSERT INTO sms_inbound (id, mobile, content, access_number, extension, outbound_id, received_at) SELECT :v_ID AS anon_1, :v_MOBILE AS anon_2, :v_CONTENT AS anon_3, :v_ACCESS_NUMBER AS anon_4, :v_EXTENSION AS anon_5, :v_OUTBOUND_ID AS anon_6, :v_RECEIVED_AT AS anon_7
WHERE NOT (EXISTS (SELECT *
FROM sms_inbound
WHERE sms_inbound.id = :v_ID));

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
UPDATE sms_outbound SET status=coalesce(:v_STATUS, sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(:v_SEGMENTS, sms_outbound.segments), submitted_at=coalesce(:v_SUBMITTED_AT, sms_outbound.submitted_at), done_at=coalesce(:v_DONE_AT, sms_outbound.done_at) WHERE sms_outbound.id = :v_key AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND 1 = :v_final) AND sms_outbound.status NOT BETWEEN 0 AND 0 AND (sms_outbound.message_id = :v_MESSAGE_ID OR sms_outbound.message_id IS NULL AND (sms_outbound.taken_at IS NULL OR sms_outbound.taken_at <= :v_accepted));

-- lock, moments with a zone
SELECT TOP (:most) sms_outbound.id, sms_outbound.mobile, sms_outbound.content, sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at, sms_outbound.taken_at
FROM sms_outbound WITH (UPDLOCK, READPAST, ROWLOCK)
WHERE sms_outbound.status BETWEEN 0 AND 0 AND sms_outbound.id IS NOT NULL ORDER BY sms_outbound.status, sms_outbound.id;

-- mark, moments with a zone
UPDATE sms_outbound SET status=:v_STATUS, message_id=NULL, result_code=NULL, result_text=NULL, segments=NULL, submitted_at=NULL, done_at=NULL, taken_at=:v_TAKEN_AT WHERE sms_outbound.id IN (1, 2);

-- write back, moments with a zone
UPDATE sms_outbound SET status=coalesce(:v_STATUS, sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(:v_SEGMENTS, sms_outbound.segments), submitted_at=coalesce(:v_SUBMITTED_AT, sms_outbound.submitted_at), done_at=coalesce(:v_DONE_AT, sms_outbound.done_at) WHERE sms_outbound.id = :v_key AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND 1 = :v_final) AND sms_outbound.status NOT BETWEEN 0 AND 0 AND (sms_outbound.message_id = :v_MESSAGE_ID OR sms_outbound.message_id IS NULL AND (sms_outbound.taken_at IS NULL OR sms_outbound.taken_at <= :v_accepted));

-- write back, a CLOB
UPDATE sms_outbound SET status=coalesce(:v_STATUS, sms_outbound.status), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text) WHERE sms_outbound.id = :v_key AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND 1 = :v_final);

-- look, bytes of another encoding
SELECT sms_outbound.id, sms_outbound.mobile, CAST(sms_outbound.content AS VARBINARY(8000)) AS [CONTENT], sms_outbound.template, sms_outbound.params, sms_outbound.business, sms_outbound.lane, sms_outbound.extension, sms_outbound.pass_through, sms_outbound.business_key, sms_outbound.schedule_at, sms_outbound.expire_at, sms_outbound.created_at
FROM sms_outbound
WHERE sms_outbound.id IS NOT NULL AND sms_outbound.status BETWEEN 0 AND 0 ORDER BY sms_outbound.status, sms_outbound.id;

-- write back, bytes of another encoding
UPDATE sms_outbound SET status=coalesce(:v_STATUS, sms_outbound.status), message_id=coalesce(:v_MESSAGE_ID, sms_outbound.message_id), result_code=coalesce(:v_RESULT_CODE, sms_outbound.result_code), result_text=coalesce(:v_RESULT_TEXT, sms_outbound.result_text), segments=coalesce(:v_SEGMENTS, sms_outbound.segments), submitted_at=coalesce(:v_SUBMITTED_AT, sms_outbound.submitted_at), done_at=coalesce(:v_DONE_AT, sms_outbound.done_at) WHERE sms_outbound.id = :v_key AND (sms_outbound.status BETWEEN 0 AND 0 OR sms_outbound.status BETWEEN 1 AND 1 OR sms_outbound.status BETWEEN 2 AND 2 AND 1 = :v_final);
