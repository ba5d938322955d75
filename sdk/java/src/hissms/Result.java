package hissms;

/** What became of one recipient. */
public final class Result {
    /** OK, or why this recipient was refused. */
    public final String code;
    public final String mobile;
    public final String ref;
    /** Null where it was refused. */
    public final String messageId;
    public final Integer segments;
    public final String description;

    Result(Members from) {
        code = from.needed("code");
        mobile = from.text("mobile");
        ref = from.text("ref");
        messageId = from.text("messageId");
        segments = from.number("segments");
        description = from.text("description");
    }
}
