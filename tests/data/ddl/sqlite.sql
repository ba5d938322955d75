-- Tables of the HIS SMS adapter for sqlite.
-- SMS_OUTBOUND: the HIS inserts a row, the adapter sends it and writes the result into it.
-- SMS_RECEIPT, SMS_INBOUND: only where the configuration names them.
-- Keep the index on (STATUS, ID): without it every poll reads the whole table.

-- MOBILE: one number, or several separated by commas
-- CONTENT: the text, or else TEMPLATE with PARAMS
-- TEMPLATE: name of a template of the adapter
-- PARAMS: its values: a JSON object, or pairs name=value
-- BUSINESS: kind of use, for statistics and policy
-- LANE: urgent, realtime, normal or bulk
-- EXTENSION: digits after the access number
-- PASS_THROUGH: comes back with every answer
-- BUSINESS_KEY: an appointment number, say: to withdraw by
-- SCHEDULE_AT: not before
-- EXPIRE_AT: not after
-- STATUS: 0 new, 1 taken, 2 submitted, 3 delivered, 4 failed, 5 refused, 6 cancelled
-- MESSAGE_ID: of the message, of several: of the submission
-- RESULT_CODE: code of the carrier, or of the refusal
-- RESULT_TEXT: the same in words
-- SEGMENTS: segments charged
CREATE TABLE SMS_OUTBOUND (
    ID INTEGER NOT NULL,
    MOBILE VARCHAR(2000),
    CONTENT VARCHAR(2000),
    TEMPLATE VARCHAR(64),
    PARAMS VARCHAR(2000),
    BUSINESS VARCHAR(32),
    LANE VARCHAR(16),
    EXTENSION VARCHAR(20),
    PASS_THROUGH VARCHAR(200),
    BUSINESS_KEY VARCHAR(64),
    SCHEDULE_AT DATETIME,
    EXPIRE_AT DATETIME,
    CREATED_AT DATETIME DEFAULT (datetime('now', 'localtime')),
    STATUS SMALLINT DEFAULT 0 NOT NULL,
    MESSAGE_ID VARCHAR(32),
    RESULT_CODE VARCHAR(32),
    RESULT_TEXT VARCHAR(200),
    SEGMENTS SMALLINT,
    TAKEN_AT DATETIME,
    SUBMITTED_AT DATETIME,
    DONE_AT DATETIME,
    PRIMARY KEY (ID)
);

CREATE INDEX SMS_OUTBOUND_STATUS ON SMS_OUTBOUND (STATUS, ID);

-- OUTBOUND_ID: SMS_OUTBOUND.ID
-- MESSAGE_ID: one for each recipient
-- STATE: the final state
CREATE TABLE SMS_RECEIPT (
    OUTBOUND_ID BIGINT NOT NULL,
    MESSAGE_ID VARCHAR(32) NOT NULL,
    MOBILE VARCHAR(20),
    STATE VARCHAR(16) NOT NULL,
    CARRIER_CODE VARCHAR(32),
    SEGMENTS SMALLINT,
    CHANNEL VARCHAR(64),
    SUBMITTED_AT DATETIME,
    DONE_AT DATETIME,
    CONSTRAINT SMS_RECEIPT_PK PRIMARY KEY (OUTBOUND_ID, MESSAGE_ID, STATE)
);

-- MOBILE: the phone it came from
-- ACCESS_NUMBER: the number it was sent to
-- EXTENSION: digits after our own access number
-- OUTBOUND_ID: the row it answers
CREATE TABLE SMS_INBOUND (
    ID BIGINT NOT NULL,
    MOBILE VARCHAR(32),
    CONTENT VARCHAR(2000),
    ACCESS_NUMBER VARCHAR(32),
    EXTENSION VARCHAR(20),
    OUTBOUND_ID BIGINT,
    RECEIVED_AT DATETIME,
    PRIMARY KEY (ID)
);

-- Purging, once a day: rows that reached their end, 90 days after it. In small steps, so that
-- nobody waits for the job's locks.
-- DELETE FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6 AND DONE_AT < datetime('now', 'localtime', '-90 days');
