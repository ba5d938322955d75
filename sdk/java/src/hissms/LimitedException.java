package hissms;

/** A limit is reached; retryAfterSeconds() says when to come again, where that is known. */
public final class LimitedException extends RefusedException {
    private static final long serialVersionUID = 1L;

    LimitedException(String code, String description, String field, long retryAfterSeconds, SendReply reply) {
        super(code, description, field, retryAfterSeconds, reply);
    }

    @Override
    public boolean isRetryable() {
        return code().equals("RATE_LIMITED");
    }
}
