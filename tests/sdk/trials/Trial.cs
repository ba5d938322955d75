// What tests/sdk/test_languages.py asks of every language; one line a result.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Xml;

static class Trial
{
    const string KeyId = "2026a", Secret = "0123456789abcdef0123456789abcdef";

    static void Main(string[] given)
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        var rest = given.Skip(1).ToArray();
        switch (given[0])
        {
            case "send": Send(rest); break;
            case "refused": Refused(rest); break;
            case "receipts": Receipts(rest); break;
            case "inbound": Inbound(rest); break;
            case "seal": Seal(rest); break;
            case "verify": Verify(rest); break;
            default: throw new ArgumentException(given[0]);
        }
        Leave(0);
    }

    // On a busy machine Mono now and then hangs, or aborts, while its thread pool ends, with all
    // work done. So leave without that.
    [DllImport("libc", EntryPoint = "_exit")]
    static extern void Leave(int status);

    static HisSms Client(string url, string account = "csharp")
    {
        return new HisSms(url, account, KeyId, Secret, 6, 10);
    }

    static void Send(string[] rest)
    {
        var sms = Client(rest[0]);
        if (rest.Length > 4) sms.EncryptWith(KeyId, Convert.FromBase64String(rest[4]));
        Console.WriteLine(HisSms.Text(sms.Send(rest[1], new[] { rest[2] }, rest[3]), "code"));
    }

    static void Refused(string[] rest)
    {
        var sms = Client(rest[0]);
        Told(() => sms.Send("bad", new[] { "020-1", "12" }, "x"));
        var request = HisSms.NewRequest("Send");
        HisSms.Add(request, "template", "none");
        var value = HisSms.Add(HisSms.Add(request, "values", null), "Value", null);
        HisSms.Add(value, "name", "name");
        HisSms.Add(value, "value", "王");
        var recipient = HisSms.Add(HisSms.Add(request, "recipients", null), "Recipient", null);
        HisSms.Add(recipient, "mobile", "13800138000");
        Told(() => sms.Call(request));
        var empty = new XmlDocument();
        empty.AppendChild(empty.CreateElement("GetAccount", HisSms.Namespace));
        Told(() => Client(rest[0], rest[1]).Call(empty.DocumentElement));
    }

    static void Told(Action act)
    {
        try
        {
            act();
            Console.WriteLine("nothing was refused");
        }
        catch (HisSmsRefused error)
        {
            var results = error.Answer["results", HisSms.Namespace];
            Console.WriteLine(error.Code + " " + (results == null ? 0 : results.ChildNodes.Count));
        }
    }

    static void Receipts(string[] rest)
    {
        var left = int.Parse(rest[1]);
        try
        {
            var handled = Client(rest[0]).HandleReceipts(receipt =>
            {
                if (--left == 0) throw new InvalidOperationException("the disk is full");
                Console.WriteLine(HisSms.Text(receipt, "clientRef") + " " + HisSms.Text(receipt, "state"));
            });
            Console.WriteLine("handled " + handled);
        }
        catch (InvalidOperationException error)
        {
            Console.WriteLine(error.Message);
        }
    }

    static void Inbound(string[] rest)
    {
        Client(rest[0]).HandleInbound(text =>
            Console.WriteLine(HisSms.Text(text, "mobile") + " " + HisSms.Text(text, "content")));
    }

    static void Seal(string[] rest)
    {
        var mobiles = rest.Skip(5);
        Console.WriteLine(HisSms.Seal(KeyId, Octets(rest[0]), rest[4], rest[2], rest[3], mobiles,
            Octets(rest[1])));
        Console.WriteLine(HisSms.Seal(KeyId, Octets(rest[0]), rest[4], rest[2], rest[3], mobiles, null));
    }

    static void Verify(string[] rest)
    {
        var now = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(long.Parse(rest[0]));
        var keys = new Dictionary<string, string> { { "cb1", Secret } };
        var known = new HashSet<string>();
        for (var at = 1; at < rest.Length; at += 5)
        {
            var body = Convert.FromBase64String(rest[at + 4]);
            var isTrue = HisSms.IsTrueCallback("his", keys, rest[at], rest[at + 1], rest[at + 2],
                rest[at + 3], body, nonce => !known.Add(nonce), now);
            Console.WriteLine(isTrue ? "true" : "refused");
        }
    }

    static byte[] Octets(string hex)
    {
        return Enumerable.Range(0, hex.Length / 2)
            .Select(at => Convert.ToByte(hex.Substring(2 * at, 2), 16)).ToArray();
    }
}
