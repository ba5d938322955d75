{ The hospital's SMS adapter by raw SOAP, as docs/integrator/soap.md shows it: Delphi 10.2 or newer,
  Free Pascal 3.2. Nothing is generated; envelopes are texts.

    Sms := THisSms.Create('https://sms.example.org', 'his', Password);
    Sms.Send('OP-20260301-0001', ['13800138000'], '您的就诊时间为明天14:30。');
    Sms.HandleReceipts(SaveReceipt);

  Texts are UTF8String: that is what travels. Times of one try: 10 s to connect, 30 s for the answer. }
unit HisSms;

{$IFDEF FPC}{$MODE DELPHI}{$CODEPAGE UTF8}{$ENDIF}

interface

uses
  SysUtils, Classes;

type
  { Gets an element as it came, such as a Receipt: see TextOf. What it raises goes to the caller. }
  TSmsHandler = procedure(const Element: UTF8String) of object;

  { The adapter says no. Decide by Code. }
  ESmsRefused = class(Exception)
  public
    Code: UTF8String;
    Answer: UTF8String;
  end;

  { Nobody answered, or something that is no adapter. A text may have been accepted: repeat it later
    under the same ClientRef. }
  ESmsNoAnswer = class(Exception);

  THisSms = class
  private
    FUrl, FAccount, FPassword, FContentKeyId: UTF8String;
    FContentKey: TBytes;
    FTries, FFirstMillis: Integer;
    function Post(const Body: UTF8String; out Answer: UTF8String; out AfterSeconds: Integer): Integer;
    function Handle(const What, Item, Id: UTF8String; Handler: TSmsHandler): Integer;
  public
    { Pauses between tries: FirstMillis, doubled each time. }
    constructor Create(const Url, Account, Password: UTF8String; Tries: Integer = 6;
      FirstMillis: Integer = 500);
    { From now on contents go encrypted with this key of 32 octets; needs OpenSSL (HisSmsCrypto). }
    procedure EncryptWith(const KeyId: UTF8String; const Key: TBytes);
    { One text to some numbers; it is durable when this returns. Take ClientRef from your own data: a
      text is sent once under it, however often you ask. }
    function Send(const ClientRef: UTF8String; const Mobiles: array of UTF8String;
      const Content: UTF8String): UTF8String;
    { Hands every receipt that waits to Handler and acknowledges what it returned from. A receipt may
      come twice: receiptId tells. A receipt whose handler raised comes again. }
    function HandleReceipts(Handler: TSmsHandler): Integer;
    { The same for texts from phones. }
    function HandleInbound(Handler: TSmsHandler): Integer;
    { Any operation, tried again while that is of use. Request is the XML inside of <request>. }
    function Call(const Operation, Request: UTF8String): UTF8String;
  end;

{ The text of the first element of this name, whatever its prefix; empty where there is none. }
function TextOf(const Xml, Name: UTF8String): UTF8String;
{ The content of an element of this name, from Place on; moves Place behind it. }
function NextElement(const Xml, Name: UTF8String; var Place: Integer; out Inner: UTF8String): Boolean;
function Escaped(const Text: UTF8String): UTF8String;

implementation

uses
  {$IFDEF FPC}fphttpclient, opensslsockets{$ELSE}System.Net.HttpClient, System.Net.URLClient{$ENDIF},
  HisSmsCrypto;

const
  Soap = 'http://schemas.xmlsoap.org/soap/envelope/';
  Exchange = 'urn:his-sms:exchange:1';
  { The same request may succeed later; every other code would come again. }
  Retryable = ' RATE_LIMITED SPOOL_FULL STORE_UNAVAILABLE INTERNAL ';

function Escaped(const Text: UTF8String): UTF8String;
var
  Each: AnsiChar;
begin
  Result := '';
  for Each in Text do
    case Each of
      '&': Result := Result + '&amp;';
      '<': Result := Result + '&lt;';
      '>': Result := Result + '&gt;';
    else
      Result := Result + Each;
    end;
end;

function Place(const Part, Whole: UTF8String; From: Integer): Integer;
var
  At: Integer;
begin
  for At := From to Length(Whole) - Length(Part) + 1 do
    if CompareMem(@Whole[At], @Part[1], Length(Part)) then
    begin
      Result := At;
      Exit;
    end;
  Result := 0;
end;

function Replaced(const Text, Old, New: UTF8String): UTF8String;
var
  At, From: Integer;
begin
  Result := '';
  From := 1;
  At := Place(Old, Text, 1);
  while At > 0 do
  begin
    Result := Result + Copy(Text, From, At - From) + New;
    From := At + Length(Old);
    At := Place(Old, Text, From);
  end;
  Result := Result + Copy(Text, From, MaxInt);
