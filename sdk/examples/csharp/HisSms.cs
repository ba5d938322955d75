// The hospital's SMS adapter over XML, in one file without third-party libraries: .NET Framework 4.5 or
// newer, .NET, Mono. docs/integrator/http.md says what the operations take and give.
//
//     var sms = new HisSms("https://sms.example.org", "his", "2026a", secret);
//     sms.Send("OP-20260301-0001", new[] {"13800138000"}, "您的就诊时间为明天14:30。");
//     sms.HandleReceipts(receipt => Save(HisSms.Text(receipt, "messageId"), HisSms.Text(receipt, "state")));

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Xml;

/// <summary>One client system at one adapter; safe to share between threads.</summary>
public sealed class HisSms
{
    public const string Namespace = "urn:his-sms:exchange:1";

    static readonly UTF8Encoding Utf8 = new UTF8Encoding(false);
    // The same request may succeed later; every other code would come again.
    static readonly string[] Retryable =
        { "RATE_LIMITED", "SPOOL_FULL", "STORE_UNAVAILABLE", "INTERNAL" };
    static readonly int[] Passing = { 408, 425, 429 };

    readonly string url, account, keyId;
    readonly byte[] secret;
    readonly int tries, firstMillis;
    readonly Random chance = new Random();
    string contentKeyId;
    byte[] contentKey;

    /// <summary>Requests are signed with the key (HMAC-SHA256). Pauses between tries: firstMillis,
    /// doubled each time.</summary>
    public HisSms(string url, string account, string keyId, string secret, int tries = 6,
        int firstMillis = 500)
    {
        this.url = url.TrimEnd('/');
        this.account = account;
        this.keyId = keyId;
        this.secret = Utf8.GetBytes(secret);
        this.tries = tries;
        this.firstMillis = firstMillis;
    }

    /// <summary>From now on contents go encrypted with this key of 32 octets.</summary>
    public void EncryptWith(string keyId, byte[] key)
    {
        contentKeyId = keyId;
        contentKey = (byte[])key.Clone();
    }

    /// <summary>One text to some numbers; it is durable when this returns. Take clientRef from your own
    /// data: a text is sent once under it, however often you ask. more: further members of SendRequest,
    /// such as lane.</summary>
    public XmlElement Send(string clientRef, IEnumerable<string> mobiles, string content,
        IDictionary<string, string> more = null)
    {
        var request = NewRequest("Send");
        Add(request, "clientRef", clientRef);
        if (contentKey == null) Add(request, "content", content);
        else Add(request, "encryptedContent",
            Seal(contentKeyId, contentKey, content, account, clientRef, mobiles, null));
        var recipients = Add(request, "recipients", null);
        foreach (var mobile in mobiles) Add(Add(recipients, "Recipient", null), "mobile", mobile);
        foreach (var each in more ?? new Dictionary<string, string>()) Add(request, each.Key, each.Value);
        return Call(request);
    }

    /// <summary>Hands every receipt that waits to the handler and acknowledges what it returned from. A
    /// receipt may come twice: receiptId tells. What the handler throws comes out here; that receipt
    /// comes again.</summary>
    public int HandleReceipts(Action<XmlElement> handler)
    {
        return Handle("Receipts", "Receipt", "receiptId", handler);
    }

    /// <summary>The same for texts from phones.</summary>
    public int HandleInbound(Action<XmlElement> handler)
    {
        return Handle("Inbound", "Inbound", "inboundId", handler);
    }

    /// <summary>The element request of an operation, to be filled with Add.</summary>
    public static XmlElement NewRequest(string operation)
    {
        var document = new XmlDocument();
        document.AppendChild(document.CreateElement(operation, Namespace));
        return Add(document.DocumentElement, "request", null);
    }

    public static XmlElement Add(XmlElement to, string name, string text)
    {
        var made = to.OwnerDocument.CreateElement(name, Namespace);
        if (text != null) made.InnerText = text;
        to.AppendChild(made);
        return made;
    }

