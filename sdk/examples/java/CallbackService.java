import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import hissms.Callback;
import hissms.CallbackRefusedException;
import hissms.CallbackVerifier;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Receives callbacks (docs/integrator/callbacks.md) with the JDK's own server:
 * {@code java -cp his-sms-client.jar CallbackService.java PORT}, the secret of key cb1 in HIS_SMS_KEY.
 *
 * <p>In a servlet it is the same: verify(request.getMethod(), request.getRequestURI(), request::getHeader, body).
 */
public final class CallbackService {
    private final CallbackVerifier verifier =
            new CallbackVerifier("his", Collections.singletonMap("cb1", System.getenv("HIS_SMS_KEY")));
    // Stands for a table with the event's id as its key.
    private final Set<String> known = ConcurrentHashMap.newKeySet();

    public static void main(String[] given) throws IOException {
        HttpServer server = HttpServer.create(
                new InetSocketAddress("127.0.0.1", Integer.parseInt(given[0])), 0);
        server.createContext("/sms/events", new CallbackService()::serve);
        server.start();
    }

    private void serve(HttpExchange exchange) throws IOException {
        int status;
        try {
            Callback came = verifier.verify(
                    exchange.getRequestMethod(),
                    exchange.getRequestURI().getRawPath(),
                    exchange.getRequestHeaders()::getFirst,
                    body(exchange.getRequestBody()));
            came.receipts.forEach(each -> keep(each.receiptId, each.clientRef + " " + each.state));
            came.inbound.forEach(each -> keep(each.inboundId, each.mobile + " " + each.content));
            status = 204;
        } catch (CallbackRefusedException error) {
            status = 401;
        } catch (IllegalArgumentException error) {
            status = 400;
        }
        exchange.sendResponseHeaders(status, -1);
        exchange.close();
    }

    /** What comes again is passed over. */
    private void keep(String id, String text) {
        if (known.add(id)) {
            System.out.println(text);
        }
    }

    private static byte[] body(InputStream from) throws IOException {
        ByteArrayOutputStream into = new ByteArrayOutputStream();
        byte[] piece = new byte[8192];
        for (int count = from.read(piece); count >= 0; count = from.read(piece)) {
            into.write(piece, 0, count);
        }
        return into.toByteArray();
    }
}
