package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLSocketFactory;

/**
 * One client system at one adapter, over JSON. Safe to share between threads; holds nothing that has
 * to be closed.
 *
 * <p>Every operation throws {@link SmsException} (unchecked), after it has tried as its {@link Retry}
 * says; {@link IllegalArgumentException} for what cannot even be asked.
 */
public final class SmsClient {
    private final String url;
    private final Credentials credentials;
    private final ContentKey contentKey;
    private final Retry retry;
    private final int timeoutMillis;
    private final SSLSocketFactory sockets;

    private SmsClient(Builder from) {
        url = from.url;
        credentials = from.credentials;
        contentKey = from.contentKey;
        retry = from.retry;
        timeoutMillis = from.timeoutMillis;
        sockets = from.sockets;
    }

    /** A client for url, as in https://HOST:PORT. */
    public static Builder at(String url, Credentials credentials) {
        return new Builder(url, credentials);
    }

    /** What a client needs to know. */
    public static final class Builder {
        private final String url;
        private final Credentials credentials;
        private ContentKey contentKey;
        private Retry retry = Retry.USUAL;
        private int timeoutMillis = 30_000;
        private SSLSocketFactory sockets;
        private boolean plain;

        private Builder(String url, Credentials credentials) {
            this.url = url.replaceAll("/+$", "");
            this.credentials = credentials;
        }

        /** Every content of send goes encrypted. */
        public Builder contentKey(ContentKey key) {
            contentKey = key;
            return this;
        }

        public Builder retry(Retry how) {
            retry = how;
            return this;
        }

        /** Of one try: for the connection, and for each wait for octets. */
        public Builder timeoutMillis(int millis) {
            timeoutMillis = millis;
            return this;
        }

        /** For an authority of one's own, or a client certificate. */
        public Builder sockets(SSLSocketFactory factory) {
            sockets = factory;
            return this;
        }

        /** A password may travel over http to another machine. */
        public Builder allowPlain() {
            plain = true;
            return this;
        }

        public SmsClient build() {
            URI split = URI.create(url);
            boolean secure = "https".equals(split.getScheme());
            if (!secure && !"http".equals(split.getScheme())
                    || split.getHost() == null || split.getQuery() != null) {
                throw new IllegalArgumentException("url: write it as https://HOST:PORT");
            }
            boolean here = split.getHost().matches("localhost|127(\\.[0-9]+){3}|\\[::1\\]");
            if (credentials instanceof Basic && !secure && !here && !plain) {
                throw new IllegalArgumentException(
                        "url: a password travels over https only; else use Hmac, or allowPlain()");
            }
            return new SmsClient(this);
        }
    }

    /** It is durable when this returns. */
    public SendReply send(SendRequest request) {
        Map<String, Object> members = request.members(credentials.account(), contentKey);
        return run("Send", members, request.clientRef(), SmsClient::sendReply);
    }

    /** It is durable when this returns. Contents of a batch cannot be encrypted. */
    public SendReply sendBatch(BatchRequest request) {
        if (contentKey != null) {
            throw new IllegalArgumentException(
                    "contents of a batch cannot be encrypted: use send, or another client");
        }
        return run("SendBatch", request.members(), request.clientRef(), SmsClient::sendReply);
    }

    /** Where messages stand; empty where there is none. */
    public List<Message> query(Collection<String> messageIds) {
        return query("messageIds", new ArrayList<>(messageIds));
    }

    public List<Message> queryByClientRef(String clientRef) {
        return query("clientRef", clientRef);
    }

    public List<Message> queryBySubmission(String submissionId) {
        return query("submissionId", submissionId);
    }

    /** Receipts not yet acknowledged, oldest first; they come again until they are. */
    public Page<Receipt> fetchReceipts(int most) {
        return fetch("Receipts", "receipts", most, Receipt::new);
    }

    /** The receipts of a page are safe here. How many were acknowledged. */
    public int ackReceipts(String cursor) {
        return ack("AckReceipts", "cursor", cursor);
    }

    /** These receipts are safe here. */
    public int ackReceipts(Collection<String> receiptIds) {
        return ack("AckReceipts", "receiptIds", new ArrayList<>(receiptIds));
    }

    /** Texts from phones not yet acknowledged, oldest first. */
    public Page<Inbound> fetchInbound(int most) {
        return fetch("Inbound", "inbound", most, Inbound::new);
    }

    public int ackInbound(String cursor) {
        return ack("AckInbound", "cursor", cursor);
    }

