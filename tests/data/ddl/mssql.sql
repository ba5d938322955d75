-- Tables of the HIS SMS adapter for mssql.
-- SMS_OUTBOUND: the HIS inserts a row, the adapter sends it and writes the result into it.
-- SMS_RECEIPT, SMS_INBOUND: only where the configuration names them.
-- Keep the index on (STATUS, ID): without it every poll reads the whole table.

CREATE SEQUENCE SMS_OUTBOUND_SEQ START WITH 1;

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
    ID BIGINT NOT NULL DEFAULT NEXT VALUE FOR SMS_OUTBOUND_SEQ,
    MOBILE NVARCHAR(2000) NULL,
    CONTENT NVARCHAR(2000) NULL,
    TEMPLATE NVARCHAR(64) NULL,
    PARAMS NVARCHAR(2000) NULL,
    BUSINESS NVARCHAR(32) NULL,
    LANE NVARCHAR(16) NULL,
    EXTENSION NVARCHAR(20) NULL,
    PASS_THROUGH NVARCHAR(200) NULL,
    BUSINESS_KEY NVARCHAR(64) NULL,
    SCHEDULE_AT DATETIME2(3) NULL,
    EXPIRE_AT DATETIME2(3) NULL,
    CREATED_AT DATETIMEOFFSET NULL DEFAULT SYSDATETIMEOFFSET(),
    STATUS SMALLINT NOT NULL DEFAULT 0,
    MESSAGE_ID NVARCHAR(32) NULL,
    RESULT_CODE NVARCHAR(32) NULL,
    RESULT_TEXT NVARCHAR(200) NULL,
    SEGMENTS SMALLINT NULL,
    TAKEN_AT DATETIME2(3) NULL,
    SUBMITTED_AT DATETIME2(3) NULL,
    DONE_AT DATETIME2(3) NULL,
    PRIMARY KEY (ID)
);

CREATE INDEX SMS_OUTBOUND_STATUS ON SMS_OUTBOUND (STATUS, ID);

-- OUTBOUND_ID: SMS_OUTBOUND.ID
-- MESSAGE_ID: one for each recipient
-- STATE: the final state
CREATE TABLE SMS_RECEIPT (
    OUTBOUND_ID BIGINT NOT NULL,
    MESSAGE_ID NVARCHAR(32) NOT NULL,
    MOBILE NVARCHAR(20) NULL,
    STATE NVARCHAR(16) NOT NULL,
    CARRIER_CODE NVARCHAR(32) NULL,
    SEGMENTS SMALLINT NULL,
    CHANNEL NVARCHAR(64) NULL,
    SUBMITTED_AT DATETIME2(3) NULL,
    DONE_AT DATETIME2(3) NULL,
    CONSTRAINT SMS_RECEIPT_PK PRIMARY KEY (OUTBOUND_ID, MESSAGE_ID, STATE)
);

-- MOBILE: the phone it came from
-- ACCESS_NUMBER: the number it was sent to
-- EXTENSION: digits after our own access number
-- OUTBOUND_ID: the row it answers
CREATE TABLE SMS_INBOUND (
    ID BIGINT NOT NULL,
    MOBILE NVARCHAR(32) NULL,
    CONTENT NVARCHAR(2000) NULL,
    ACCESS_NUMBER NVARCHAR(32) NULL,
    EXTENSION NVARCHAR(20) NULL,
    OUTBOUND_ID BIGINT NULL,
    RECEIVED_AT DATETIME2(3) NULL,
    PRIMARY KEY (ID)
);

-- Rights. The adapter's account needs these and no others ($ACCOUNT: its name):
-- GRANT SELECT, UPDATE ON SMS_OUTBOUND TO $ACCOUNT;
-- GRANT SELECT, INSERT ON SMS_RECEIPT TO $ACCOUNT;
-- GRANT SELECT, INSERT ON SMS_INBOUND TO $ACCOUNT;

-- Purging, once a day: rows that reached their end, 90 days after it. In small steps, so that
-- nobody waits for the job's locks.
-- DELETE TOP (2000) FROM SMS_OUTBOUND WHERE STATUS BETWEEN 3 AND 6 AND DONE_AT < DATEADD(DAY, -90, SYSDATETIME());
