{ Encrypted contents and callbacks, by OpenSSL 1.1 or 3 (libcrypto), which Indy users have anyway.
  docs/integrator/encryption.md and docs/integrator/callbacks.md have the formats and test vectors. }
unit HisSmsCrypto;

{$IFDEF FPC}{$MODE DELPHI}{$CODEPAGE UTF8}{$ENDIF}

interface

uses
  SysUtils;

type
  { Is told a nonce, keeps it for ten minutes, says whether it knew it. }
  TNonceSeen = function(const Nonce: UTF8String): Boolean of object;

  { Seconds since 1970, UTC. }
  TSeconds = Int64;

{ The encryptedContent of a request, with a key of 32 octets. Nonce: nil, but for test vectors. }
function Seal(const KeyId: UTF8String; const Key: TBytes;
  const Content, Account, ClientRef: UTF8String; const Mobiles: array of UTF8String;
  const Nonce: TBytes): UTF8String;

{ Whether a callback is from the adapter. Give what came: the method, the path without a query, the
  headers Authorization and Idempotency-Key, the body as it came. Secret: gives a secret by its key id. }
function IsTrueCallback(const Account, KeyId, Secret, Method, Path, Authorization, Reference,
  Body: UTF8String; Seen: TNonceSeen; Now: TSeconds): Boolean;

{ Seconds of a time such as 2026-03-01T08:00:00Z; -1 where it is none. }
function SecondsOf(const Time: UTF8String): TSeconds;

implementation

uses
  DateUtils, {$IFDEF FPC}dynlibs{$ELSE}Winapi.Windows{$ENDIF};

type
  TRandBytes = function(Into: PByte; Count: Integer): Integer; cdecl;
  TSha256 = function: Pointer; cdecl;
  THmac = function(Md, Key: Pointer; KeyLength: Integer; Data: PByte; Count: NativeUInt; Into: PByte;
    Length: PCardinal): Pointer; cdecl;
  TNewContext = function: Pointer; cdecl;
  TFreeContext = procedure(Context: Pointer); cdecl;
  TEncryptInit = function(Context, Cipher, Engine: Pointer; Key, Iv: PByte): Integer; cdecl;
  TEncryptUpdate = function(Context: Pointer; Into: PByte; Count: PInteger; From: PByte;
    Length: Integer): Integer; cdecl;
  TEncryptFinal = function(Context: Pointer; Into: PByte; Count: PInteger): Integer; cdecl;
  TControl = function(Context: Pointer; What, Argument: Integer; At: Pointer): Integer; cdecl;

const
  GetTag = $10;
  {$IFDEF MSWINDOWS}
  Names: array [0 .. 3] of string = ('libcrypto-3-x64.dll', 'libcrypto-3.dll',
    'libcrypto-1_1-x64.dll', 'libcrypto-1_1.dll');
  {$ELSE}
  Names: array [0 .. 1] of string = ('libcrypto.so.3', 'libcrypto.so.1.1');
  {$ENDIF}

var
  Crypto: THandle;

function Entry(const Name: string): Pointer;
var
  Each: string;
begin
  if Crypto = 0 then
    for Each in Names do
      if Crypto = 0 then
        Crypto := THandle(LoadLibrary({$IFDEF FPC}Each{$ELSE}PChar(Each){$ENDIF}));
  if Crypto = 0 then
    raise Exception.Create('OpenSSL (libcrypto) is not installed');
  Result := GetProcAddress(Crypto, {$IFDEF FPC}Name{$ELSE}PChar(Name){$ENDIF});
  if Result = nil then
    raise Exception.Create('libcrypto has no ' + Name);
end;

procedure Check(Answer: Integer);
begin
  if Answer <> 1 then
    raise Exception.Create('OpenSSL refuses');
end;

function Base64(const Octets: TBytes): UTF8String;
const
  Letters: UTF8String = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
var
  At, Bits: Integer;
begin
  Result := '';
  At := 0;
  while At < Length(Octets) do
  begin
    Bits := Octets[At] shl 16;
    if At + 1 < Length(Octets) then
      Bits := Bits or Octets[At + 1] shl 8;
    if At + 2 < Length(Octets) then
      Bits := Bits or Octets[At + 2];
    Result := Result + Letters[Bits shr 18 + 1] + Letters[Bits shr 12 and 63 + 1];
    if At + 1 < Length(Octets) then
      Result := Result + Letters[Bits shr 6 and 63 + 1]
    else
      Result := Result + '=';
    if At + 2 < Length(Octets) then
      Result := Result + Letters[Bits and 63 + 1]
    else
      Result := Result + '=';
    Inc(At, 3);
  end;
end;

function Seal(const KeyId: UTF8String; const Key: TBytes;
  const Content, Account, ClientRef: UTF8String; const Mobiles: array of UTF8String;
  const Nonce: TBytes): UTF8String;
var
  Bound, Mobile: UTF8String;
  Iv, Made, Whole: TBytes;
  Context: Pointer;
  Count: Integer;