    public int ackInbound(Collection<String> inboundIds) {
        return ack("AckInbound", "inboundIds", new ArrayList<>(inboundIds));
    }

    /**
     * Withdraw what is not yet sent; how many messages could be. Asked for again after a lost
     * answer, it counts only what the first try left.
     */
    public int cancelSubmission(String submissionId) {
        return cancel("submissionId", submissionId);
    }

    public int cancelMessages(Collection<String> messageIds) {
        return cancel("messageIds", new ArrayList<>(messageIds));
    }

    public int cancelByBusinessKey(String businessKey) {
        return cancel("businessKey", businessKey);
    }

    public Account getAccount() {
        return run("GetAccount", Collections.emptyMap(), null, Account::new);
    }

    public Pong ping() {
        return run("Ping", Collections.emptyMap(), null, Pong::new);
    }

    /**
     * Hand every receipt that waits to a handler, and acknowledge what it returned from.
     *
     * <p>What the handler throws comes out here, after those before it were acknowledged; the one that
     * failed comes again. A receipt may come twice: receiptId tells. How many were handled.
     */
    public int handleReceipts(Consumer<Receipt> handler) {
        int handled = 0;
        for (Page<Receipt> page = fetchReceipts(100); !page.items.isEmpty();
                page = fetchReceipts(100)) {
            handled += handle(page.items, handler, each -> each.receiptId, this::ackReceipts);
        }
        return handled;
    }

    /** The same for texts from phones. */
    public int handleInbound(Consumer<Inbound> handler) {
        int handled = 0;
        for (Page<Inbound> page = fetchInbound(100); !page.items.isEmpty();
                page = fetchInbound(100)) {
            handled += handle(page.items, handler, each -> each.inboundId, this::ackInbound);
        }
        return handled;
    }

    /**
     * Handle what comes, looking every pauseMillis, until the thread is interrupted. An adapter that is
     * away is waited for; every other exception comes out here. A handler that is null is not asked.
     */
    public void follow(
            Consumer<Receipt> receipts, Consumer<Inbound> inbound, long pauseMillis) {
        while (!Thread.currentThread().isInterrupted()) {
            try {
                if (receipts != null) {
                    handleReceipts(receipts);
                }
                if (inbound != null) {
                    handleInbound(inbound);
                }
            } catch (SmsException error) {
                if (!error.isRetryable()) {
                    throw error;
                }
            }
            rest(pauseMillis);
        }
    }

    private static <T> int handle(
            List<T> found,
            Consumer<T> handler,
            Function<T, String> idOf,
            Consumer<Collection<String>> ack) {
        List<String> safe = new ArrayList<>();
        try {
            for (T each : found) {
                handler.accept(each);
                safe.add(idOf.apply(each));
            }
        } finally {
            if (!safe.isEmpty()) {
                ack.accept(safe);
            }
        }
        return safe.size();
    }

    private List<Message> query(String name, Object value) {
        return run("Query", Collections.singletonMap(name, value), null,
                from -> from.values("messages", Message::new));
    }

    private <T> Page<T> fetch(
            String what, String name, int most, Function<Members, T> read) {
        return run("Fetch" + what, Collections.singletonMap("max", (long) most), null,
                from -> new Page<>(
                        from.values(name, read), from.needed("cursor"), from.flag("more")));
    }

    private int ack(String operation, String name, Object value) {
        return run(operation, Collections.singletonMap(name, value), null,
                from -> from.neededNumber("acknowledged"));
    }

    private int cancel(String name, Object value) {
        return run("Cancel", Collections.singletonMap(name, value), null,
                from -> from.neededNumber("cancelled"));
    }

    private static SendReply sendReply(Members from) {
        SendReply reply = new SendReply(from);
        if (!reply.code.equals("OK") && !reply.code.equals("PARTIAL")) {
            throw new IllegalArgumentException("status 200 with a code that refuses");
        }
        return reply;
    }

    private <T> T run(
            String operation,
            Map<String, ?> request,
            String clientRef,
            Function<Members, T> read) {
        byte[] body = Json.write(request).getBytes(UTF_8);
        for (int tried = 1; ; tried++) {
            SmsException error;
            try {
                return read(operation, post(operation, body), read);
            } catch (SmsException failed) {
                error = failed.with(clientRef);
            }
            long pause = retry.pauseMillis(tried, error);
            if (pause < 0 || !rest(pause)) {
                throw error;
            }
        }
    }

