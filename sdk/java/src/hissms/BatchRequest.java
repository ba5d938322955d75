package hissms;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Up to 10,000 messages, each with a text or template values of its own. */
public final class BatchRequest extends Sending<BatchRequest> {
    private final List<Map<String, Object>> entries = new ArrayList<>();

    /** See {@link SendRequest#SendRequest}. */
    public BatchRequest(String clientRef) {
        super(clientRef);
    }

    public BatchRequest add(String mobile, String content, String ref) {
        return add(mobile, "content", content, ref);
    }

    /** Values for the batch's template. */
    public BatchRequest add(String mobile, Map<String, String> values, String ref) {
        return add(mobile, "values", named(values), ref);
    }

    private BatchRequest add(String mobile, String name, Object value, String ref) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("mobile", mobile);
        if (value != null) {
            entry.put(name, value);
        }
        if (ref != null) {
            entry.put("ref", ref);
        }
        entries.add(entry);
        return this;
    }

    @Override
    Map<String, Object> members() {
        Map<String, Object> made = super.members();
        made.put("entries", entries);
        return made;
    }
}
