-- The hospital's SMS adapter from T-SQL by raw SOAP (docs/integrator/soap.md). SQL Server 2019 or newer: HTTP by
-- MSXML through OLE automation, which an administrator switches on once:
--   EXEC sp_configure 'show advanced options', 1; RECONFIGURE; EXEC sp_configure 'Ole Automation Procedures', 1; RECONFIGURE;
-- Where that is not wished, a row in a table does the same: docs/integrator/database.md.
--
--   DECLARE @id varchar(20); EXEC dbo.his_sms_send N'OP-20260301-0001', N'13800138000', N'您的就诊时间为明天14:30。', @id OUTPUT;
--   EXEC dbo.his_sms_fetch_receipts;      -- in a job of the Agent, say every minute

CREATE TABLE dbo.his_sms_setting (
    url         nvarchar(200) NOT NULL,   -- https://sms.example.org/soap
    account     nvarchar(64) NOT NULL,
    password    nvarchar(256) NOT NULL,
    key_id      nvarchar(32) NULL,        -- for encrypted contents: the key's id,
    content_key varbinary(32) NULL        -- and its 32 octets
);
GO
-- A receipt may come twice; the key keeps the second one out.
CREATE TABLE dbo.his_sms_receipt (
    receipt_id   varchar(20) NOT NULL PRIMARY KEY,
    message_id   varchar(20) NOT NULL,
    client_ref   nvarchar(64) NULL,
    mobile       varchar(40) NOT NULL,
    state        varchar(20) NOT NULL,
    carrier_code varchar(40) NULL,
    done_at      datetimeoffset NULL
);
GO
-- Nonces of callbacks. Rows older than ten minutes may go.
CREATE TABLE dbo.his_sms_nonce (
    nonce   varchar(128) NOT NULL PRIMARY KEY,
    seen_at datetime2 NOT NULL DEFAULT SYSUTCDATETIME()
);
GO
-- Encrypts by the C# example inside the server (csc /target:library HisSms.cs HisSmsSql.cs; CLR switched on):
--   CREATE ASSEMBLY HisSms FROM 'C:\sms\HisSms.dll' WITH PERMISSION_SET = SAFE;
--   CREATE FUNCTION dbo.his_sms_seal(@key_id nvarchar(32), @key varbinary(32), @content nvarchar(max),
--     @account nvarchar(64), @client_ref nvarchar(64), @mobile nvarchar(40)) RETURNS nvarchar(max)
--     AS EXTERNAL NAME HisSms.HisSmsSql.Seal;

CREATE FUNCTION dbo.his_sms_escaped(@text nvarchar(max)) RETURNS nvarchar(max) AS
BEGIN
    RETURN REPLACE(REPLACE(REPLACE(@text, N'&', N'&amp;'), N'<', N'&lt;'), N'>', N'&gt;');
END;
GO

