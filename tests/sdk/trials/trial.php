<?php

declare(strict_types=1);

// What tests/sdk/test_languages.py asks of every language; one line a result.
[, $library, $what] = $argv;
$rest = array_slice($argv, 3);
require $library;

const KEY_ID = '2026a';
const SECRET = '0123456789abcdef0123456789abcdef';

function client(string $url, string $account = 'php', string $secret = SECRET): HisSms
{
    return new HisSms($url, $account, KEY_ID, $secret, 6, 0.01);
}

function told(callable $act): void
{
    try {
        $act();
        echo "nothing was refused\n";
    } catch (HisSmsRefused $error) {
        echo $error->reason, ' ', count($error->answer['results'] ?? []), "\n";
    }
}

switch ($what) {
    case 'send':
        [$url, $ref, $mobile, $content] = $rest;
        $sms = client($url);
        if (isset($rest[4])) {
            $sms->encryptWith(KEY_ID, base64_decode($rest[4]));
        }
        echo $sms->send($ref, [$mobile], $content)['code'], "\n";
        break;
    case 'refused':
        $sms = client($rest[0]);
        told(fn () => $sms->send('bad', ['020-1', '12'], 'x'));
        $values = [['name' => 'name', 'value' => '王']];
        told(fn () => $sms->call('Send', [
            'template' => 'none', 'values' => $values, 'recipients' => [['mobile' => '13800138000']],
        ]));
        told(fn () => client($rest[0], $rest[1])->call('GetAccount'));
        break;
    case 'receipts':
        $left = (int) $rest[1];
        try {
            $handled = client($rest[0])->handleReceipts(function (array $receipt) use (&$left) {
                if (--$left === 0) {
                    throw new DomainException('the disk is full');
                }
                echo $receipt['clientRef'], ' ', $receipt['state'], "\n";
            });
            echo "handled $handled\n";
        } catch (DomainException $error) {
            echo $error->getMessage(), "\n";
        }
        break;
    case 'inbound':
        client($rest[0])->handleInbound(function (array $text) {
            echo $text['mobile'], ' ', $text['content'], "\n";
        });
        break;
    case 'seal':
        [$key, $nonce, $account, $ref, $content] = $rest;
        $bound = [$content, $account, $ref, array_slice($rest, 5)];
        echo HisSms::seal(KEY_ID, hex2bin($key), ...[...$bound, hex2bin($nonce)]), "\n";
        echo HisSms::seal(KEY_ID, hex2bin($key), ...$bound), "\n";
        break;
    case 'verify':
        $known = [];
        $seen = function (string $nonce) use (&$known): bool {
            $is = isset($known[$nonce]);
            $known[$nonce] = true;
            return $is;
        };
        foreach (array_chunk(array_slice($rest, 1), 5) as $came) {
            [$method, $path, $authorization, $reference, $body] = $came;
            $true = HisSms::isTrueCallback(
                'his', ['cb1' => SECRET], $method, $path, $authorization, $reference,
                base64_decode($body), $seen, (int) $rest[0]
            );
            echo $true ? 'true' : 'refused', "\n";
        }
        break;
}
