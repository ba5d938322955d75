-- Tables of the HIS SMS adapter for mysql.
-- SMS_OUTBOUND: the HIS inserts a row, the adapter sends it and writes the result into it.
-- SMS_RECEIPT, SMS_INBOUND: only where the configuration names them.
-- Keep the index on (STATUS, ID): without it every poll reads the whole table.

CREATE TABLE SMS_OUTBOUND (
    ID BIGINT NOT NULL AUTO_INCREMENT,
    MOBILE VARCHAR(2000) COMMENT 'one number, or several separated by commas',
    CONTENT VARCHAR(2000) COMMENT 'the text, or else TEMPLATE with PARAMS',
    TEMPLATE VARCHAR(64) COMMENT 'name of a template of the adapter',
    PARAMS VARCHAR(2000) COMMENT 'its values: a JSON object, or pairs name=value',
    BUSINESS VARCHAR(32) COMMENT 'kind of use, for statistics and policy',
    LANE VARCHAR(16) COMMENT 'urgent, realtime, normal or bulk',
    EXTENSION VARCHAR(20) COMMENT 'digits after the access number',
    PASS_THROUGH VARCHAR(200) COMMENT 'comes back with every answer',
    BUSINESS_KEY VARCHAR(64) COMMENT 'an appointment number, say: to withdraw by',
    SCHEDULE_AT DATETIME(3) COMMENT 'not before',
    EXPIRE_AT DATETIME(3) COMMENT 'not after',
    CREATED_AT DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3),
    STATUS SMALLINT NOT NULL COMMENT '0 new, 1 taken, 2 submitted, 3 delivered, 4 failed, 5 refused, 6 cancelled' DEFAULT 0,
    MESSAGE_ID VARCHAR(32) COMMENT 'of the message, of several: of the submission',
    RESULT_CODE VARCHAR(32) COMMENT 'code of the carrier, or of the refusal',
    RESULT_TEXT VARCHAR(200) COMMENT 'the same in words',
    SEGMENTS SMALLINT COMMENT 'segments charged',
    TAKEN_AT DATETIME(3),
    SUBMITTED_AT DATETIME(3),
    DONE_AT DATETIME(3),
    PRIMARY KEY (ID)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE INDEX SMS_OUTBOUND_STATUS ON SMS_OUTBOUND (STATUS, ID);

CREATE TABLE SMS_RECEIPT (
    OUTBOUND_ID BIGINT NOT NULL COMMENT 'SMS_OUTBOUND.ID',
    MESSAGE_ID VARCHAR(32) NOT NULL COMMENT 'one for each recipient',
    MOBILE VARCHAR(20),
    STATE VARCHAR(16) NOT NULL COMMENT 'the final state',
    CARRIER_CODE VARCHAR(32),
    SEGMENTS SMALLINT,
    CHANNEL VARCHAR(64),
    SUBMITTED_AT DATETIME(3),
    DONE_AT DATETIME(3),
    CONSTRAINT SMS_RECEIPT_PK PRIMARY KEY (OUTBOUND_ID, MESSAGE_ID, STATE)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE SMS_INBOUND (
    ID BIGINT NOT NULL,
    MOBILE VARCHAR(32) COMMENT 'the phone it came from',
    CONTENT VARCHAR(2000),
    ACCESS_NUMBER VARCHAR(32) COMMENT 'the number it was sent to',
    EXTENSION VARCHAR(20) COMMENT 'digits after our own access number',
    OUTBOUND_ID BIGINT COMMENT 'the row it answers',
    RECEIVED_AT DATETIME(3),
    PRIMARY KEY (ID)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Rights. The adapter's account needs these and no others ($ACCOUNT: its name):
-- GRANT SELECT, UPDATE ON SMS_OUTBOUND TO $ACCOUNT;
-- GRANT SELECT, INSERT ON SMS_RECEIPT TO $ACCOUNT;
-- GRANT SELECT, INSERT ON SMS_INBOUND TO $ACCOUNT;

-- Purging, once a day: rows that reached their end, 90 days after it. In small steps, so that
-- nobody waits for the job's locks.
-- DELETE FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6 AND DONE_AT < NOW() - INTERVAL 90 DAY ORDER BY STATUS, ID LIMIT 5000;
