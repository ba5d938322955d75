package hissms;

/** No answer of the adapter came. A text may have been accepted: repeat it under its clientRef(). */
public final class NoAnswerException extends SmsException {
    private static final long serialVersionUID = 1L;

    private final long retryAfterSeconds;

    NoAnswerException(String description, long retryAfterSeconds, Throwable cause) {
        super(description, cause);
        this.retryAfterSeconds = retryAfterSeconds;
    }

    @Override
    public boolean isRetryable() {
        return true;
    }

    @Override
    public long retryAfterSeconds() {
        return retryAfterSeconds;
    }
}
