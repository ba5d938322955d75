package hissms;

/** The answer is none of an adapter. */
public final class UnexpectedAnswerException extends SmsException {
    private static final long serialVersionUID = 1L;

    UnexpectedAnswerException(String description, Throwable cause) {
        super(description, cause);
    }

    @Override
    public boolean isRetryable() {
        return false;
    }
}
