package hissms;

import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * What {@link SendRequest} and {@link BatchRequest} have in common. What is not said is as the
 * client is configured.
 */
abstract class Sending<T extends Sending<T>> {
    private final Map<String, Object> members = new LinkedHashMap<>();
    private final String clientRef;

    Sending(String clientRef) {
        this.clientRef = clientRef == null ? UUID.randomUUID().toString() : clientRef;
        put("clientRef", this.clientRef);
    }

    public final String clientRef() {
        return clientRef;
    }

    public final T content(String content) {
        return put("content", content);
    }

    /** A configured template instead of a content. */
    public final T template(String name, Map<String, String> values) {
        put("template", name);
        return put("values", named(values));
    }

    public final T business(String business) {
        return put("business", business);
    }

    public final T extension(String digits) {
        return put("extension", digits);
    }

    /** urgent, realtime, normal or bulk. */
    public final T lane(String lane) {
        return put("lane", lane);
    }

    public final T scheduleAt(OffsetDateTime time) {
        return put("scheduleAt", time.toString());
    }

    public final T expireAt(OffsetDateTime time) {
        return put("expireAt", time.toString());
    }

    /** Whether the final state is kept for fetchReceipts. */
    public final T receipt(boolean wanted) {
        return put("receipt", wanted);
    }

    /** Comes back with every receipt and reply. */
    public final T passThrough(String text) {
        return put("passThrough", text);
    }

    /** What the text is about, an appointment number say; cancel takes it. */
    public final T businessKey(String key) {
        return put("businessKey", key);
    }

    /** Withdraw what is unsent under the same businessKey. */
    public final T replace(boolean wanted) {
        return put("replace", wanted);
    }

    @SuppressWarnings("unchecked")
    final T put(String name, Object value) {
        members.put(name, value);
        return (T) this;
    }

    Map<String, Object> members() {
        return new LinkedHashMap<>(members);
    }

    static List<Map<String, String>> named(Map<String, String> values) {
        List<Map<String, String>> made = new ArrayList<>();
        values.forEach((name, value) -> {
            Map<String, String> each = new LinkedHashMap<>();
            each.put("name", name);
            each.put("value", value);
            made.add(each);
        });
        return made;
    }
}
