// Every operation with a gSOAP proxy, made by wsdl2h and soapcpp2 of the WSDL of either version.
//   client ACCOUNT PASSWORD
// Prints what tests/clients/conftest.py asks for, one line a step.

#if defined(SOAP12)
#include "SmsExchangeSoap12Binding.nsmap"
#include "soapSmsExchangeSoap12BindingProxy.h"
typedef SmsExchangeSoap12BindingProxy Proxy;
#else
#include "SmsExchangeBinding.nsmap"
#include "soapSmsExchangeBindingProxy.h"
typedef SmsExchangeBindingProxy Proxy;
#endif

#include <cstdlib>
#include <ctime>
#include <iostream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

static void say(const std::vector<std::string> &words)
{
    for (size_t i = 0; i < words.size(); i++) std::cout << (i ? "\t" : "") << words[i];
    std::cout << std::endl;
}

static std::string shown(const std::string *text) { return text ? *text : ""; }

class Client {
    Proxy his;
    std::string account, password;

public:
    Client(const char *account, const char *password)
        : his(SOAP_C_UTFSTRING | SOAP_IO_KEEPALIVE), account(account), password(password) {}
    ~Client() { his.destroy(); }

    // The header belongs to one call.
    void as(const std::string &secret)
    {
        ns1__Credentials *shown = soap_new_ns1__Credentials(his.soap);
        shown->account = account;
        shown->password = secret;
        his.soap_header(shown);
    }

    std::string *text(const std::string &words)
    {
        std::string *kept = soap_new_std__string(his.soap);
        *kept = words;
        return kept;
    }

    void check(int status)
    {
        if (status == SOAP_OK) return;
        his.soap_stream_fault(std::cerr);
        std::exit(1);
    }

    ns1__Recipient *recipient(const std::string &mobile, const char *ref = NULL)
    {
        ns1__Recipient *to = soap_new_ns1__Recipient(his.soap);
        to->mobile = mobile;
        if (ref) to->ref = text(ref);
        return to;
    }

    ns1__Entry *entry(const std::string &mobile, const std::string &content)
    {
        ns1__Entry *one = soap_new_ns1__Entry(his.soap);
        one->mobile = mobile;
        one->content = text(content);
        return one;
    }

    ns1__SendReply *send(ns1__SendRequest *request)
    {
        _ns1__Send call;
        _ns1__SendResponse answer;
        call.request = request;
        as(password);
        check(his.Send(&call, answer));
        return answer.SendResult;
    }

    void steps();
    std::string send_and_repeat();
    void batch();
    void cancel();
    void receipts();
    void query(const std::string &submission);
    void inbound();
    void strings();
    void refusal(const std::string &secret);
};

void Client::steps()
{
    _ns1__Ping ping;
    _ns1__PingResponse pong;
    check(his.Ping(&ping, pong));
    say({"ping", pong.PingResult->state});

    _ns1__GetAccount ask;
    _ns1__GetAccountResponse told;
    as(password);
    check(his.GetAccount(&ask, told));
    say({"account", told.GetAccountResult->account});

    std::string submission = send_and_repeat();
    batch();
    cancel();
    receipts();
    query(submission);
    inbound();
    strings();
    refusal(password);
    refusal("wrong");
}

std::string Client::send_and_repeat()
{
    ns1__SendRequest *request = soap_new_ns1__SendRequest(his.soap);
    request->clientRef = text("GSOAP-1");
    request->content = text("王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。");
    request->recipients = soap_new_ns1__ArrayOfRecipient(his.soap);
    request->recipients->Recipient.push_back(recipient("13800138000", "甲"));
    request->recipients->Recipient.push_back(recipient("13900139000"));
    request->recipients->Recipient.push_back(recipient("1380013800O"));
    enum ns1__Lane lane = ns1__Lane__realtime;
    request->lane = &lane;
    request->passThrough = text("门诊");
    ns1__SendReply *sent = send(request);
    say({"send", sent->code, std::to_string(sent->accepted), std::to_string(sent->refused),
        shown(sent->passThrough)});
    for (ns1__Result *each : sent->results->Result)
        say({"result", shown(each->mobile), shown(each->ref), each->code});
    std::string first = shown(sent->submissionId);
    say({"again", shown(send(request)->submissionId) == first ? "same" : "other"});
    return first;
}

void Client::batch()
{
    _ns1__SendBatch call;
    _ns1__SendBatchResponse answer;
    call.request = soap_new_ns1__SendBatchRequest(his.soap);
    call.request->entries = soap_new_ns1__ArrayOfEntry(his.soap);
    call.request->entries->Entry.push_back(entry("13800138001", "报告已出"));
    call.request->entries->Entry.push_back(entry("13800138002", "请取药"));
    as(password);
    check(his.SendBatch(&call, answer));
    ns1__SendReply *sent = answer.SendBatchResult;
    say({"batch", sent->code, std::to_string(sent->accepted), std::to_string(sent->refused)});
}

