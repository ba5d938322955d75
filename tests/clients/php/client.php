<?php
// Every operation with PHP's SoapClient.  php client.php WSDL ACCOUNT PASSWORD
// Prints what tests/clients/conftest.py asks for, one line a step.

const NS = 'urn:his-sms:exchange:1';
[, $wsdl, $account, $password] = $argv;

function say(...$words): void
{
    echo implode("\t", $words), "\n";
}

function client(string $wsdl, string $account, string $password): SoapClient
{
    $client = new SoapClient($wsdl, [
        // The binding of the WSDL does not set the version: the option does.
        'soap_version' => str_contains($wsdl, 'soap12') ? SOAP_1_2 : SOAP_1_1,
        'cache_wsdl' => WSDL_CACHE_NONE,
        // A list of one item stays a list.
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    ]);
    $client->__setSoapHeaders(new SoapHeader(NS, 'Credentials', [
        'account' => $account,
        'password' => $password,
    ]));
    return $client;
}

function refusal(SoapClient $client): void
{
    try {
        $client->Query(['request' => ['clientRef' => 'a', 'submissionId' => '1']]);
    } catch (SoapFault $fault) {
        $detail = $fault->detail->ExchangeFault;
        say('fault', $detail->code, $detail->field ?? '');
    }
}

$his = client($wsdl, $account, $password);
say('ping', $his->Ping()->PingResult->state);
say('account', $his->GetAccount()->GetAccountResult->account);

$request = [
    'clientRef' => 'PHP-1',
    'content' => '王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。',
    'recipients' => ['Recipient' => [
        ['mobile' => '13800138000', 'ref' => '甲'],
        ['mobile' => '13900139000'],
        ['mobile' => '1380013800O'],
    ]],
    'lane' => 'realtime',
    'passThrough' => '门诊',
];
$sent = $his->Send(['request' => $request])->SendResult;
say('send', $sent->code, $sent->accepted, $sent->refused, $sent->passThrough);
foreach ($sent->results->Result as $result) {
    say('result', $result->mobile, $result->ref ?? '', $result->code);
}
$again = $his->Send(['request' => $request])->SendResult;
say('again', $again->submissionId === $sent->submissionId ? 'same' : 'other');

$batch = $his->SendBatch(['request' => ['entries' => ['Entry' => [
    ['mobile' => '13800138001', 'content' => '报告已出'],
    ['mobile' => '13800138002', 'content' => '请取药'],
]]]])->SendBatchResult;
say('batch', $batch->code, $batch->accepted, $batch->refused);

$later = $his->Send(['request' => [
    'content' => '明天见',
    'recipients' => ['Recipient' => [['mobile' => '13800138003']]],
    'scheduleAt' => date(DATE_ATOM, time() + 86400),
    'receipt' => false,
    'businessKey' => 'A-7',
]])->SendResult;
say('later', $later->code);
$cancelled = $his->Cancel(['request' => ['businessKey' => 'A-7']])->CancelResult;
say('cancel', $cancelled->code, $cancelled->cancelled);

for ($tries = 0; $tries < 300; $tries++) {
    $page = $his->FetchReceipts(['request' => ['max' => 10]])->FetchReceiptsResult;
    $receipts = $page->receipts->Receipt ?? [];
    if (count($receipts) >= 4) {
        break;
    }
    usleep(100_000);
}
foreach ($receipts as $receipt) {
    say('receipt', $receipt->mobile, $receipt->state);
}
$done = $his->AckReceipts(['request' => ['cursor' => $page->cursor]])->AckReceiptsResult;
say('acknowledged', $done->acknowledged);
$left = $his->FetchReceipts(['request' => []])->FetchReceiptsResult;
say('left', count($left->receipts->Receipt ?? []), $left->more ? 'more' : 'none');

$found = $his->Query(['request' => ['submissionId' => $sent->submissionId]])->QueryResult;
foreach ($found->messages->Message as $message) {
    say('message', $message->mobile, $message->state, $message->segmentCount);
}

$texts = $his->FetchInbound(['request' => []])->FetchInboundResult;
foreach ($texts->inbound->Inbound as $text) {
    say('inbound', $text->mobile, $text->content);
}
$ids = ['InboundId' => [$texts->inbound->Inbound[0]->inboundId]];
say('noted', $his->AckInbound(['request' => ['inboundIds' => $ids]])->AckInboundResult->acknowledged);

$words = fn (string $secret) => $his->SendText([
    'account' => $account,
    'password' => $secret,
    'mobiles' => '13800138004，13800138005',
    'content' => '一串文字',
    'extension' => '',
])->SendTextResult;
[$code, , $text] = explode(';', $words($password), 3);
say('text', $code, $text);
[$code, $id] = explode(';', $words('wrong'), 3);
say('text', $code, $id);

$document = '<Send xmlns="' . NS . '"><request><content>文档 &amp; 一串</content><recipients><Recipient>'
    . '<mobile>13800138006</mobile></Recipient></recipients></request></Send>';
$answer = $his->Exchange(['account' => $account, 'password' => $password, 'xml' => $document]);
preg_match('~^<(\w+) .*?<code>(\w+)<~', $answer->ExchangeResult, $found);
say('exchange', $found[1], $found[2]);

refusal($his);
refusal(client($wsdl, $account, 'wrong'));
