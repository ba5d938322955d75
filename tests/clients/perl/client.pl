# Every operation with Perl's SOAP::Lite.  perl client.pl 1.1|1.2 WSDL ACCOUNT PASSWORD
# Prints what tests/clients/conftest.py asks for, one line a step.
use strict;
use warnings;
use utf8;
use POSIX qw(strftime);
use SOAP::Lite;

binmode STDOUT, ':encoding(UTF-8)';
my ($version, $wsdl, $account, $password) = @ARGV;
my $NS = 'urn:his-sms:exchange:1';

sub say_line { print join("\t", map { $_ // '' } @_), "\n" }

# The stub that SOAP::Lite makes of the WSDL knows addresses, actions and plain arguments, but
# neither headers nor elements within elements: those are made here. It calls our namespace tns.
sub element {
    my ($name, $value) = @_;
    my $data = SOAP::Data->name("tns:$name");
    return $data->type(string => $value) unless ref $value;
    my @inner;
    for (my $i = 0; $i < @$value; $i += 2) { push @inner, element(@$value[$i, $i + 1]) }
    return @inner ? $data->value(\SOAP::Data->value(@inner)) : $data->type(string => '');
}

sub credentials {
    my $secret = shift;
    return SOAP::Header->name('tns:Credentials')->value(
        \SOAP::Data->value(element(account => $account), element(password => $secret)));
}

# SOAP::Lite reads the WSDL of SOAP 1.1 only; at the same address it may speak 1.2.
SOAP::Lite->soapversion($version);
my $his = SOAP::Lite->service($wsdl);
$his->on_fault(sub {
    my ($soap, $answer) = @_;
    die $answer unless ref $answer;    # HTTP itself went wrong
    die $answer->valueof('//ExchangeFault');
});

sub call_with {
    my ($secret, $operation, @pairs) = @_;
    my $method = SOAP::Data->name("tns:$operation");
    return $his->SOAP::Lite::call($method, element(request => \@pairs), credentials($secret));
}

# The answer of an operation, as SOAP::Lite's object: `valueof` finds what comes several times.
sub ask { return call_with($password, @_) }

say_line('ping', $his->Ping->{state});
say_line('account', $his->GetAccount(credentials($password))->{account});

my @request = (
    clientRef => 'PERL-1',
    content => '王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。',
    recipients => [
        Recipient => [mobile => '13800138000', ref => '甲'],
        Recipient => [mobile => '13900139000'],
        Recipient => [mobile => '1380013800O'],
    ],
    lane => 'realtime',
    passThrough => '门诊',
);
my $answer = ask('Send', @request);
my $sent = $answer->result;
say_line('send', @$sent{qw(code accepted refused passThrough)});
say_line('result', @$_{qw(mobile ref code)}) for $answer->valueof('//results/Result');
my $again = ask('Send', @request)->result;
say_line('again', $again->{submissionId} eq $sent->{submissionId} ? 'same' : 'other');

my $batch = ask('SendBatch', entries => [
    Entry => [mobile => '13800138001', content => '报告已出'],
    Entry => [mobile => '13800138002', content => '请取药'],
])->result;
say_line('batch', @$batch{qw(code accepted refused)});

my $later = ask('Send',
    content => '明天见',
    recipients => [Recipient => [mobile => '13800138003']],
    scheduleAt => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 86400)),
    receipt => 'false',
    businessKey => 'A-7',
)->result;
say_line('later', $later->{code});
say_line('cancel', @{ask('Cancel', businessKey => 'A-7')->result}{qw(code cancelled)});

my ($page, @receipts);
for (1 .. 300) {
    $page = ask('FetchReceipts', max => 10);
    last if (@receipts = $page->valueof('//receipts/Receipt')) >= 4;
    select undef, undef, undef, 0.1;
}
say_line('receipt', @$_{qw(mobile state)}) for @receipts;
my $done = ask('AckReceipts', cursor => $page->result->{cursor})->result;
say_line('acknowledged', $done->{acknowledged});
my $left = ask('FetchReceipts');
say_line('left', scalar(() = $left->valueof('//receipts/Receipt')),
    $left->result->{more} eq 'true' ? 'more' : 'none');

say_line('message', @$_{qw(mobile state segmentCount)})
    for ask('Query', submissionId => $sent->{submissionId})->valueof('//messages/Message');

my @texts = ask('FetchInbound')->valueof('//inbound/Inbound');
say_line('inbound', @$_{qw(mobile content)}) for @texts;
my $noted = ask('AckInbound', inboundIds => [InboundId => $texts[0]{inboundId}])->result;
say_line('noted', $noted->{acknowledged});

for my $secret ($password, 'wrong') {
    my $string = $his->SendText($account, $secret, '13800138004，13800138005', '一串文字', '');
    my ($code, $id, $text) = split /;/, $string, 3;
    say_line('text', $code, $code eq 'OK' ? $text : $id);
}

my $document = "<Send xmlns='$NS'><request><content>文档 &amp; 一串</content><recipients><Recipient>"
    . '<mobile>13800138006</mobile></Recipient></recipients></request></Send>';
my $response = $his->Exchange($account, $password, $document);
say_line('exchange', $response =~ /^<(\w+)/, $response =~ m{<SendResult><code>(\w+)<});

for my $secret ($password, 'wrong') {
    eval { call_with($secret, 'Query', clientRef => 'a', submissionId => '1') };
    say_line('fault', ref $@ ? @{$@}{qw(code field)} : $@);
}