    /// <summary>The text of a member, or null.</summary>
    public static string Text(XmlElement of, string name)
    {
        var found = of[name, Namespace];
        return found == null ? null : found.InnerText;
    }

    /// <summary>Any operation, tried again while that is of use: a text is sent once, because every try
    /// carries the same clientRef. The element with the result. Throws HisSmsRefused, or HisSmsNoAnswer
    /// when every try failed; a text may then have been accepted, so repeat it later under the same
    /// clientRef.</summary>
    public XmlElement Call(XmlElement request)
    {
        var document = request.OwnerDocument.DocumentElement;
        var operation = document.LocalName;
        var body = Utf8.GetBytes(document.OuterXml);
        for (var tried = 1; ; tried++)
        {
            var answer = Post("/api/xml/" + operation, body);
            var result = answer.Document == null ? null
                : answer.Document.LocalName == "ExchangeFault" ? answer.Document
                : answer.Document[operation + "Result", Namespace];
            var code = result == null ? null : Text(result, "code");
            var nothing = operation == "Query" && code == "NOT_FOUND";
            if (result != null && (answer.Status == 200 || nothing)) return result;
            var passing = answer.Status == 0 || answer.Status >= 500 || Passing.Contains(answer.Status);
            var retryable = code == null ? passing : Retryable.Contains(code);
            if (!retryable || tried >= tries || answer.AfterSeconds > 30)
            {
                if (code != null) throw new HisSmsRefused(code, result);
                throw new HisSmsNoAnswer(operation + ": status " + answer.Status, answer.Error);
            }
            var own = Math.Min(firstMillis * Math.Pow(2, tried - 1), 30000);
            lock (chance) own *= 0.5 + chance.NextDouble() / 2;
            Thread.Sleep((int)Math.Max(own, answer.AfterSeconds * 1000));
        }
    }

    /// <summary>The encryptedContent of a request (docs/integrator/encryption.md). nonce: null, but for
    /// test vectors.</summary>
    public static string Seal(string keyId, byte[] key, string content, string account,
        string clientRef, IEnumerable<string> mobiles, byte[] nonce)
    {
        if (key.Length != 32) throw new ArgumentException("a key for aes-256-gcm has 32 octets");
        var lines = new[] { "his-sms content 1", account, clientRef }.Concat(mobiles).ToArray();
        if (lines.Any(line => line.Contains("\n")))
            throw new ArgumentException("clientRef and mobiles must not hold line feeds");
        var bound = Utf8.GetBytes(string.Concat(lines.Select(line => line + "\n")));
        nonce = nonce ?? Chance(12);
        var sealedOctets = AesGcmSeal(key, nonce, Utf8.GetBytes(content), bound);
        return "v1:" + keyId + ":" + Convert.ToBase64String(nonce.Concat(sealedOctets).ToArray());
    }

