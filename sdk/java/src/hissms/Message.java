package hissms;

import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** A message and where it stands. */
public final class Message {
    private static final Set<String> FINAL = new HashSet<>(Arrays.asList(
            "DELIVERED", "UNDELIVERED", "REJECTED", "EXPIRED", "CANCELLED", "UNKNOWN"));

    public final String messageId;
    public final String submissionId;
    public final String clientRef;
    public final String ref;
    public final String mobile;
    /** As in the contract; new states may be added, and are not final. */
    public final String state;
    public final String carrierCode;
    public final String description;
    public final String channel;
    /** It may have been sent twice. */
    public final boolean inDoubt;
    public final OffsetDateTime acceptedAt;
    public final OffsetDateTime submittedAt;
    public final OffsetDateTime doneAt;
    public final String passThrough;
    public final int segmentCount;
    public final List<Segment> segments;

    Message(Members from) {
        messageId = from.needed("messageId");
        submissionId = from.needed("submissionId");
        clientRef = from.text("clientRef");
        ref = from.text("ref");
        mobile = from.needed("mobile");
        state = from.needed("state");
        carrierCode = from.text("carrierCode");
        description = from.text("description");
        channel = from.text("channel");
        inDoubt = from.flag("inDoubt");
        acceptedAt = from.moment("acceptedAt");
        submittedAt = from.moment("submittedAt");
        doneAt = from.moment("doneAt");
        passThrough = from.text("passThrough");
        segmentCount = from.neededNumber("segmentCount");
        segments = from.values("segments", Segment::new);
    }

    public boolean isFinal() {
        return FINAL.contains(state);
    }
}
