package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What tests/sdk/test_languages.py asks of every language; one line a result. */
final class Trial {
    private static final String KEY_ID = "2026a";
    private static final String SECRET = "0123456789abcdef0123456789abcdef";

    private static PrintStream out;

    public static void main(String[] given) throws Exception {
        out = new PrintStream(System.out, true, "UTF-8");
        List<String> rest = new ArrayList<>(Arrays.asList(given).subList(1, given.length));
        switch (given[0]) {
            case "send":
                send(rest);
                break;
            case "refused":
                refused(rest);
                break;
            case "receipts":
                receipts(rest);
                break;
            case "inbound":
                inbound(rest);
                break;
            case "seal":
                seal(rest);
                break;
            case "verify":
                verify(rest);
                break;
            case "more":
                more(rest);
                break;
            default:
                throw new IllegalArgumentException(given[0]);
        }
    }

    private static SmsClient.Builder client(List<String> rest) {
        return SmsClient.at(rest.get(0), new Hmac("java", KEY_ID, SECRET))
                .retry(new Retry(6, 10, 2000));
    }

    /** URL REF MOBILE CONTENT [KEY] */
    private static void send(List<String> rest) {
        SmsClient.Builder builder = client(rest);
        if (rest.size() > 4) {
            builder.contentKey(ContentKey.fromBase64(KEY_ID, rest.get(4)));
        }
        SendReply reply = builder.build().send(
                new SendRequest(rest.get(1)).to(rest.get(2)).content(rest.get(3)));
        out.println(reply.code);
    }

    /** URL: a bad number, a template that is none, a wrong secret. */
    private static void refused(List<String> rest) {
        SmsClient sms = client(rest).build();
        told(() -> sms.send(new SendRequest(null).to("020-1").to("12").content("x")));
        told(() -> sms.send(new SendRequest(null).to("13800138000")
                .template("none", Collections.singletonMap("name", "\u738b"))));
        SmsClient stranger = SmsClient.at(rest.get(0), new Hmac(rest.get(1), KEY_ID, SECRET)).build();
        told(stranger::getAccount);
    }

    private static void told(Runnable act) {
        try {
            act.run();
            out.println("nothing was refused");
        } catch (RefusedException error) {
            int results = error.reply() == null ? 0 : error.reply().results.size();
            out.println(error.code() + " " + results);
        }
    }

    /** URL FAIL: hands out receipts; the handler fails at the receipt of that number. */
    private static void receipts(List<String> rest) {
        int[] left = {Integer.parseInt(rest.get(1))};
        try {
            int handled = client(rest).build().handleReceipts(receipt -> {
                if (--left[0] == 0) {
                    throw new IllegalStateException("the disk is full");
                }
                out.println(receipt.clientRef + " " + receipt.state);
            });
            out.println("handled " + handled);
        } catch (IllegalStateException error) {
            out.println(error.getMessage());
        }
    }

    /** URL */
    private static void inbound(List<String> rest) {
        client(rest).build()
                .handleInbound(text -> out.println(text.mobile + " " + text.content));
    }

    /** KEY NONCE (hex), ACCOUNT REF CONTENT MOBILE... */
    private static void seal(List<String> rest) {
        ContentKey key = new ContentKey(KEY_ID, octets(rest.get(0)));
        out.println(key.seal(rest.get(4), rest.get(2), rest.get(3), rest.subList(5, rest.size()),
                octets(rest.get(1))));
        out.println(key.seal(rest.get(4), rest.get(2), rest.get(3), rest.subList(5, rest.size())));
    }

    /** NOW (s), then of each request: METHOD PATH AUTHORIZATION REFERENCE BODY (base64) */
    private static void verify(List<String> rest) {
        long now = Long.parseLong(rest.get(0)) * 1000;
        CallbackVerifier verifier = new CallbackVerifier(
                "his", Collections.singletonMap("cb1", SECRET), null, () -> now);
        for (int at = 1; at < rest.size(); at += 5) {
            Map<String, String> headers = new HashMap<>();
            headers.put("Authorization", rest.get(at + 2));
            headers.put("Idempotency-Key", rest.get(at + 3));
            byte[] body = Base64.getDecoder().decode(rest.get(at + 4));
            try {
                Callback came =
                        verifier.verify(rest.get(at), rest.get(at + 1), headers::get, body);
                out.println(Boolean.toString(came.receipts.get(0).receiptId.startsWith("7301")));
            } catch (CallbackRefusedException error) {
                out.println("refused");
            }
        }
    }