    /// <summary>Whether a callback is from the adapter (docs/integrator/callbacks.md). Give what came: the
    /// method, the path without a query, the headers Authorization and Idempotency-Key, the body as it
    /// came. keys: secrets by key id. seen is told a nonce, keeps it for ten minutes, says whether it
    /// knew it. now: DateTime.UtcNow.</summary>
    public static bool IsTrueCallback(string account, IDictionary<string, string> keys, string method,
        string path, string authorization, string reference, byte[] body, Func<string, bool> seen,
        DateTime now)
    {
        var parts = Regex.Match(authorization ?? "",
            "^HMAC-SHA256 account=\"([^\"\\\\]*)\", key=\"([^\"\\\\]*)\", time=\"([^\"\\\\]*)\"," +
            " nonce=\"([A-Za-z0-9._~+/=-]{8,64})\", signature=\"([0-9a-f]{64})\"\\z");
        string known;
        if (!parts.Success || parts.Groups[1].Value != account
            || !keys.TryGetValue(parts.Groups[2].Value, out known)) return false;
        string id = parts.Groups[2].Value, time = parts.Groups[3].Value, nonce = parts.Groups[4].Value;
        var expected = Mac(Utf8.GetBytes(known), body, method, path, account, id, time, nonce,
            reference ?? "");
        if (!AreEqual(expected, parts.Groups[5].Value)) return false;
        DateTimeOffset made;
        if (!DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal, out made)
            || Math.Abs((made.UtcDateTime - now).TotalSeconds) > 300) return false;
        return !seen(id + " " + nonce);
    }

    int Handle(string what, string item, string id, Action<XmlElement> handler)
    {
        for (var handled = 0; ; )
        {
            var fetch = NewRequest("Fetch" + what);
            Add(fetch, "max", "100");
            var list = Call(fetch)[what.ToLowerInvariant(), Namespace];
            var items = list == null ? new List<XmlElement>()
                : list.ChildNodes.OfType<XmlElement>().ToList();
            if (items.Count == 0) return handled;
            var ack = NewRequest("Ack" + what);
            var ids = Add(ack, id + "s", null);
            try
            {
                foreach (var each in items)
                {
                    handler(each);
                    Add(ids, char.ToUpperInvariant(id[0]) + id.Substring(1), Text(each, id));
                    handled++;
                }
            }
            finally
            {
                if (ids.HasChildNodes) Call(ack);
            }
        }
    }

    sealed class Answer
    {
        public int Status, AfterSeconds;
        public XmlElement Document;
        public Exception Error;
    }

    // One try. Status 0: nobody answered.
    Answer Post(string path, byte[] body)
    {
        var address = new Uri(url + path);
        var request = (HttpWebRequest)WebRequest.Create(address);
        request.Method = "POST";
        request.ContentType = "text/xml; charset=utf-8";
        request.Timeout = request.ReadWriteTimeout = 30000;
        request.AllowAutoRedirect = false;
        // Else the framework may repeat a request by itself, with the same nonce.
        request.KeepAlive = false;
        request.ServicePoint.Expect100Continue = false;
        request.Headers["Authorization"] = Sign(address.AbsolutePath, body);
        try
        {
            using (var to = request.GetRequestStream()) to.Write(body, 0, body.Length);
            using (var response = (HttpWebResponse)request.GetResponse()) return Read(response);
        }
        catch (WebException error)
        {
            using (var response = error.Response as HttpWebResponse)
                return response == null ? new Answer { Error = error } : Read(response);
        }
        catch (IOException error)
        {
            return new Answer { Error = error };
        }
    }

    static Answer Read(HttpWebResponse response)
    {
        var answer = new Answer { Status = (int)response.StatusCode };
        int.TryParse(response.Headers["Retry-After"], NumberStyles.None, CultureInfo.InvariantCulture,
            out answer.AfterSeconds);
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
        try
        {
            using (var from = XmlReader.Create(response.GetResponseStream(), settings))
            {
                var document = new XmlDocument { XmlResolver = null };
                document.Load(from);
                if (document.DocumentElement.NamespaceURI == Namespace)
                    answer.Document = document.DocumentElement;
            }
        }
        catch (XmlException error)
        {
            answer.Error = error;
        }
        return answer;
    }

    string Sign(string path, byte[] body)
    {
        var time = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var nonce = Hex(Chance(16));
        var signature = Mac(secret, body, "POST", path, account, keyId, time, nonce, "");
        return "HMAC-SHA256 account=\"" + account + "\", key=\"" + keyId + "\", time=\"" + time +
            "\", nonce=\"" + nonce + "\", signature=\"" + signature + "\"";
    }

    static string Mac(byte[] secret, byte[] body, params string[] lines)
    {
        var signed = Utf8.GetBytes("HMAC-SHA256\n" + string.Concat(lines.Select(line => line + "\n")));
        using (var hmac = new HMACSHA256(secret)) return Hex(hmac.ComputeHash(signed.Concat(body).ToArray()));
    }

    // In the same time, wherever they differ.
    static bool AreEqual(string one, string other)
    {
        var differs = one.Length ^ other.Length;
        for (var at = 0; at < one.Length && at < other.Length; at++) differs |= one[at] ^ other[at];
        return differs == 0;
    }

    static byte[] Chance(int octets)
    {
        var drawn = new byte[octets];
        using (var source = RandomNumberGenerator.Create()) source.GetBytes(drawn);
        return drawn;
    }

    static string Hex(byte[] octets)
    {
        return string.Concat(octets.Select(each => each.ToString("x2")));
    }

    // Ciphertext and tag.
    static byte[] AesGcmSeal(byte[] key, byte[] nonce, byte[] text, byte[] bound)
    {
#if NETCOREAPP3_0_OR_GREATER
        var sealedOctets = new byte[text.Length];
        var tag = new byte[16];
#pragma warning disable SYSLIB0053
        using (var gcm = new AesGcm(key)) gcm.Encrypt(nonce, text, sealedOctets, tag, bound);
#pragma warning restore SYSLIB0053
        return sealedOctets.Concat(tag).ToArray();
#else
        // .NET Framework and Mono have the block cipher alone; this is GCM upon it (NIST SP 800-38D).
        using (var aes = Aes.Create())
        {
            aes.Key = key;
            aes.Mode = CipherMode.ECB;
            aes.Padding = PaddingMode.None;
            using (var cipher = aes.CreateEncryptor())
            {
                var counter = nonce.Concat(new byte[] { 0, 0, 0, 1 }).ToArray();
                var mask = Block(cipher, counter);
                var made = new byte[text.Length];
                for (var at = 0; at < text.Length; at += 16)
                {
                    for (var place = 15; ++counter[place] == 0; place--) { }
                    var stream = Block(cipher, counter);
                    for (var each = at; each < text.Length && each < at + 16; each++)
                        made[each] = (byte)(text[each] ^ stream[each - at]);
                }
                var hashed = Padded(bound).Concat(Padded(made)).Concat(Bits(bound)).Concat(Bits(made));
                var tag = Hash(Block(cipher, new byte[16]), hashed.ToArray());
                for (var at = 0; at < 16; at++) tag[at] ^= mask[at];
                return made.Concat(tag).ToArray();
            }
        }
#endif
    }

