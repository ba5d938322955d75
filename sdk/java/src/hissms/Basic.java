package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Base64;

/** Account and password; over TLS only. */
public final class Basic implements Credentials {
    private final String account;
    private final String password;

    public Basic(String account, String password) {
        if (account.indexOf(':') >= 0) {
            throw new IllegalArgumentException("account: must not hold a colon");
        }
        this.account = account;
        this.password = password;
    }

    @Override
    public String account() {
        return account;
    }

    @Override
    public String refusal() {
        return "AUTH_FAILED";
    }

    @Override
    public String authorization(String method, String path, byte[] body) {
        byte[] pair = (account + ":" + password).getBytes(UTF_8);
        return "Basic " + Base64.getEncoder().encodeToString(pair);
    }
}