-- The answer's envelope in @xml, after as many tries as are of use. Throws 50101 where the adapter says no (the message
-- begins with the code), 50102 where nobody answered: a text may then have been accepted, so send it again later, under
-- the same reference.
CREATE PROCEDURE dbo.his_sms_call @operation varchar(20), @request nvarchar(max), @xml xml OUTPUT AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @url nvarchar(200), @account nvarchar(64), @password nvarchar(256), @envelope nvarchar(max);
    SELECT @url = url, @account = account, @password = password FROM dbo.his_sms_setting;
    -- document: envelope
    SET @envelope =
        N'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:his-sms:exchange:1">'
        + N'<s:Header><Credentials><account>' + dbo.his_sms_escaped(@account) + N'</account><password>'
        + dbo.his_sms_escaped(@password) + N'</password></Credentials></s:Header><s:Body><' + @operation
        + N'><request>' + @request + N'</request></' + @operation + N'></s:Body></s:Envelope>';

    IF LEN(@envelope) > 4000
        THROW 50103, N'his_sms_call: OLE automation takes 4,000 characters', 1;

    DECLARE @body nvarchar(4000) = @envelope;
    DECLARE @tried int = 0, @failed int, @http int, @status int, @code varchar(40), @told nvarchar(1000), @pause char(12);
    DECLARE @answer TABLE (body nvarchar(max));
    WHILE @tried < 6
    BEGIN
        SELECT @tried = @tried + 1, @status = 0, @code = NULL, @told = NULL, @xml = NULL;
        DELETE FROM @answer;
        EXEC @failed = sp_OACreate 'MSXML2.ServerXMLHTTP.6.0', @http OUTPUT;
        IF @failed = 0
            EXEC @failed = sp_OAMethod @http, 'setTimeouts', NULL, 10000, 10000, 30000, 30000;
        IF @failed = 0
            EXEC @failed = sp_OAMethod @http, 'open', NULL, 'POST', @url, 'false';
        IF @failed = 0
            EXEC @failed = sp_OAMethod @http, 'setRequestHeader', NULL, 'Content-Type', 'text/xml; charset=utf-8';
        IF @failed = 0
            EXEC @failed = sp_OAMethod @http, 'send', NULL, @body;
        IF @failed = 0
        BEGIN
            EXEC sp_OAGetProperty @http, 'status', @status OUTPUT;
            -- Without an output variable: these hold 4,000 characters.
            INSERT INTO @answer (body) EXEC sp_OAGetProperty @http, 'responseText';
        END;
        IF @http IS NOT NULL
            EXEC sp_OADestroy @http;
        -- The declaration names UTF-8; the text has long been nvarchar.
        SELECT @xml = TRY_CAST(
            CASE WHEN body LIKE N'<?xml%' THEN STUFF(body, 1, CHARINDEX(N'?>', body) + 1, N'') ELSE body END AS xml)
          FROM @answer;
        WITH XMLNAMESPACES ('urn:his-sms:exchange:1' AS e)
        SELECT @code = @xml.value('(//e:ExchangeFault/e:code)[1]', 'varchar(40)'),
               @told = @xml.value('(//e:ExchangeFault/e:description)[1]', 'nvarchar(1000)');
        IF @status = 200 AND @xml IS NOT NULL AND @code IS NULL
            RETURN 0;
        IF @code NOT IN ('RATE_LIMITED', 'SPOOL_FULL', 'STORE_UNAVAILABLE', 'INTERNAL')
        BEGIN
            SET @told = CONCAT(@code, N': ', @told);
            THROW 50101, @told, 1;
        END;
        -- 0.5 s, doubled each time, a part of it by chance.
        SET @pause = CONVERT(char(12),
            DATEADD(MILLISECOND, 500 * POWER(2, @tried - 1) * (0.5 + RAND() / 2), CAST('00:00' AS datetime)), 114);
        IF @tried < 6
            WAITFOR DELAY @pause;
    END;
    SET @told = CONCAT(@operation, N': status ', @status, N' ', @code, N' ', @told);
    THROW 50102, @told, 1;
END;
GO

-- Sends one text; it is durable when this returns. Take @client_ref from your own data: a text is sent once under it,
-- however often you ask.
CREATE PROCEDURE dbo.his_sms_send
    @client_ref nvarchar(64), @mobile nvarchar(40), @content nvarchar(max), @message_id varchar(20) OUTPUT AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @text nvarchar(max), @request nvarchar(max), @xml xml, @code varchar(40);
    SET @text = N'<content>' + dbo.his_sms_escaped(@content) + N'</content>';
    -- With a key, instead:
    --   SELECT @text = N'<encryptedContent>' + dbo.his_sms_seal(key_id, content_key, @content, account, @client_ref,
    --     @mobile) + N'</encryptedContent>' FROM dbo.his_sms_setting;
    -- document: send
    SET @request = N'<clientRef>' + dbo.his_sms_escaped(@client_ref) + N'</clientRef>' + @text
        + N'<recipients><Recipient><mobile>' + dbo.his_sms_escaped(@mobile) + N'</mobile></Recipient></recipients>';
    EXEC dbo.his_sms_call 'Send', @request, @xml OUTPUT;
    WITH XMLNAMESPACES ('urn:his-sms:exchange:1' AS e)
    SELECT @message_id = @xml.value('(//e:Result/e:messageId)[1]', 'varchar(20)'),
           @code = @xml.value('(//e:Result/e:code)[1]', 'varchar(40)');
    IF @message_id IS NULL
    BEGIN
        SET @text = CONCAT(@code, N': the number was refused');
        THROW 50101, @text, 1;
    END;
END;
GO

