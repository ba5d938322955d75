// Every operation with an ASMX proxy ("Add Web Reference"), made by wsdl of the WSDL of either
// version.  Client.exe ACCOUNT PASSWORD
// Prints what tests/clients/conftest.py asks for, one line a step.

using System;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using System.Threading;
using System.Web.Services.Protocols;
using System.Xml;
using Hospital;

static class Client
{
    const string NS = "urn:his-sms:exchange:1";

    static void Say(params object[] words)
    {
        Console.WriteLine(string.Join("\t", words));
    }

    static SmsExchange Proxy(string account, string password)
    {
        return new SmsExchange {
            CredentialsValue = new Credentials { account = account, password = password },
        };
    }

    static void Main(string[] arguments)
    {
        Console.OutputEncoding = new System.Text.UTF8Encoding(false);
        string account = arguments[0], password = arguments[1];
        SmsExchange his = Proxy(account, password);

        Say("ping", his.Ping().state);
        Say("account", his.GetAccount().account);
        SendReply sent = Send(his);
        SendReply batch = his.SendBatch(new SendBatchRequest {
            entries = new[] {
                new Entry { mobile = "13800138001", content = "报告已出" },
                new Entry { mobile = "13800138002", content = "请取药" },
            },
        });
        Say("batch", batch.code, batch.accepted, batch.refused);
        Cancel(his);
        Receipts(his);
        QueryReply found = his.Query(new QueryRequest { submissionId = sent.submissionId });
        foreach (Message each in found.messages)
            Say("message", each.mobile, each.state, each.segmentCount);
        Inbound[] texts = his.FetchInbound(new FetchInboundRequest()).inbound;
        foreach (Inbound each in texts)
            Say("inbound", each.mobile, each.content);
        var noted = new AckInboundRequest { inboundIds = new[] { texts[0].inboundId } };
        Say("noted", his.AckInbound(noted).acknowledged);
        Strings(his, account, password);
        Refusal(his);
        Refusal(Proxy(account, "wrong"));
        Console.Out.Flush();
        Leave(0);
    }

    // Now and then Mono hangs for a minute, or aborts, while its thread pool ends. So leave without
    // that; with .NET just return.
    [DllImport("libc", EntryPoint = "_exit")]
    static extern void Leave(int status);

    static SendReply Send(SmsExchange his)
    {
        var request = new SendRequest {
            clientRef = "ASMX-1",
            content = "王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。",
            recipients = new[] {
                new Recipient { mobile = "13800138000", @ref = "甲" },
                new Recipient { mobile = "13900139000" },
                new Recipient { mobile = "1380013800O" },
            },
            // A value type that may be absent has a flag beside it: without it nothing is sent.
            lane = Lane.realtime,
            laneSpecified = true,
            passThrough = "门诊",
        };
        SendReply sent = his.Send(request);
        Say("send", sent.code, sent.accepted, sent.refused, sent.passThrough);
        foreach (Result each in sent.results)
            Say("result", each.mobile, each.@ref, each.code);
        SendReply again = his.Send(request);
        Say("again", again.submissionId == sent.submissionId ? "same" : "other");
        return sent;
    }

    static void Cancel(SmsExchange his)
    {
        SendReply later = his.Send(new SendRequest {
            content = "明天见",
            recipients = new[] { new Recipient { mobile = "13800138003" } },
            scheduleAt = DateTime.Now.AddDays(1),
            scheduleAtSpecified = true,
            receipt = false,
            receiptSpecified = true,
            businessKey = "A-7",
        });
        Say("later", later.code);
        CancelReply cancelled = his.Cancel(new CancelRequest { businessKey = "A-7" });
        Say("cancel", cancelled.code, cancelled.cancelled);
    }

    static void Receipts(SmsExchange his)
    {
        var request = new FetchReceiptsRequest { max = 10, maxSpecified = true };
        FetchReceiptsReply page = his.FetchReceipts(request);
        for (int tries = 0; tries < 300 && Listed(page).Length < 4; tries++)
        {
            Thread.Sleep(100);
            page = his.FetchReceipts(request);
        }
        foreach (Receipt each in Listed(page))
            Say("receipt", each.mobile, each.state);
        Say("acknowledged",
            his.AckReceipts(new AckReceiptsRequest { cursor = page.cursor }).acknowledged);
        FetchReceiptsReply left = his.FetchReceipts(new FetchReceiptsRequest());
        Say("left", Listed(left).Length, left.more ? "more" : "none");
    }

    static Receipt[] Listed(FetchReceiptsReply page)
    {
        return page.receipts ?? new Receipt[0];
    }

    static void Strings(SmsExchange his, string account, string password)
    {
        foreach (string secret in new[] { password, "wrong" })
        {
            string numbers = "13800138004，13800138005";
            string[] words = his.SendText(account, secret, numbers, "一串文字", "").Split(';');
            Say("text", words[0], words[0] == "OK" ? words[2] : words[1]);
        }
        string document = "<Send xmlns='" + NS + "'><request><content>文档 &amp; 一串</content>"
            + "<recipients><Recipient><mobile>13800138006</mobile></Recipient></recipients>"
            + "</request></Send>";
        string response = his.Exchange(account, password, document);
        Match found = Regex.Match(response, @"^<(\w+) .*?<code>(\w+)<");
        Say("exchange", found.Groups[1], found.Groups[2]);
    }

    static void Refusal(SmsExchange his)
    {
        try
        {
            his.Query(new QueryRequest { clientRef = "a", submissionId = "1" });
        }
        catch (SoapException fault)
        {
            // ASMX never makes a type of a fault: its detail is XML.
            XmlNode detail = fault.Detail["ExchangeFault", NS];
            XmlNode field = detail["field", NS];
            Say("fault", detail["code", NS].InnerText, field == null ? "" : field.InnerText);
        }
    }
}
