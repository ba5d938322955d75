package hissms;

/** The request cannot be carried out as it is: change it. */
public final class NotPossibleException extends RefusedException {
    private static final long serialVersionUID = 1L;

    NotPossibleException(String code, String description, String field, long retryAfterSeconds, SendReply reply) {
        super(code, description, field, retryAfterSeconds, reply);
    }
}