begin
  if Length(Key) <> 32 then
    raise Exception.Create('a key for aes-256-gcm has 32 octets');
  Bound := 'his-sms content 1'#10 + Account + #10 + ClientRef + #10;
  Count := 3 + Length(Mobiles);
  for Mobile in Mobiles do
    Bound := Bound + Mobile + #10;
  if Length(StringReplace(string(Bound), #10, '', [rfReplaceAll])) <> Length(string(Bound)) - Count then
    raise Exception.Create('Account, ClientRef and Mobiles must not hold line feeds');
  Iv := Copy(Nonce);
  if Iv = nil then
  begin
    SetLength(Iv, 12);
    Check(TRandBytes(Entry('RAND_bytes'))(@Iv[0], 12));
  end;
  SetLength(Made, Length(Content) + 16);
  Context := TNewContext(Entry('EVP_CIPHER_CTX_new'))();
  try
    Check(TEncryptInit(Entry('EVP_EncryptInit_ex'))(Context,
      TNewContext(Entry('EVP_aes_256_gcm'))(), nil, @Key[0], @Iv[0]));
    Check(TEncryptUpdate(Entry('EVP_EncryptUpdate'))(Context, nil, @Count, Pointer(Bound),
      Length(Bound)));
    Check(TEncryptUpdate(Entry('EVP_EncryptUpdate'))(Context, @Made[0], @Count, Pointer(Content),
      Length(Content)));
    Check(TEncryptFinal(Entry('EVP_EncryptFinal_ex'))(Context, @Made[Length(Content)], @Count));
    Check(TControl(Entry('EVP_CIPHER_CTX_ctrl'))(Context, GetTag, 16, @Made[Length(Content)]));
  finally
    TFreeContext(Entry('EVP_CIPHER_CTX_free'))(Context);
  end;
  Whole := Copy(Iv);
  SetLength(Whole, 12 + Length(Made));
  Move(Made[0], Whole[12], Length(Made));
  Result := 'v1:' + KeyId + ':' + Base64(Whole);
end;

function Mac(const Secret, Signed: UTF8String): UTF8String;
var
  Digest: array [0 .. 31] of Byte;
  Count: Cardinal;
  Each: Byte;
begin
  Count := 32;
  if THmac(Entry('HMAC'))(TSha256(Entry('EVP_sha256'))(), Pointer(Secret), Length(Secret),
    Pointer(Signed), Length(Signed), @Digest[0], @Count) = nil then
    raise Exception.Create('OpenSSL refuses');
  Result := '';
  for Each in Digest do
    Result := Result + UTF8String(LowerCase(IntToHex(Each, 2)));
end;

{ Takes Name="value" from the front of Rest. }
function Part(const Name: UTF8String; var Rest: UTF8String; out Value: UTF8String): Boolean;
var
  Quote: Integer;
begin
  Value := '';
  Result := Copy(Rest, 1, Length(Name) + 2) = Name + '="';
  if not Result then
    Exit;
  Rest := Copy(Rest, Length(Name) + 3, MaxInt);
  Quote := Pos('"', string(Rest));
  Result := Quote > 0;
  Value := Copy(Rest, 1, Quote - 1);
  Rest := Copy(Rest, Quote + 1, MaxInt);
  if Copy(Rest, 1, 2) = ', ' then
    Rest := Copy(Rest, 3, MaxInt);
end;

function AreEqual(const One, Other: UTF8String): Boolean;
var
  At, Differs: Integer;
begin
  Differs := Length(One) xor Length(Other);
  if Differs = 0 then
    for At := 1 to Length(One) do
      Differs := Differs or (Ord(One[At]) xor Ord(Other[At]));
  Result := Differs = 0;
end;

function SecondsOf(const Time: UTF8String): TSeconds;
var
  Made: TDateTime;
  T: string;
begin
  Result := -1;
  T := string(Time);
  if (Length(T) = 20) and (T[5] = '-') and (T[8] = '-') and (T[11] = 'T') and (T[20] = 'Z')
    and TryEncodeDateTime(StrToIntDef(Copy(T, 1, 4), 0), StrToIntDef(Copy(T, 6, 2), 0),
    StrToIntDef(Copy(T, 9, 2), 0), StrToIntDef(Copy(T, 12, 2), 99), StrToIntDef(Copy(T, 15, 2), 99),
    StrToIntDef(Copy(T, 18, 2), 99), 0, Made) then
    Result := DateTimeToUnix(Made);
end;

function IsTrueCallback(const Account, KeyId, Secret, Method, Path, Authorization, Reference,
  Body: UTF8String; Seen: TNonceSeen; Now: TSeconds): Boolean;
const
  Algorithm: UTF8String = 'HMAC-SHA256';
var
  Rest, Theirs, Key, Time, Nonce, Signature, Lines: UTF8String;
begin
  Result := False;
  if Copy(Authorization, 1, Length(Algorithm) + 1) <> Algorithm + ' ' then
    Exit;
  Rest := Copy(Authorization, Length(Algorithm) + 2, MaxInt);
  if not (Part('account', Rest, Theirs) and Part('key', Rest, Key) and Part('time', Rest, Time)
    and Part('nonce', Rest, Nonce) and Part('signature', Rest, Signature)) or (Rest <> '') then
    Exit;
  if (Theirs <> Account) or (Key <> KeyId) or (Length(Nonce) < 8) or (Length(Nonce) > 64) then
    Exit;
  Lines := Algorithm + #10 + Method + #10 + Path + #10 + Account + #10 + Key + #10 + Time + #10
    + Nonce + #10 + Reference + #10;
  if not AreEqual(Mac(Secret, Lines + Body), Signature) then
    Exit;
  if (SecondsOf(Time) < 0) or (Abs(SecondsOf(Time) - Now) > 300) then
    Exit;
  Result := not Seen(Key + ' ' + Nonce);
end;

end.