    /** URL MOBILE: what only the Java SDK has to show. */
    private static void more(List<String> rest) throws Exception {
        SmsClient sms = client(rest).build();
        String mobile = rest.get(1);
        out.println(sms.ping().state + " " + sms.getAccount().account);
        SendReply reply = sms.sendBatch(new BatchRequest("BATCH-" + mobile)
                .add(mobile, "one", null).add(mobile, "two", "b").businessKey("k" + mobile)
                .scheduleAt(java.time.OffsetDateTime.now().plusHours(1)).lane("bulk"));
        Message first = sms.queryBySubmission(reply.submissionId).get(0);
        out.println(first.state + " " + first.isFinal() + " " + reply.results.get(1).ref);
        out.println(sms.queryByClientRef("none").size());
        out.println(sms.cancelMessages(Collections.singletonList(first.messageId)));
        out.println(sms.cancelByBusinessKey("k" + mobile));
        out.println(sms.query(Collections.singletonList(first.messageId)).get(0).isFinal());
        try {
            SmsClient.at(rest.get(0), new Basic("nobody-java-basic", "wrong")).build().getAccount();
        } catch (NotLetInException error) {
            out.println(error.code());
        }
        try {
            sms.send(new SendRequest(null).to(mobile).content("x").businessKey(odd(65)));
        } catch (NotPossibleException error) {
            out.println(error.code() + " " + error.field());
        }
        SmsClient nobody = SmsClient.at("http://127.0.0.1:9", new Hmac("java", KEY_ID, SECRET))
                .retry(new Retry(2, 1, 1)).build();
        try {
            nobody.send(new SendRequest("kept").to(mobile).content("x"));
        } catch (NoAnswerException error) {
            out.println(error.clientRef());
        }
        SmsClient secret = client(rest).contentKey(new ContentKey(KEY_ID, new byte[32])).build();
        for (Runnable each : new Runnable[] {
                () -> secret.send(new SendRequest(null).to(mobile)
                        .template("t", Collections.singletonMap("a", "b"))),
                () -> secret.sendBatch(new BatchRequest(null).add(mobile, "x", null))}) {
            try {
                each.run();
            } catch (IllegalArgumentException error) {
                out.println("in the clear");
            }
        }
        String sealed = ContentKey.seal(KEY_ID, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "x",
                "java", "s" + mobile, mobile);
        out.println(sms.send(
                new SendRequest("s" + mobile).to(mobile).put("encryptedContent", sealed)).code);
        json();
        Thread.currentThread().interrupt();
        sms.follow(receipt -> out.println("never"), null, 1000);
        out.println("followed");
        for (String url : new String[] {"http://10.0.0.1", "ftp://h", "https://h/?a=b", "h"}) {
            try {
                SmsClient.at(url, new Basic("his", "secret")).build();
                out.println("taken: " + url);
            } catch (IllegalArgumentException error) {
                out.println("not taken");
            }
        }
    }

    private static String odd(int length) {
        return new String(new char[length]).replace("\0", "k");
    }

    private static void json() {
        String odd = "a\"\\\b\f\n\r\t\u0001\ud83d\ude00\u738b/";
        Object there = Json.parse(Json.write(Collections.singletonMap("k", odd)));
        out.println(there.equals(Collections.singletonMap("k", odd)));
        out.println(Json.write(Json.parse(" { \"a\" : [ 1 , -2.5e3, true , null, \"\\u738b\\/\" , {}, [] ] } ")));
        String deep = new String(new char[40]).replace("\0", "[");
        for (String bad : new String[] {"", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "\"\\x\"", "\"\n\"",
                "01", "1.", "+1", "nul", "[1] 2", "\"\\u12\"", "{a:1}", "'a'", "[", deep, "NaN"}) {
            try {
                Json.parse(bad);
                out.println("taken: " + bad);
            } catch (IllegalArgumentException error) {
                // as it must be
            }
        }
    }

    private static byte[] octets(String hex) {
        byte[] made = new byte[hex.length() / 2];
        for (int at = 0; at < made.length; at++) {
            made[at] = (byte) Integer.parseInt(hex.substring(2 * at, 2 * at + 2), 16);
        }
        return made;
    }
}
