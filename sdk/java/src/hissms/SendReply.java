package hissms;

import java.util.List;

/** Accepted, in whole or (code is PARTIAL) in part. */
public final class SendReply {
    public final String code;
    public final String description;
    public final String submissionId;
    public final int accepted;
    public final int refused;
    public final String passThrough;
    /** One for each recipient, in order. */
    public final List<Result> results;

    SendReply(Members from) {
        code = from.needed("code");
        description = from.text("description");
        submissionId = from.text("submissionId");
        accepted = from.neededNumber("accepted");
        refused = from.neededNumber("refused");
        passThrough = from.text("passThrough");
        results = from.values("results", Result::new);
    }
}
