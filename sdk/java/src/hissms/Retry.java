package hissms;

import java.util.concurrent.ThreadLocalRandom;

/**
 * How often a request is tried, and how long the pauses are.
 *
 * <p>A request is tried again when nobody answered, when something between here and the adapter
 * answered with 408, 425, 429 or 5xx, and on RATE_LIMITED, SPOOL_FULL, STORE_UNAVAILABLE and
 * INTERNAL. Every try carries the same client reference, so a text is accepted once, however often
 * it is asked for. Everything else would be refused again, so it is not tried again.
 */
public final class Retry {
    /** Six tries, pauses of 0.5 s to 30 s. */
    public static final Retry USUAL = new Retry(6, 500, 30_000);

    /** The first error comes out. */
    public static final Retry NEVER = new Retry(1, 0, 0);

    private final int tries;
    private final long firstMillis;
    private final long mostMillis;

    /**
     * The pause before the second try is about firstMillis, each next one twice as long, none longer
     * than mostMillis; half of it is by chance, so that a hundred programs do not come back in the
     * same moment. What the adapter asks for (Retry-After) goes first; where it asks for more than
     * mostMillis, the error comes out at once.
     */
    public Retry(int tries, long firstMillis, long mostMillis) {
        if (tries < 1 || firstMillis < 0 || mostMillis < 0) {
            throw new IllegalArgumentException("tries: at least 1; pauses: not below 0");
        }
        this.tries = tries;
        this.firstMillis = firstMillis;
        this.mostMillis = mostMillis;
    }

    /** How long to wait after so many tries; -1: no more. */
    long pauseMillis(int tried, SmsException error) {
        if (!error.isRetryable() || tried >= tries) {
            return -1;
        }
        long asked = error.retryAfterSeconds();
        if (asked > mostMillis / 1000.0) {
            return -1;
        }
        double own = Math.min(firstMillis * Math.pow(2, tried - 1), mostMillis);
        long pause = (long) (own * ThreadLocalRandom.current().nextDouble(0.5, 1.0));
        return Math.max(Math.max(asked, 0) * 1000, pause);
    }
}