#if !NETCOREAPP3_0_OR_GREATER
    static byte[] Block(ICryptoTransform cipher, byte[] block)
    {
        return cipher.TransformFinalBlock(block, 0, 16);
    }

    static IEnumerable<byte> Padded(byte[] octets)
    {
        return octets.Concat(new byte[(16 - octets.Length % 16) % 16]);
    }

    static IEnumerable<byte> Bits(byte[] octets)
    {
        return BitConverter.GetBytes(octets.LongLength * 8).Reverse();
    }

    // GHASH, bit by bit: some megabytes a second, which is enough for texts.
    static byte[] Hash(byte[] key, byte[] octets)
    {
        var state = new byte[16];
        for (var from = 0; from < octets.Length; from += 16)
        {
            for (var at = 0; at < 16; at++) state[at] ^= octets[from + at];
            var product = new byte[16];
            var factor = (byte[])key.Clone();
            for (var bit = 0; bit < 128; bit++)
            {
                var take = -(state[bit >> 3] >> (7 - (bit & 7)) & 1);
                var carry = -(factor[15] & 1);
                for (var at = 15; at >= 0; at--)
                {
                    product[at] ^= (byte)(factor[at] & take);
                    factor[at] = (byte)(factor[at] >> 1 | (at > 0 ? factor[at - 1] << 7 : 0));
                }
                factor[0] ^= (byte)(0xe1 & carry);
            }
            state = product;
        }
        return state;
    }
#endif
}

/// <summary>The adapter says no. Decide by Code; Answer is all that it said.</summary>
public sealed class HisSmsRefused : Exception
{
    public readonly string Code;
    public readonly XmlElement Answer;

    public HisSmsRefused(string code, XmlElement answer)
        : base(code + ": " + HisSms.Text(answer, "description"))
    {
        Code = code;
        Answer = answer;
    }
}

/// <summary>Nobody answered, or something that is no adapter. A text may have been accepted.</summary>
public sealed class HisSmsNoAnswer : Exception
{
    public HisSmsNoAnswer(string message, Exception inner) : base(message, inner) { }
}
