package hissms;

import java.time.OffsetDateTime;

/** A text from a phone. It may come twice; inboundId tells. */
public final class Inbound {
    public final String inboundId;
    public final String mobile;
    /** Null where the text is empty. */
    public final String content;
    public final String accessNumber;
    public final String extension;
    public final OffsetDateTime receivedAt;
    /** The message it answers, where one is found. */
    public final String messageId;
    public final String clientRef;
    public final String passThrough;

    Inbound(Members from) {
        inboundId = from.needed("inboundId");
        mobile = from.needed("mobile");
        content = from.text("content");
        accessNumber = from.needed("accessNumber");
        extension = from.text("extension");
        receivedAt = from.moment("receivedAt");
        messageId = from.text("messageId");
        clientRef = from.text("clientRef");
        passThrough = from.text("passThrough");
    }
}
