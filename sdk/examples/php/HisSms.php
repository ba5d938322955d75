<?php

declare(strict_types=1);

/**
 * The hospital's SMS adapter over JSON, in one file: PHP 7.4 or newer with the extensions curl, json
 * and openssl. docs/integrator/http.md says what the operations take and give.
 *
 *     $sms = new HisSms('https://sms.example.org', 'his', '2026a', $secret);
 *     $sms->send('OP-20260301-0001', ['13800138000'], '您的就诊时间为明天14:30。');
 *     $sms->handleReceipts(function (array $receipt) { ... });
 */
final class HisSms
{
    /** The same request may succeed later; every other code would come again. */
    private const RETRYABLE = ['RATE_LIMITED', 'SPOOL_FULL', 'STORE_UNAVAILABLE', 'INTERNAL'];

    private string $url;
    private string $account;
    private string $keyId;
    private string $secret;
    private int $tries;
    private float $firstSeconds;
    private ?string $contentKeyId = null;
    private string $contentKey = '';

    /** Requests are signed with the key (HMAC-SHA256). Pauses between tries: $firstSeconds, doubled. */
    public function __construct(
        string $url,
        string $account,
        string $keyId,
        string $secret,
        int $tries = 6,
        float $firstSeconds = 0.5
    ) {
        $this->url = rtrim($url, '/');
        $this->account = $account;
        $this->keyId = $keyId;
        $this->secret = $secret;
        $this->tries = $tries;
        $this->firstSeconds = $firstSeconds;
    }

    /** From now on contents go encrypted with this key of 32 octets (AES-256-GCM). */
    public function encryptWith(string $keyId, string $key): void
    {
        if (strlen($key) !== 32) {
            throw new InvalidArgumentException('a key for aes-256-gcm has 32 octets');
        }
        $this->contentKeyId = $keyId;
        $this->contentKey = $key;
    }

    /**
     * One text to some numbers; it is durable when this returns. Take $clientRef from your own data: a
     * text is sent once under it, however often you ask.
     *
     * @param string[] $mobiles
     * @param array $more further members of SendRequest, such as ['lane' => 'urgent']
     */
    public function send(string $clientRef, array $mobiles, string $content, array $more = []): array
    {
        $request = ['clientRef' => $clientRef] + $more;
        foreach ($mobiles as $mobile) {
            $request['recipients'][] = ['mobile' => $mobile];
        }
        if ($this->contentKeyId === null) {
            $request['content'] = $content;
        } else {
            $request['encryptedContent'] = self::seal(
                $this->contentKeyId, $this->contentKey, $content, $this->account, $clientRef, $mobiles
            );
        }
        return $this->call('Send', $request);
    }

    /**
     * Hands every receipt that waits to $handler and acknowledges what it returned from. A receipt may
     * come twice: receiptId tells. What the handler throws comes out here; that receipt comes again.
     */
    public function handleReceipts(callable $handler): int
    {
        return $this->handle('Receipts', 'receipts', 'receiptId', $handler);
    }

    /** The same for texts from phones. */
    public function handleInbound(callable $handler): int
    {
        return $this->handle('Inbound', 'inbound', 'inboundId', $handler);
    }

