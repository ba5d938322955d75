package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.time.DateTimeException;
import java.time.OffsetDateTime;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Believes callbacks signed for an account with one of its keys (HMAC-SHA256), made at most five
 * minutes from now, each once (docs/integrator/callbacks.md). Safe to share between threads.
 *
 * <p>Nonces are remembered in this process. Several processes behind one address give a predicate of
 * their own: it is told a nonce, remembers it for all of them for ten minutes, and says whether it was
 * there before.
 */
public final class CallbackVerifier {
    private static final long WINDOW_MILLIS = 300_000;
    private static final Pattern PART =
            Pattern.compile("\\G\\s*([a-z]+)=\"([^\"\\\\\\x00-\\x1f]{0,256})\"\\s*(?:,|$)");
    private static final Pattern NONCE = Pattern.compile("[A-Za-z0-9._~+/=-]{8,64}");

    private final String account;
    private final Map<String, String> keys;
    private final Predicate<String> seen;
    private final LongSupplier clock;
    private final Map<String, Long> nonces = new LinkedHashMap<>();

    /** keys: secrets by key id; two while one replaces the other. */
    public CallbackVerifier(String account, Map<String, String> keys) {
        this(account, keys, null, System::currentTimeMillis);
    }

    public CallbackVerifier(String account, Map<String, String> keys, Predicate<String> seen) {
        this(account, keys, seen, System::currentTimeMillis);
    }

    CallbackVerifier(
            String account, Map<String, String> keys, Predicate<String> seen, LongSupplier clock) {
        this.account = account;
        this.keys = new HashMap<>(keys);
        this.seen = seen == null ? this::isSeen : seen;
        this.clock = clock;
    }

    /**
     * What it brings.
     *
     * @param path as it was called, without a query; of a servlet, getRequestURI()
     * @param header gives a header by its name, or null; of a servlet, request::getHeader
     * @param body the octets as they came
     * @throws CallbackRefusedException where it is not true
     * @throws IllegalArgumentException where the body of a true one cannot be read (it is JSON)
     */
    public Callback verify(
            String method, String path, Function<String, String> header, byte[] body)
            throws CallbackRefusedException {
        check(method, path, header, body);
        return Callback.read(body);
    }

    /** Only whether it is true, whatever the body holds. */
    public void check(String method, String path, Function<String, String> header, byte[] body)
            throws CallbackRefusedException {
        Map<String, String> parts = parts(header.apply("Authorization"));
        String secret = keys.get(parts.get("key"));
        if (secret == null || !parts.get("account").equals(account)) {
            throw new CallbackRefusedException("it is signed by a key that was not agreed upon");
        }
        String reference = header.apply("Idempotency-Key");
        byte[] mac = Hmac.mac(secret.getBytes(UTF_8), body, Hmac.ALGORITHM, method, path, account,
                parts.get("key"), parts.get("time"), parts.get("nonce"),
                reference == null ? "" : reference);
        byte[] shown = parts.get("signature").toLowerCase(Locale.ROOT).getBytes(UTF_8);
        if (!MessageDigest.isEqual(Hmac.hex(mac).getBytes(UTF_8), shown)) {
            throw new CallbackRefusedException("the signature does not fit");
        }
        if (Math.abs(millis(parts.get("time")) - clock.getAsLong()) > WINDOW_MILLIS) {
            throw new CallbackRefusedException("it is more than 5 minutes from our clock");
        }
        if (seen.test(parts.get("key") + " " + parts.get("nonce"))) {
            throw new CallbackRefusedException("it came before");
        }
    }

    private boolean isSeen(String nonce) {
        long now = clock.getAsLong();
        synchronized (nonces) {
            // In the order of coming, so the oldest are in front.
            Iterator<Long> times = nonces.values().iterator();
            while (times.hasNext() && times.next() < now - 2 * WINDOW_MILLIS) {
                times.remove();
            }
            return nonces.putIfAbsent(nonce, now) != null;
        }
    }

    private static Map<String, String> parts(String authorization) throws CallbackRefusedException {
        Map<String, String> found = new HashMap<>();
        String written = authorization == null ? "" : authorization;
        if (written.startsWith(Hmac.ALGORITHM + " ")) {
            Matcher part = PART.matcher(written.substring(Hmac.ALGORITHM.length() + 1));
            int end = 0;
            boolean once = true;
            while (part.find()) {
                once &= found.put(part.group(1), part.group(2)) == null;
                end = part.end();
            }
            boolean whole = end == written.length() - Hmac.ALGORITHM.length() - 1;
            if (once && whole && found.size() == 5
                    && found.containsKey("account") && found.containsKey("key")
                    && found.containsKey("time") && found.containsKey("signature")
                    && NONCE.matcher(found.getOrDefault("nonce", "")).matches()) {
                return found;
            }
        }
        throw new CallbackRefusedException("the header Authorization is none of ours");
    }

    private static long millis(String time) throws CallbackRefusedException {
        try {
            return OffsetDateTime.parse(time).toInstant().toEpochMilli();
        } catch (DateTimeException error) {
            throw new CallbackRefusedException("the time is none of ours");
        }
    }
}