end;

function NextElement(const Xml, Name: UTF8String; var Place: Integer; out Inner: UTF8String): Boolean;
var
  At, Close, Colon, From, Depth: Integer;
  Tag: UTF8String;
begin
  Result := False;
  Inner := '';
  From := 0;
  Depth := 0;
  At := Place;
  while At <= Length(Xml) do
  begin
    if Xml[At] <> '<' then
    begin
      Inc(At);
      Continue;
    end;
    Close := At;
    while (Close <= Length(Xml)) and (Xml[Close] <> '>') do
      Inc(Close);
    Tag := Copy(Xml, At + 1, Close - At - 1);
    if Pos(' ', string(Tag)) > 0 then
      Tag := Copy(Tag, 1, Pos(' ', string(Tag)) - 1);
    Colon := Pos(':', string(Tag));
    if (Colon > 0) and (Tag[1] = '/') then
      Tag := '/' + Copy(Tag, Colon + 1, MaxInt)
    else if Colon > 0 then
      Tag := Copy(Tag, Colon + 1, MaxInt);
    if (Tag = Name) and (Xml[Close - 1] <> '/') then
    begin
      if Depth = 0 then
        From := Close + 1;
      Inc(Depth);
    end
    else if (Tag = '/' + Name) and (Depth > 0) then
    begin
      Dec(Depth);
      if Depth = 0 then
      begin
        Inner := Copy(Xml, From, At - From);
        Place := Close + 1;
        Result := True;
        Exit;
      end;
    end;
    At := Close + 1;
  end;
end;

function TextOf(const Xml, Name: UTF8String): UTF8String;
var
  From: Integer;
