package hissms;

/** The adapter cannot take anything now. */
public final class UnavailableException extends RefusedException {
    private static final long serialVersionUID = 1L;

    UnavailableException(String code, String description, String field, long retryAfterSeconds, SendReply reply) {
        super(code, description, field, retryAfterSeconds, reply);
    }

    @Override
    public boolean isRetryable() {
        return true;
    }
}
