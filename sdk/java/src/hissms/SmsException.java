package hissms;

/**
 * Anything that went wrong between this program and the adapter.
 *
 * <pre>
 * SmsException
 * ├── NoAnswerException            nobody answered, or something in between did: the outcome is open
 * ├── UnexpectedAnswerException    what answered is no adapter: look at the address
 * └── RefusedException             the adapter says no; code() says why
 *     ├── NotLetInException        AUTH_FAILED, IP_DENIED, CERT_DENIED, SIGNATURE_INVALID
 *     ├── NotPossibleException     BAD_REQUEST, BAD_NUMBER, BAD_CONTENT, TOO_LONG, TEMPLATE_UNKNOWN,
 *     │                            BLACKLISTED, SENSITIVE_WORD, DUPLICATE, NO_ROUTE, NOT_FOUND,
 *     │                            DECRYPT_FAILED
 *     ├── LimitedException         FREQUENCY_LIMIT, QUOTA_EXCEEDED, RATE_LIMITED
 *     └── UnavailableException     SPOOL_FULL, STORE_UNAVAILABLE, INTERNAL
 * </pre>
 */
public abstract class SmsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private String clientRef;

    SmsException(String description, Throwable cause) {
        super(description, cause);
    }

    /**
     * Whether the same request may succeed later. The client has then repeated it already, as its
     * {@link Retry} says.
     */
    public abstract boolean isRetryable();

    /** How many seconds the adapter wants to be left alone, or -1 where it does not say. */
    public long retryAfterSeconds() {
        return -1;
    }

    /** The reference that a sending went out with, to repeat it with; null for other requests. */
    public final String clientRef() {
        return clientRef;
    }

    final SmsException with(String reference) {
        clientRef = reference;
        return this;
    }
}
