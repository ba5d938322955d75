package hissms;

import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;

/** The adapter refused. Decide by {@link #code}, never by the message. */
public class RefusedException extends SmsException {
    private static final long serialVersionUID = 1L;

    private static final Collection<String> NOT_LET_IN =
            set("AUTH_FAILED", "IP_DENIED", "CERT_DENIED", "SIGNATURE_INVALID");
    private static final Collection<String> NOT_POSSIBLE =
            set("BAD_REQUEST", "BAD_NUMBER", "BAD_CONTENT", "TOO_LONG", "TEMPLATE_UNKNOWN",
                    "BLACKLISTED", "SENSITIVE_WORD", "DUPLICATE", "NO_ROUTE", "NOT_FOUND",
                    "DECRYPT_FAILED");
    private static final Collection<String> LIMITED =
            set("FREQUENCY_LIMIT", "QUOTA_EXCEEDED", "RATE_LIMITED");
    private static final Collection<String> UNAVAILABLE =
            set("SPOOL_FULL", "STORE_UNAVAILABLE", "INTERNAL");

    private final String code;
    private final String field;
    private final long retryAfterSeconds;
    private final transient SendReply reply;

    RefusedException(
            String code, String description, String field, long retryAfterSeconds, SendReply reply) {
        super(code + ": " + description, null);
        this.code = code;
        this.field = field;
        this.retryAfterSeconds = retryAfterSeconds;
        this.reply = reply;
    }

    /** The exception of a code; one that is new to this version is a plain RefusedException. */
    static RefusedException of(
            String code, String description, String field, long retryAfterSeconds, SendReply reply) {
        if (NOT_LET_IN.contains(code)) {
            return new NotLetInException(code, description, field, retryAfterSeconds, reply);
        }
        if (NOT_POSSIBLE.contains(code)) {
            return new NotPossibleException(code, description, field, retryAfterSeconds, reply);
        }
        if (LIMITED.contains(code)) {
            return new LimitedException(code, description, field, retryAfterSeconds, reply);
        }
        if (UNAVAILABLE.contains(code)) {
            return new UnavailableException(code, description, field, retryAfterSeconds, reply);
        }
        return new RefusedException(code, description, field, retryAfterSeconds, reply);
    }

    /** Why, as in the contract; new codes may be added. */
    public final String code() {
        return code;
    }

    /** The field at fault, such as recipients[3].mobile (items counted from 1), or null. */
    public final String field() {
        return field;
    }

    /** The results of the single recipients, where all of them were refused; else null. */
    public final SendReply reply() {
        return reply;
    }

    @Override
    public boolean isRetryable() {
        return false;
    }

    @Override
    public final long retryAfterSeconds() {
        return retryAfterSeconds;
    }

    private static Collection<String> set(String... codes) {
        return new HashSet<>(Arrays.asList(codes));
    }
}