-- Puts every receipt that waits into his_sms_receipt, and acknowledges it then. Not to be called inside a transaction:
-- what is acknowledged must not be rolled back.
CREATE PROCEDURE dbo.his_sms_fetch_receipts AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @request nvarchar(200), @xml xml, @cursor nvarchar(80), @more varchar(5) = 'true';
    IF @@TRANCOUNT > 0
        THROW 50103, N'his_sms_fetch_receipts: not inside a transaction', 1;
    WHILE @more = 'true'
    BEGIN
        -- document: fetch
        SET @request = N'<max>500</max>';
        EXEC dbo.his_sms_call 'FetchReceipts', @request, @xml OUTPUT;
        WITH XMLNAMESPACES ('urn:his-sms:exchange:1' AS e)
        INSERT INTO dbo.his_sms_receipt (receipt_id, message_id, client_ref, mobile, state, carrier_code, done_at)
        SELECT came.receipt_id, came.message_id, came.client_ref, came.mobile, came.state, came.carrier_code, came.done_at
          FROM (SELECT r.value('(e:receiptId)[1]', 'varchar(20)') AS receipt_id,
                       r.value('(e:messageId)[1]', 'varchar(20)') AS message_id,
                       r.value('(e:clientRef)[1]', 'nvarchar(64)') AS client_ref,
                       r.value('(e:mobile)[1]', 'varchar(40)') AS mobile,
                       r.value('(e:state)[1]', 'varchar(20)') AS state,
                       r.value('(e:carrierCode)[1]', 'varchar(40)') AS carrier_code,
                       r.value('(e:doneAt)[1]', 'datetimeoffset') AS done_at
                  FROM @xml.nodes('//e:Receipt') AS receipts(r)) AS came
         WHERE NOT EXISTS (SELECT 1 FROM dbo.his_sms_receipt AS kept WHERE kept.receipt_id = came.receipt_id);
        WITH XMLNAMESPACES ('urn:his-sms:exchange:1' AS e)
        SELECT @cursor = @xml.value('(//e:FetchReceiptsResult/e:cursor)[1]', 'nvarchar(80)'),
               @more = @xml.value('(//e:FetchReceiptsResult/e:more)[1]', 'varchar(5)');
        -- document: ack
        SET @request = N'<cursor>' + dbo.his_sms_escaped(@cursor) + N'</cursor>';
        EXEC dbo.his_sms_call 'AckReceipts', @request, @xml OUTPUT;
    END;
END;
GO

-- HMAC-SHA256 (RFC 2104), for keys of at most 64 octets.
CREATE FUNCTION dbo.his_sms_hmac(@key varbinary(64), @text varbinary(max)) RETURNS binary(32) AS
BEGIN
    DECLARE @at int = 1, @octet int, @inner varbinary(64) = 0x, @outer varbinary(64) = 0x;
    WHILE @at <= 64
    BEGIN
        SET @octet = CASE WHEN @at <= DATALENGTH(@key) THEN CAST(SUBSTRING(@key, @at, 1) AS int) ELSE 0 END;
        SET @inner = @inner + CAST(@octet ^ 0x36 AS binary(1));
        SET @outer = @outer + CAST(@octet ^ 0x5C AS binary(1));
        SET @at = @at + 1;
    END;
    RETURN HASHBYTES('SHA2_256', @outer + HASHBYTES('SHA2_256', @inner + @text));
END;
GO

-- Texts as UTF-8.
CREATE FUNCTION dbo.his_sms_octets(@text nvarchar(max)) RETURNS varbinary(max) AS
BEGIN
    RETURN CAST(CAST(@text COLLATE Latin1_General_100_BIN2_UTF8 AS varchar(max)) AS varbinary(max));
END;
GO

-- Whether a callback is from the adapter (docs/integrator/callbacks.md): @is_true is 1. The parts of the header Authorization
-- are given one by one, @signature as 32 octets; @body as it came.
CREATE PROCEDURE dbo.his_sms_is_true_callback
    @method varchar(10), @path varchar(500), @account nvarchar(64), @key_id nvarchar(32), @time varchar(40),
    @nonce varchar(64), @reference nvarchar(64), @body varbinary(max), @signature binary(32), @secret varchar(64),
    @is_true bit OUTPUT AS
BEGIN
    SET NOCOUNT ON;
    SET @is_true = 0;
    DECLARE @lf nchar(1) = NCHAR(10), @lines nvarchar(max), @made datetimeoffset = TRY_CAST(@time AS datetimeoffset);
    SET @lines = CONCAT(N'HMAC-SHA256', @lf, @method, @lf, @path, @lf, @account, @lf, @key_id, @lf, @time, @lf, @nonce,
        @lf, @reference, @lf);
    -- Compared as digests of digests, so that the time taken tells nothing.
    IF HASHBYTES('SHA2_256', @signature) <> HASHBYTES('SHA2_256',
            dbo.his_sms_hmac(dbo.his_sms_octets(@secret), dbo.his_sms_octets(@lines) + @body))
        RETURN;
    IF @made IS NULL OR ABS(DATEDIFF(SECOND, @made, SYSDATETIMEOFFSET())) > 300
        RETURN;
    BEGIN TRY
        INSERT INTO dbo.his_sms_nonce (nonce) VALUES (CONCAT(@key_id, ' ', @nonce));
        SET @is_true = 1;
    END TRY
    BEGIN CATCH
        -- It came before.
        SET @is_true = 0;
    END CATCH;
END;
GO
