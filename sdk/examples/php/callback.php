<?php

declare(strict_types=1);

/**
 * Receives callbacks (docs/integrator/callbacks.md). HIS_SMS_KEY is the secret of the key cb1, HIS_SMS_FOLDER a
 * folder that only this page may read and write. It keeps each event in a file of its own: a database table
 * with the event's id as its key does the same.
 */
require __DIR__ . '/HisSms.php';

$folder = getenv('HIS_SMS_FOLDER');
$seen = static function (string $nonce) use ($folder): bool {
    // "x" fails where the file is there already, also when two requests come at once.
    return @fopen("$folder/nonce-" . hash('sha256', $nonce), 'x') === false;
};
$body = file_get_contents('php://input');
$true = HisSms::isTrueCallback(
    'his',
    ['cb1' => getenv('HIS_SMS_KEY')],
    $_SERVER['REQUEST_METHOD'],
    parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH),
    $_SERVER['HTTP_AUTHORIZATION'] ?? '',
    $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? '',
    $body,
    $seen
);
if (!$true) {
    http_response_code(401);
    exit;
}
$brought = json_decode($body, true);
foreach ([['receipts', 'receiptId'], ['inbound', 'inboundId']] as [$list, $id]) {
    foreach ($brought[$list] ?? [] as $event) {
        // An event that comes again takes its own place.
        $file = "$folder/$list-" . preg_replace('/\D/', '', $event[$id]);
        $text = json_encode($event, JSON_UNESCAPED_UNICODE);
        $part = "$file." . bin2hex(random_bytes(8));
        if (file_put_contents($part, $text) !== strlen($text) || !rename($part, $file)) {
            http_response_code(503);
            exit;
        }
    }
}
http_response_code(204);