    private <T> T read(String operation, Answer answer, Function<Members, T> read) {
        Members members = answer.members();
        if (members == null) {
            if (answer.status == HttpURLConnection.HTTP_UNAUTHORIZED) {
                throw RefusedException.of(credentials.refusal(), "not let in", null, -1, null);
            }
            String told = operation + ": status " + answer.status + ", and no JSON";
            if (answer.isPassing()) {
                throw new NoAnswerException(told, answer.retryAfterSeconds, null);
            }
            throw new UnexpectedAnswerException(told, null);
        }
        try {
            boolean nothing =
                    operation.equals("Query") && "NOT_FOUND".equals(members.text("code"));
            if (answer.status != 200 && !nothing) {
                throw answer.refusal(members);
            }
            return read.apply(members);
        } catch (IllegalArgumentException | ClassCastException error) {
            throw new UnexpectedAnswerException(
                    operation + ": the answer cannot be read: " + error.getMessage(), error);
        }
    }

    private Answer post(String operation, byte[] body) {
        try {
            URL address = new URL(url + "/api/json/" + operation);
            HttpURLConnection connection = (HttpURLConnection) address.openConnection();
            if (sockets != null && connection instanceof HttpsURLConnection) {
                ((HttpsURLConnection) connection).setSSLSocketFactory(sockets);
            }
            connection.setConnectTimeout(timeoutMillis);
            connection.setReadTimeout(timeoutMillis);
            connection.setInstanceFollowRedirects(false);
            connection.setUseCaches(false);
            connection.setRequestMethod("POST");
            connection.setDoOutput(true);
            // Else the JDK repeats a POST by itself when a connection breaks: with the same nonce,
            // so that the repetition is refused though the request was carried out. The price:
            // of an answer 401 the JDK then shows the status alone.
            connection.setFixedLengthStreamingMode(body.length);
            connection.setRequestProperty("Content-Type", "application/json; charset=utf-8");
            connection.setRequestProperty("Accept", "application/json");
            connection.setRequestProperty("Authorization",
                    credentials.authorization("POST", address.getPath(), body));
            try (OutputStream to = connection.getOutputStream()) {
                to.write(body);
            }
            return Answer.of(connection);
        } catch (IOException error) {
            throw new NoAnswerException(operation + ": " + error, -1, error);
        }
    }

    /** Whether it was not interrupted meanwhile; an interrupt stays set. */
    private static boolean rest(long millis) {
        try {
            Thread.sleep(millis);
            return true;
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** What came back. */
    private static final class Answer {
        final int status;
        final long retryAfterSeconds;
        private final String body;

        private Answer(int status, long retryAfterSeconds, String body) {
            this.status = status;
            this.retryAfterSeconds = retryAfterSeconds;
            this.body = body;
        }

        static Answer of(HttpURLConnection connection) throws IOException {
            int status = connection.getResponseCode();
            if (status < 0) {
                throw new IOException("no HTTP");
            }
            try (InputStream from = status < 400
                    ? connection.getInputStream() : connection.getErrorStream()) {
                String after = connection.getHeaderField("Retry-After");
                boolean told = after != null && after.matches("[0-9]{1,9}");
                return new Answer(status, told ? Long.parseLong(after) : -1, text(from));
            }
        }

        /** Null where the body is no JSON object. */
        Members members() {
            try {
                return new Members(Json.parse(body));
            } catch (IllegalArgumentException error) {
                return null;
            }
        }

        /** Whether something in between said that it is away for a while. */
        boolean isPassing() {
            return status >= 500 || status == 408 || status == 425 || status == 429;
        }

        SmsException refusal(Members members) {
            String code = members.text("code");
            if (code == null) {
                String told = "status " + status + ", and no code";
                return isPassing() ? new NoAnswerException(told, retryAfterSeconds, null)
                        : new UnexpectedAnswerException(told, null);
            }
            SendReply reply = members.has("results") ? new SendReply(members) : null;
            return RefusedException.of(code, members.text("description"), members.text("field"),
                    retryAfterSeconds, reply);
        }

        private static String text(InputStream from) throws IOException {
            ByteArrayOutputStream into = new ByteArrayOutputStream();
            byte[] piece = new byte[8192];
            for (int count = from == null ? -1 : from.read(piece); count >= 0;
                    count = from.read(piece)) {
                into.write(piece, 0, count);
            }
            return new String(into.toByteArray(), UTF_8);
        }
    }
}
