package hissms;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259) as far as the contract needs it, because the JDK has none: objects are maps, arrays
 * are lists, numbers are Long or Double. Strict, and no deeper than {@link #MOST_DEEP}.
 */
final class Json {
    static final int MOST_DEEP = 32;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** The value of a text. Throws IllegalArgumentException where it is no JSON. */
    static Object parse(String text) {
        Json reader = new Json(text);
        Object value = reader.value(0);
        reader.skipBlanks();
        if (reader.at < text.length()) {
            throw reader.bad();
        }
        return value;
    }

    static String write(Object value) {
        StringBuilder into = new StringBuilder();
        write(value, into);
        return into.toString();
    }

    private Object value(int depth) {
        if (depth > MOST_DEEP) {
            throw bad();
        }
        skipBlanks();
        switch (peek()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        if (next('}')) {
            return members;
        }
        do {
            skipBlanks();
            String name = string();
            expect(':');
            members.put(name, value(depth + 1));
        } while (next(','));
        expect('}');
        return members;
    }

    private List<Object> array(int depth) {
        List<Object> items = new ArrayList<>();
        at++;
        if (next(']')) {
            return items;
        }
        do {
            items.add(value(depth + 1));
        } while (next(','));
        expect(']');
        return items;
    }

    private String string() {
        if (peek() != '"') {
            throw bad();
        }
        at++;
        StringBuilder into = new StringBuilder();
        while (peek() != '"') {
            char next = take();
            if (next < ' ') {
                throw bad();
            }
            into.append(next == '\\' ? escaped() : next);
        }
        at++;
        return into.toString();
    }

    private char escaped() {
        char kind = take();
        int known = "\"\\/bfnrt".indexOf(kind);
        if (known >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(known);
        }
        if (kind != 'u') {
            throw bad();
        }
        int unit = 0;
        for (int count = 0; count < 4; count++) {
            int digit = Character.digit(take(), 16);
            if (digit < 0) {
                throw bad();
            }
            unit = unit * 16 + digit;
        }
        return (char) unit;
    }

    private Object number() {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String written = text.substring(start, at);
        if (!written.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
            throw bad();
        }
        if (written.matches("-?[0-9]{1,18}")) {
            return Long.valueOf(written);
        }
        return Double.valueOf(written);
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw bad();
        }
        at += word.length();
        return value;
    }

    private boolean next(char wanted) {
        skipBlanks();
        boolean is = peek() == wanted;
        at += is ? 1 : 0;
        return is;
    }

    private void expect(char wanted) {
        if (!next(wanted)) {
            throw bad();
        }
    }

    private void skipBlanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw bad();
        }
        return text.charAt(at);
    }

    private char take() {
        char next = peek();
        at++;
        return next;
    }

    private IllegalArgumentException bad() {
        return new IllegalArgumentException("no JSON at character " + at);
    }

    private static void write(Object value, StringBuilder into) {
        if (value instanceof Map) {
            String mark = "{";
            for (Map.Entry<?, ?> each : ((Map<?, ?>) value).entrySet()) {
                into.append(mark);
                quote(each.getKey().toString(), into);
                into.append(':');
                write(each.getValue(), into);
                mark = ",";
            }
            into.append(mark.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String mark = "[";
            for (Object each : (Iterable<?>) value) {
                into.append(mark);
                write(each, into);
                mark = ",";
            }
            into.append(mark.equals("[") ? "[]" : "]");
        } else if (value == null || value instanceof Boolean || value instanceof Number) {
            into.append(value);
        } else {
            quote(value.toString(), into);
        }
    }

    private static void quote(String text, StringBuilder into) {
        into.append('"');
        for (int at = 0; at < text.length(); at++) {
            char unit = text.charAt(at);
            if (unit == '"' || unit == '\\') {
                into.append('\\').append(unit);
            } else if (unit < ' ') {
                into.append(String.format("\\u%04x", (int) unit));
            } else {
                into.append(unit);
            }
        }
        into.append('"');
    }
}
