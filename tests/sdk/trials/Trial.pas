{ What tests/sdk/test_languages.py asks of every language; one line a result. }
program Trial;

{$MODE DELPHI}{$CODEPAGE UTF8}

uses
  cthreads, SysUtils, Classes, base64, HisSms, HisSmsCrypto;

const
  KeyId = '2026a';
  Secret = '0123456789abcdef0123456789abcdef';
  Password = 'client-secret';

type
  TDesk = class
    Left: Integer;
    Known: TStringList;
    procedure Receipt(const Element: UTF8String);
    procedure Inbound(const Element: UTF8String);
    function Seen(const Nonce: UTF8String): Boolean;
  end;

var
  Sms: THisSms;
  Desk: TDesk;
  Mobiles: array of UTF8String;
  At: Integer;
  Body: UTF8String;

function Given(Number: Integer): UTF8String;
begin
  Result := UTF8String(ParamStr(Number));
  SetCodePage(RawByteString(Result), CP_UTF8, False);
end;

function Octets(const Hex: string): TBytes;
var
  Place: Integer;
begin
  Result := nil;
  SetLength(Result, Length(Hex) div 2);
  for Place := 0 to High(Result) do
    Result[Place] := StrToInt('$' + Copy(Hex, 2 * Place + 1, 2));
end;

procedure TDesk.Receipt(const Element: UTF8String);
begin
  Dec(Left);
  if Left = 0 then
    raise EInOutError.Create('the disk is full');
  WriteLn(TextOf(Element, 'clientRef'), ' ', TextOf(Element, 'state'));
end;

procedure TDesk.Inbound(const Element: UTF8String);
begin
  WriteLn(TextOf(Element, 'mobile'), ' ', TextOf(Element, 'content'));
end;

function TDesk.Seen(const Nonce: UTF8String): Boolean;
begin
  Result := Known.IndexOf(string(Nonce)) >= 0;
  Known.Add(string(Nonce));
end;

procedure Told(Caller: THisSms; const Operation, Request: UTF8String);
var
  Place, Count: Integer;
  Inner: UTF8String;
begin
  try
    Caller.Call(Operation, Request);
    WriteLn('nothing was refused');
  except
    on Error: ESmsRefused do
    begin
      Place := 1;
      Count := 0;
      while NextElement(Error.Answer, 'Result', Place, Inner) do
        Inc(Count);
      WriteLn(Error.Code, ' ', Count);
    end;
  end;
end;

function Key(const Base64: string): TBytes;
var
  Raw: RawByteString;
begin
  Raw := DecodeStringBase64(Base64);
  Result := nil;
  SetLength(Result, Length(Raw));
  Move(Raw[1], Result[0], Length(Raw));
end;

begin
  SetTextCodePage(Output, CP_UTF8);
  DefaultSystemCodePage := CP_UTF8;
  Desk := TDesk.Create;
  Desk.Known := TStringList.Create;
  Sms := THisSms.Create(Given(2), 'pascal', Password, 6, 10);
  if ParamStr(1) = 'send' then
  begin
    if ParamCount > 5 then
      Sms.EncryptWith(KeyId, Key(ParamStr(6)));
    WriteLn(TextOf(Sms.Send(Given(3), [Given(4)], Given(5)), 'code'));
  end
  else if ParamStr(1) = 'refused' then
  begin
    Told(Sms, 'Send', '<content>x</content><recipients><Recipient><mobile>020-1</mobile></Recipient>'
      + '<Recipient><mobile>12</mobile></Recipient></recipients>');
    Told(Sms, 'Send', '<template>none</template><values><Value><name>name</name><value>王</value>'
      + '</Value></values><recipients><Recipient><mobile>13800138000</mobile></Recipient></recipients>');
    Told(THisSms.Create(Given(2), Given(3), 'wrong', 6, 10), 'GetAccount', '');
  end
  else if ParamStr(1) = 'receipts' then
  begin
    Desk.Left := StrToInt(ParamStr(3));
    try
      At := Sms.HandleReceipts(Desk.Receipt);
      WriteLn('handled ', At);
    except
      on Error: EInOutError do
        WriteLn(Error.Message);
    end;
  end
  else if ParamStr(1) = 'inbound' then
    Sms.HandleInbound(Desk.Inbound)
  else if ParamStr(1) = 'seal' then
  begin
    SetLength(Mobiles, ParamCount - 6);
    for At := 7 to ParamCount do
      Mobiles[At - 7] := Given(At);
    WriteLn(Seal(KeyId, Octets(ParamStr(2)), Given(6), Given(4), Given(5), Mobiles,
      Octets(ParamStr(3))));
    WriteLn(Seal(KeyId, Octets(ParamStr(2)), Given(6), Given(4), Given(5), Mobiles, nil));
  end
  else if ParamStr(1) = 'verify' then
  begin
    At := 3;
    while At < ParamCount do
    begin
      Body := UTF8String(DecodeStringBase64(ParamStr(At + 4)));
      if IsTrueCallback('his', 'cb1', Secret, Given(At), Given(At + 1), Given(At + 2), Given(At + 3),
        Body, Desk.Seen, StrToInt64(ParamStr(2))) then
        WriteLn('true')
      else
        WriteLn('refused');
      Inc(At, 5);
    end;
  end;
end.
