package hissms;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One text, or template, to up to 10,000 recipients. */
public final class SendRequest extends Sending<SendRequest> {
    private final List<Map<String, String>> recipients = new ArrayList<>();

    /**
     * Take clientRef from your own data: then a text is sent once, even if your program dies and asks
     * again. With null one is made up, which covers the tries of one call.
     */
    public SendRequest(String clientRef) {
        super(clientRef);
    }

    public SendRequest to(String mobile) {
        return to(mobile, null);
    }

    /** ref comes back with this recipient's result and receipt. */
    public SendRequest to(String mobile, String ref) {
        Map<String, String> recipient = new LinkedHashMap<>();
        recipient.put("mobile", mobile);
        if (ref != null) {
            recipient.put("ref", ref);
        }
        recipients.add(recipient);
        return this;
    }

    /** The request as it goes out, its content encrypted where there is a key. */
    Map<String, Object> members(String account, ContentKey key) {
        Map<String, Object> made = members();
        Object content = made.get("content");
        if (key != null && made.containsKey("template")) {
            throw new IllegalArgumentException(
                    "the values of a template cannot be encrypted: send a content");
        }
        if (key != null && content != null) {
            List<String> mobiles = new ArrayList<>();
            recipients.forEach(each -> mobiles.add(each.get("mobile")));
            made.remove("content");
            made.put("encryptedContent", key.seal((String) content, account, clientRef(), mobiles));
        }
        made.put("recipients", recipients);
        return made;
    }
}
