package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;

/** What a callback brought. It may bring again what came before: receiptId and inboundId tell. */
public final class Callback {
    public final List<Receipt> receipts;
    public final List<Inbound> inbound;

    private Callback(Members from) {
        receipts = from.values("receipts", Receipt::new);
        inbound = from.values("inbound", Inbound::new);
    }

    /** Throws IllegalArgumentException where the body is none of a callback in JSON. */
    static Callback read(byte[] body) {
        return new Callback(new Members(Json.parse(new String(body, UTF_8))));
    }
}
