package hissms;

/** The credentials, the address or the certificate were not accepted. */
public final class NotLetInException extends RefusedException {
    private static final long serialVersionUID = 1L;

    NotLetInException(String code, String description, String field, long retryAfterSeconds, SendReply reply) {
        super(code, description, field, retryAfterSeconds, reply);
    }
}
