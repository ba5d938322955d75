package hissms;

import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** A JSON object on its way to a value. Throws IllegalArgumentException where it is none of its kind. */
final class Members {
    private final Map<?, ?> held;

    Members(Object value) {
        if (!(value instanceof Map)) {
            throw new IllegalArgumentException("no object");
        }
        held = (Map<?, ?>) value;
    }

    /** Absent members are null; so they are below. */
    String text(String name) {
        return as(String.class, name);
    }

    String needed(String name) {
        return present(text(name), name);
    }

    Integer number(String name) {
        Long value = as(Long.class, name);
        return value == null ? null : Integer.valueOf(value.intValue());
    }

    int neededNumber(String name) {
        return present(number(name), name).intValue();
    }

    boolean flag(String name) {
        return Boolean.TRUE.equals(as(Boolean.class, name));
    }

    OffsetDateTime moment(String name) {
        String written = text(name);
        try {
            return written == null ? null : OffsetDateTime.parse(written);
        } catch (RuntimeException error) {
            throw new IllegalArgumentException(name + " is no time", error);
        }
    }

    List<String> texts(String name) {
        return list(name, String.class::cast);
    }

    <T> List<T> values(String name, Function<Members, T> read) {
        return list(name, each -> read.apply(new Members(each)));
    }

    boolean has(String name) {
        return held.get(name) != null;
    }

    private <T> List<T> list(String name, Function<Object, T> read) {
        List<T> made = new ArrayList<>();
        if (has(name)) {
            for (Object each : as(List.class, name)) {
                made.add(read.apply(each));
            }
        }
        return Collections.unmodifiableList(made);
    }

    private <T> T as(Class<T> kind, String name) {
        Object value = held.get(name);
        if (value != null && !kind.isInstance(value)) {
            throw new IllegalArgumentException(name + " is no " + kind.getSimpleName());
        }
        return kind.cast(value);
    }

    private static <T> T present(T value, String name) {
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }
}
