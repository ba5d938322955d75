package hissms;

import java.time.OffsetDateTime;

/** One billed part of a message. */
public final class Segment {
    public final int number;
    public final String state;
    public final String carrierCode;
    public final OffsetDateTime submittedAt;
    public final OffsetDateTime doneAt;

    Segment(Members from) {
        number = from.neededNumber("number");
        state = from.needed("state");
        carrierCode = from.text("carrierCode");
        submittedAt = from.moment("submittedAt");
        doneAt = from.moment("doneAt");
    }
}
