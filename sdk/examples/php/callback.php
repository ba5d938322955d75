<?php

declare(strict_types=1);

/**
 * Receives callbacks (docs/integrator/callbacks.md). HIS_SMS_KEY is the secret of the key cb1, HIS_SMS_FOLDER a
 * folder that only this page may read and write. It keeps each event in a file of its own: a database table
 * with the event's id as its key does the same.
 */
require __DIR__ . '/HisSms.php';

$folder = getenv('HIS_SMS_FOLDER');
$keep = static function (string $name, string $text) use ($folder): bool {
    // "x" fails where the file is there already, also when two requests come at once.
    $file = @fopen($folder . '/' . $name, 'x');
    return $file !== false && fwrite($file, $text) === strlen($text) && fclose($file);
};
$seen = static function (string $nonce) use ($keep): bool {
    return !$keep('nonce-' . hash('sha256', $nonce), '');
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
        // An event may come again; the first one stays.
        $name = "$list-" . preg_replace('/\D/', '', $event[$id]);
        if (!$keep($name, json_encode($event)) && !file_exists("$folder/$name")) {
            http_response_code(503);
            exit;
        }
    }
}
http_response_code(204);