    /**
     * Any operation, tried again while that is of use: a text is sent once, because every try carries the
     * same clientRef. Throws HisSmsRefused, or HisSmsNoAnswer when every try failed; a text may then
     * have been accepted, so repeat it later under the same clientRef.
     */
    public function call(string $operation, array $request = []): array
    {
        $body = json_encode((object) $request, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
        for ($tried = 1; ; $tried++) {
            [$status, $answer, $afterSeconds, $trouble] = $this->post($operation, $body);
            $code = is_array($answer) ? ($answer['code'] ?? null) : null;
            $nothing = $operation === 'Query' && $code === 'NOT_FOUND';
            if (is_array($answer) && ($status === 200 || $nothing)) {
                return $answer;
            }
            $passing = $status === 0 || $status >= 500 || in_array($status, [408, 425, 429], true);
            $retryable = $code === null ? $passing : in_array($code, self::RETRYABLE, true);
            if (!$retryable || $tried >= $this->tries || $afterSeconds > 30) {
                throw $code === null
                    ? new HisSmsNoAnswer("$operation: status $status $trouble")
                    : new HisSmsRefused($code, $answer);
            }
            $own = min($this->firstSeconds * 2 ** ($tried - 1), 30) * random_int(50, 100) / 100;
            usleep((int) (1000000 * max($own, $afterSeconds)));
        }
    }

    /** The encryptedContent of a request (docs/integrator/encryption.md). $nonce: for test vectors only. */
    public static function seal(
        string $keyId,
        string $key,
        string $content,
        string $account,
        string $clientRef,
        array $mobiles,
        ?string $nonce = null
    ): string {
        $lines = array_merge(['his-sms content 1', $account, $clientRef], $mobiles);
        foreach ($lines as $line) {
            if (strpos($line, "\n") !== false) {
                throw new InvalidArgumentException('clientRef and mobiles must not hold line feeds');
            }
        }
        $bound = implode("\n", $lines) . "\n";
        $nonce = $nonce ?? random_bytes(12);
        $sealed = openssl_encrypt(
            $content, 'aes-256-gcm', $key, OPENSSL_RAW_DATA, $nonce, $tag, $bound, 16
        );
        if ($sealed === false) {
            throw new RuntimeException('this PHP has no aes-256-gcm');
        }
        return "v1:$keyId:" . base64_encode($nonce . $sealed . $tag);
    }

    /**
     * Whether a callback is from the adapter (docs/integrator/callbacks.md). Give what came: the method, the
     * path without a query, the headers Authorization and Idempotency-Key, the body as it came.
     *
     * @param array<string, string> $keys secrets by key id
     * @param callable $seen is told a nonce, keeps it for ten minutes, says whether it knew it
     */
    public static function isTrueCallback(
        string $account,
        array $keys,
        string $method,
        string $path,
        string $authorization,
        string $reference,
        string $body,
        callable $seen,
        ?int $now = null
    ): bool {
        $form = '/^HMAC-SHA256 account="([^"\\\\]*)", key="([^"\\\\]*)", time="([^"\\\\]*)",'
            . ' nonce="([A-Za-z0-9._~+\/=-]{8,64})", signature="([0-9a-f]{64})"$/D';
        if (!preg_match($form, $authorization, $parts)) {
            return false;
        }
        [, $theirs, $keyId, $time, $nonce, $signature] = $parts;
        if ($theirs !== $account || !isset($keys[$keyId])) {
            return false;
        }
        $lines = ['HMAC-SHA256', $method, $path, $account, $keyId, $time, $nonce, $reference, $body];
        $expected = hash_hmac('sha256', implode("\n", $lines), $keys[$keyId]);
        if (!hash_equals($expected, $signature)) {
            return false;
        }
        $made = DateTimeImmutable::createFromFormat('Y-m-d\TH:i:sP', $time);
        if ($made === false || abs($made->getTimestamp() - ($now ?? time())) > 300) {
            return false;
        }
        return !$seen("$keyId $nonce");
    }

    private function handle(string $what, string $name, string $id, callable $handler): int
    {
        for ($handled = 0; ; ) {
            $items = $this->call("Fetch$what", ['max' => 100])[$name] ?? [];
            if (!$items) {
                return $handled;
            }
            $safe = [];
            try {
                foreach ($items as $item) {
                    $handler($item);
                    $safe[] = $item[$id];
                }
            } finally {
                if ($safe) {
                    $this->call("Ack$what", ["{$id}s" => $safe]);
                }
            }
            $handled += count($safe);
        }
    }

    /** One try. Status 0: nobody answered. */
    private function post(string $operation, string $body): array
    {
        $address = "{$this->url}/api/json/$operation";
        $afterSeconds = 0;
        $handle = curl_init($address);
        curl_setopt_array($handle, [
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_HTTPHEADER => [
                'Content-Type: application/json; charset=utf-8',
                'Authorization: ' . $this->sign(parse_url($address, PHP_URL_PATH), $body),
            ],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT => 10,
            CURLOPT_TIMEOUT => 30,
            CURLOPT_HEADERFUNCTION => function ($handle, string $line) use (&$afterSeconds): int {
                if (preg_match('/^retry-after:\s*(\d{1,9})\s*$/i', $line, $found)) {
                    $afterSeconds = (int) $found[1];
                }
                return strlen($line);
            },
        ]);
        $answer = curl_exec($handle);
        $status = $answer === false ? 0 : curl_getinfo($handle, CURLINFO_RESPONSE_CODE);
        return [$status, json_decode((string) $answer, true), $afterSeconds, curl_error($handle)];
    }

    private function sign(string $path, string $body): string
    {
        $time = gmdate('Y-m-d\TH:i:s\Z');
        $nonce = bin2hex(random_bytes(16));
        $lines = ['HMAC-SHA256', 'POST', $path, $this->account, $this->keyId, $time, $nonce, '', $body];
        $signature = hash_hmac('sha256', implode("\n", $lines), $this->secret);
        return "HMAC-SHA256 account=\"{$this->account}\", key=\"{$this->keyId}\", time=\"$time\","
            . " nonce=\"$nonce\", signature=\"$signature\"";
    }
}

/** The adapter says no. Decide by $reason, a code of the contract; $answer is all that it said. */
final class HisSmsRefused extends RuntimeException
{
    public string $reason;
    public array $answer;

    public function __construct(string $reason, array $answer)
    {
        parent::__construct("$reason: " . ($answer['description'] ?? ''));
        $this->reason = $reason;
        $this->answer = $answer;
    }
}

/** Nobody answered, or something that is no adapter. A text may have been accepted. */
final class HisSmsNoAnswer extends RuntimeException
{
}
