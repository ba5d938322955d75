package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A shared key and its id: HMAC-SHA256 over each request. A signed request can neither be changed
 * nor sent again by others.
 *
 * <p>What is signed, in UTF-8, each line ended by LF, then the body: algorithm, method, path, account,
 * key id, time (UTC), nonce, the header Idempotency-Key (empty without).
 */
public final class Hmac implements Credentials {
    static final String ALGORITHM = "HMAC-SHA256";

    private static final SecureRandom CHANCE = new SecureRandom();

    private final String account;
    private final String keyId;
    private final byte[] secret;

    public Hmac(String account, String keyId, String secret) {
        if ((account + keyId).matches("(?s).*[\"\\\\\r\n].*")) {
            throw new IllegalArgumentException(
                    "account, keyId: must not hold quotes, backslashes or line breaks");
        }
        this.account = account;
        this.keyId = keyId;
        this.secret = secret.getBytes(UTF_8);
    }

    @Override
    public String account() {
        return account;
    }

    @Override
    public String refusal() {
        return "SIGNATURE_INVALID";
    }

    @Override
    public String authorization(String method, String path, byte[] body) {
        byte[] nonce = new byte[16];
        CHANCE.nextBytes(nonce);
        String time = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        return authorization(method, path, body, time, hex(nonce));
    }

    String authorization(String method, String path, byte[] body, String time, String nonce) {
        byte[] mac = mac(secret, body, ALGORITHM, method, path, account, keyId, time, nonce, "");
        return ALGORITHM + " account=\"" + account + "\", key=\"" + keyId + "\", time=\"" + time
                + "\", nonce=\"" + nonce + "\", signature=\"" + hex(mac) + "\"";
    }

    /** The signature over lines and body. */
    static byte[] mac(byte[] secret, byte[] body, String... lines) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            for (String line : lines) {
                mac.update((line + "\n").getBytes(UTF_8));
            }
            return mac.doFinal(body);
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("this Java has no HMAC-SHA256", error);
        }
    }

    static String hex(byte[] octets) {
        StringBuilder into = new StringBuilder();
        for (byte each : octets) {
            into.append(String.format("%02x", each & 0xff));
        }
        return into.toString();
    }
}