begin
  From := 1;
  if not NextElement(Xml, Name, From, Result) then
    Exit;
  Result := Replaced(Result, '&lt;', '<');
  Result := Replaced(Result, '&gt;', '>');
  Result := Replaced(Result, '&quot;', '"');
  Result := Replaced(Result, '&#13;', #13);
  Result := Replaced(Result, '&amp;', '&');
end;

constructor THisSms.Create(const Url, Account, Password: UTF8String; Tries, FirstMillis: Integer);
begin
  FUrl := Url;
  FAccount := Account;
  FPassword := Password;
  FTries := Tries;
  FFirstMillis := FirstMillis;
end;

procedure THisSms.EncryptWith(const KeyId: UTF8String; const Key: TBytes);
begin
  FContentKeyId := KeyId;
  FContentKey := Copy(Key);
end;

function THisSms.Send(const ClientRef: UTF8String; const Mobiles: array of UTF8String;
  const Content: UTF8String): UTF8String;
var
  Request, Mobile: UTF8String;
begin
  Request := '<clientRef>' + Escaped(ClientRef) + '</clientRef>';
  if FContentKey = nil then
    Request := Request + '<content>' + Escaped(Content) + '</content>'
  else
    Request := Request + '<encryptedContent>'
      + Seal(FContentKeyId, FContentKey, Content, FAccount, ClientRef, Mobiles, nil)
      + '</encryptedContent>';
  Request := Request + '<recipients>';
  for Mobile in Mobiles do
    Request := Request + '<Recipient><mobile>' + Escaped(Mobile) + '</mobile></Recipient>';
  Result := Call('Send', Request + '</recipients>');
end;

function THisSms.HandleReceipts(Handler: TSmsHandler): Integer;
begin
  Result := Handle('Receipts', 'Receipt', 'receiptId', Handler);
end;

function THisSms.HandleInbound(Handler: TSmsHandler): Integer;
begin
  Result := Handle('Inbound', 'Inbound', 'inboundId', Handler);
end;

function THisSms.Handle(const What, Item, Id: UTF8String; Handler: TSmsHandler): Integer;
var
  Page, List, Element, Safe, IdTag: UTF8String;
  From, ListFrom, Count: Integer;
begin
  Result := 0;
  repeat
    Page := Call('Fetch' + What, '<max>100</max>');
    ListFrom := 1;
    if not NextElement(Page, UTF8String(LowerCase(string(What))), ListFrom, List) then
      List := '';
    Safe := '';
    Count := 0;
    From := 1;
    { ReceiptId for receiptId }
    IdTag := UTF8String(UpperCase(string(Copy(Id, 1, 1)))) + Copy(Id, 2, MaxInt);
    try
      while NextElement(List, Item, From, Element) do
      begin
        Handler(Element);
        Safe := Safe + '<' + IdTag + '>' + TextOf(Element, Id) + '</' + IdTag + '>';
        Inc(Count);
      end;
    finally
      if Safe <> '' then
        Call('Ack' + What, '<' + Id + 's>' + Safe + '</' + Id + 's>');
    end;
    Inc(Result, Count);
  until Count = 0;
end;

function THisSms.Call(const Operation, Request: UTF8String): UTF8String;
var
  Body, Code: UTF8String;
  Tried, Status, AfterSeconds, Own: Integer;
  Passing, IsNothing: Boolean;
  Refused: ESmsRefused;
begin
  Body := '<s:Envelope xmlns:s="' + Soap + '" xmlns="' + Exchange + '">'
    + '<s:Header><Credentials><account>' + Escaped(FAccount) + '</account><password>'
    + Escaped(FPassword) + '</password></Credentials></s:Header>'
    + '<s:Body><' + Operation + '>';
  if Request <> '' then
    Body := Body + '<request>' + Request + '</request>';
  Body := Body + '</' + Operation + '></s:Body></s:Envelope>';
  Tried := 0;
  while True do
  begin
    Inc(Tried);
    Status := Post(Body, Result, AfterSeconds);
    Code := TextOf(Result, 'code');
    IsNothing := (Operation = 'Query') and (Code = 'NOT_FOUND');
    if (Status = 200) and (TextOf(Result, Operation + 'Response') <> '')
      and ((Code = '') or (Code = 'OK') or (Code = 'PARTIAL') or IsNothing
      or (Operation = 'FetchReceipts') or (Operation = 'FetchInbound')) then
      Exit;
    Passing := (Status = 0) or (Status >= 500) or (Status = 408) or (Status = 425) or (Status = 429);
    if Code <> '' then
      Passing := Pos(' ' + string(Code) + ' ', Retryable) > 0;
    if not Passing or (Tried >= FTries) or (AfterSeconds > 30) then
    begin
      if Code = '' then
        raise ESmsNoAnswer.CreateFmt('%s: status %d', [string(Operation), Status]);
      Refused := ESmsRefused.Create(string(Code + ': ' + TextOf(Result, 'description')));
      Refused.Code := Code;
      Refused.Answer := Result;
      raise Refused;
    end;
    Own := FFirstMillis shl (Tried - 1);
    if Own > 30000 then
      Own := 30000;
    Own := Own div 2 + Random(Own div 2 + 1);
    if Own < AfterSeconds * 1000 then
      Own := AfterSeconds * 1000;
    Sleep(Own);
  end;
end;

{ One try. Status 0: nobody answered. }
function THisSms.Post(const Body: UTF8String; out Answer: UTF8String;
  out AfterSeconds: Integer): Integer;
var
  Sent, Came: TMemoryStream;
  {$IFDEF FPC}
  Http: TFPHTTPClient;
  {$ELSE}
  Http: THTTPClient;
  Told: IHTTPResponse;
  {$ENDIF}
begin
  Result := 0;
  Answer := '';
  AfterSeconds := 0;
  Sent := TMemoryStream.Create;
  Came := TMemoryStream.Create;
  {$IFDEF FPC}
  Http := TFPHTTPClient.Create(nil);
  {$ELSE}
  Http := THTTPClient.Create;
  {$ENDIF}
  try
    Sent.WriteBuffer(Body[1], Length(Body));
    Sent.Position := 0;
    try
      {$IFDEF FPC}
      Http.ConnectTimeout := 10000;
      Http.IOTimeout := 30000;
      Http.RequestBody := Sent;
      Http.AddHeader('Content-Type', 'text/xml; charset=utf-8');
      Http.AddHeader('SOAPAction', '""');
      Http.HTTPMethod('POST', string(FUrl + '/soap'), Came, []);
      Result := Http.ResponseStatusCode;
      AfterSeconds := StrToIntDef(Http.GetHeader(Http.ResponseHeaders, 'Retry-After'), 0);
      {$ELSE}
      Http.HandleRedirects := False;
      Http.ConnectionTimeout := 10000;
      Http.ResponseTimeout := 30000;
      Http.ContentType := 'text/xml; charset=utf-8';
      Told := Http.Post(string(FUrl + '/soap'), Sent, Came, [TNetHeader.Create('SOAPAction', '""')]);
      Result := Told.StatusCode;
      AfterSeconds := StrToIntDef(Told.HeaderValue['Retry-After'], 0);
      {$ENDIF}
      SetLength(Answer, Came.Size);
      if Came.Size > 0 then
        Move(Came.Memory^, Answer[1], Came.Size);
    except
      { Sockets and HTTP have no common ancestor of their errors; none of them tells what became of
        the request. }
      on Exception do
        Result := 0;
    end;
  finally
    {$IFDEF FPC}
    Http.RequestBody := nil;
    {$ENDIF}
    Http.Free;
    Sent.Free;
    Came.Free;
  end;
end;

end.
