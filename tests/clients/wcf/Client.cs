// Every operation with a WCF client ("Add Service Reference"), made by svcutil.
//   Client.exe URL ACCOUNT PASSWORD
// Prints what tests/clients/conftest.py asks for, one line a step.

using System;
using System.Runtime.InteropServices;
using System.Runtime.Serialization;
using System.ServiceModel;
using System.ServiceModel.Channels;
using System.ServiceModel.Description;
using System.Text.RegularExpressions;
using System.Threading;
using hissms.exchange._1;

// Mono's svcutil makes no types of headers and faults; that of .NET does.
[DataContract(Name = "Credentials", Namespace = Client.NS)]
class Credentials
{
    [DataMember(Order = 0)] public string account;
    [DataMember(Order = 1)] public string password;
}

[DataContract(Name = "ExchangeFault", Namespace = Client.NS)]
class ExchangeFault
{
    [DataMember(Order = 0)] public string code;
    [DataMember(Order = 1)] public string description;
    [DataMember(Order = 2)] public string field;
}

class Client
{
    public const string NS = "urn:his-sms:exchange:1";

    readonly SmsExchangePortTypeClient his;
    readonly string account, password;

    Client(string url, string account, string password)
    {
        this.account = account;
        this.password = password;
        Binding binding = url.EndsWith("12")
            ? (Binding) new CustomBinding(
                new TextMessageEncodingBindingElement(
                    MessageVersion.CreateVersion(EnvelopeVersion.Soap12, AddressingVersion.None),
                    System.Text.Encoding.UTF8),
                new HttpTransportBindingElement())
            : new BasicHttpBinding();
        his = new SmsExchangePortTypeClient(binding, new EndpointAddress(url));
        foreach (OperationDescription each in his.Endpoint.Contract.Operations)
            each.Faults.Add(new FaultDescription("*") { DetailType = typeof(ExchangeFault) });
    }

    static void Main(string[] arguments)
    {
        Console.OutputEncoding = new System.Text.UTF8Encoding(false);
        new Client(arguments[0], arguments[1], arguments[2]).Steps();
        Console.Out.Flush();
        Leave(0);
    }

    // In one of some thirty runs Mono hangs for a minute, or aborts, while its thread pool ends. So
    // leave without that; with .NET just return.
    [DllImport("libc", EntryPoint = "_exit")]
    static extern void Leave(int status);

    static void Say(params object[] words)
    {
        Console.WriteLine(string.Join("\t", words));
    }

    // Whatever is called within bears the header.
    void As(string secret, Action calls)
    {
        using (new OperationContextScope(his.InnerChannel))
        {
            var shown = new Credentials { account = account, password = secret };
            OperationContext.Current.OutgoingMessageHeaders.Add(
                MessageHeader.CreateHeader("Credentials", NS, shown));
            calls();
        }
    }

    void Steps()
    {
        Say("ping", his.Ping().state);
        SendReply sent = null;
        As(password, () => Say("account", his.GetAccount().account));
        As(password, () => sent = Send());
        As(password, Batch);
        As(password, Cancel);
        As(password, Receipts);
        As(password, () => {
            QueryReply found = his.Query(new QueryRequest { submissionId = sent.submissionId });
            foreach (hissms.exchange._1.Message each in found.messages)
                Say("message", each.mobile, each.state, each.segmentCount);
        });
        As(password, Texts);
        Strings();
        As(password, Refusal);
        As("wrong", Refusal);
    }

    SendReply Send()
    {
        var request = new SendRequest {
            clientRef = "WCF-1",
            content = "王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。",
            recipients = new[] {
                new Recipient { mobile = "13800138000", @ref = "甲" },
                new Recipient { mobile = "13900139000" },
                new Recipient { mobile = "1380013800O" },
            },
            lane = Lane.realtime,
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

    void Batch()
    {
        SendReply batch = his.SendBatch(new SendBatchRequest {
            entries = new[] {
                new Entry { mobile = "13800138001", content = "报告已出" },
                new Entry { mobile = "13800138002", content = "请取药" },
            },
        });
        Say("batch", batch.code, batch.accepted, batch.refused);
    }

    void Cancel()
    {
        SendReply later = his.Send(new SendRequest {
            content = "明天见",
            recipients = new[] { new Recipient { mobile = "13800138003" } },
            scheduleAt = DateTime.Now.AddDays(1),
            businessKey = "A-7",
        });
        Say("later", later.code);
        CancelReply cancelled = his.Cancel(new CancelRequest { businessKey = "A-7" });
        Say("cancel", cancelled.code, cancelled.cancelled);
    }

    void Receipts()
    {
        var request = new FetchReceiptsRequest { max = 10 };
        FetchReceiptsReply page = his.FetchReceipts(request);
        for (int tries = 0; tries < 300 && Listed(page).Length < 5; tries++)
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

    void Texts()
    {
        Inbound[] texts = his.FetchInbound(new FetchInboundRequest()).inbound;
        foreach (Inbound each in texts)
            Say("inbound", each.mobile, each.content);
        var noted = new AckInboundRequest { inboundIds = new ArrayOfInboundId() };
        noted.inboundIds.Add(texts[0].inboundId);
        Say("noted", his.AckInbound(noted).acknowledged);
    }

    void Strings()
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

    void Refusal()
    {
        try
        {
            his.Query(new QueryRequest { clientRef = "a", submissionId = "1" });
        }
        catch (FaultException<ExchangeFault> fault)
        {
            Say("fault", fault.Detail.code, fault.Detail.field);
        }
    }
}
