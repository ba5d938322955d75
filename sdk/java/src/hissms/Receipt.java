package hissms;

import java.time.OffsetDateTime;

/** The state that a message reached. It may come twice; receiptId tells. */
public final class Receipt {
    public final String receiptId;
    public final String messageId;
    public final String submissionId;
    public final String clientRef;
    public final String ref;
    public final String mobile;
    public final String state;
    public final String carrierCode;
    public final String description;
    public final int segmentCount;
    public final String channel;
    public final OffsetDateTime submittedAt;
    public final OffsetDateTime doneAt;
    public final String passThrough;

    Receipt(Members from) {
        receiptId = from.needed("receiptId");
        messageId = from.needed("messageId");
        submissionId = from.needed("submissionId");
        clientRef = from.text("clientRef");
        ref = from.text("ref");
        mobile = from.needed("mobile");
        state = from.needed("state");
        carrierCode = from.text("carrierCode");
        description = from.text("description");
        segmentCount = from.neededNumber("segmentCount");
        channel = from.text("channel");
        submittedAt = from.moment("submittedAt");
        doneAt = from.moment("doneAt");
        passThrough = from.text("passThrough");
    }
}