void Client::cancel()
{
    ns1__SendRequest *later = soap_new_ns1__SendRequest(his.soap);
    later->content = text("明天见");
    later->recipients = soap_new_ns1__ArrayOfRecipient(his.soap);
    later->recipients->Recipient.push_back(recipient("13800138003"));
    time_t tomorrow = time(NULL) + 86400;
    later->scheduleAt = &tomorrow;
    bool receipt = false;
    later->receipt = &receipt;
    later->businessKey = text("A-7");
    say({"later", send(later)->code});

    _ns1__Cancel call;
    _ns1__CancelResponse answer;
    call.request = soap_new_ns1__CancelRequest(his.soap);
    call.request->businessKey = text("A-7");
    as(password);
    check(his.Cancel(&call, answer));
    say({"cancel", answer.CancelResult->code, std::to_string(answer.CancelResult->cancelled)});
}

void Client::receipts()
{
    _ns1__FetchReceipts call;
    call.request = soap_new_ns1__FetchReceiptsRequest(his.soap);
    int max = 10;
    call.request->max_ = &max;
    std::vector<ns1__Receipt *> found;
    std::string cursor;
    for (int tries = 0; tries < 300 && found.size() < 4; tries++) {
        if (tries) usleep(100000);
        _ns1__FetchReceiptsResponse page;
        as(password);
        check(his.FetchReceipts(&call, page));
        cursor = page.FetchReceiptsResult->cursor;
        if (page.FetchReceiptsResult->receipts) found = page.FetchReceiptsResult->receipts->Receipt;
    }
    for (ns1__Receipt *each : found) say({"receipt", each->mobile, each->state});

    _ns1__AckReceipts done;
    _ns1__AckReceiptsResponse answer;
    done.request = soap_new_ns1__AckReceiptsRequest(his.soap);
    done.request->cursor = text(cursor);
    as(password);
    check(his.AckReceipts(&done, answer));
    say({"acknowledged", std::to_string(answer.AckReceiptsResult->acknowledged)});

    call.request = soap_new_ns1__FetchReceiptsRequest(his.soap);
    _ns1__FetchReceiptsResponse rest;
    as(password);
    check(his.FetchReceipts(&call, rest));
    ns1__ArrayOfReceipt *left = rest.FetchReceiptsResult->receipts;
    say({"left", std::to_string(left ? left->Receipt.size() : 0),
        rest.FetchReceiptsResult->more ? "more" : "none"});
}

void Client::query(const std::string &submission)
{
    _ns1__Query call;
    _ns1__QueryResponse answer;
    call.request = soap_new_ns1__QueryRequest(his.soap);
    call.request->submissionId = text(submission);
    as(password);
    check(his.Query(&call, answer));
    for (ns1__Message *each : answer.QueryResult->messages->Message)
        say({"message", each->mobile, each->state, std::to_string(each->segmentCount)});
}

void Client::inbound()
{
    _ns1__FetchInbound call;
    _ns1__FetchInboundResponse page;
    call.request = soap_new_ns1__FetchInboundRequest(his.soap);
    as(password);
    check(his.FetchInbound(&call, page));
    std::vector<ns1__Inbound *> &texts = page.FetchInboundResult->inbound->Inbound;
    for (ns1__Inbound *each : texts) say({"inbound", each->mobile, shown(each->content)});

    _ns1__AckInbound noted;
    _ns1__AckInboundResponse answer;
    noted.request = soap_new_ns1__AckInboundRequest(his.soap);
    noted.request->inboundIds = soap_new_ns1__ArrayOfInboundId(his.soap);
    noted.request->inboundIds->InboundId.push_back(texts[0]->inboundId);
    as(password);
    check(his.AckInbound(&noted, answer));
    say({"noted", std::to_string(answer.AckInboundResult->acknowledged)});
}

void Client::strings()
{
    for (const std::string &secret : {password, std::string("wrong")}) {
        _ns1__SendText call;
        _ns1__SendTextResponse answer;
        call.account = account;
        call.password = secret;
        call.mobiles = "13800138004，13800138005";
        call.content = "一串文字";
        check(his.SendText(&call, answer));
        std::string code, id, words;
        std::istringstream line(answer.SendTextResult);
        std::getline(line, code, ';');
        std::getline(line, id, ';');
        std::getline(line, words);
        say({"text", code, code == "OK" ? words : id});
    }

    _ns1__Exchange call;
    _ns1__ExchangeResponse answer;
    call.account = account;
    call.password = password;
    call.xml = "<Send xmlns='urn:his-sms:exchange:1'><request><content>文档 &amp; 一串</content>"
               "<recipients><Recipient><mobile>13800138006</mobile></Recipient></recipients>"
               "</request></Send>";
    check(his.Exchange(&call, answer));
    std::string document = answer.ExchangeResult;
    size_t code = document.find("<code>") + 6;
    say({"exchange", document.substr(1, document.find(' ') - 1),
        document.substr(code, document.find('<', code) - code)});
}

void Client::refusal(const std::string &secret)
{
    _ns1__Query call;
    _ns1__QueryResponse answer;
    call.request = soap_new_ns1__QueryRequest(his.soap);
    call.request->clientRef = text("a");
    call.request->submissionId = text("1");
    as(secret);
    his.Query(&call, answer);
    SOAP_ENV__Fault *fault = his.soap_fault();
    SOAP_ENV__Detail *detail = fault->detail ? fault->detail : fault->SOAP_ENV__Detail;
    say({"fault", detail->ns1__ExchangeFault_->code, shown(detail->ns1__ExchangeFault_->field)});
}

int main(int, char **arguments)
{
    Client(arguments[1], arguments[2]).steps();
    return 0;
}
