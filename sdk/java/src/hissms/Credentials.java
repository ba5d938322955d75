package hissms;

/** Who calls: {@link Basic}, or {@link Hmac}. */
public interface Credentials {
    String account();

    /** The header Authorization of one try. */
    String authorization(String method, String path, byte[] body);

    /** The code that says that they were refused. */
    String refusal();
}
