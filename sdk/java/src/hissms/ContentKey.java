package hissms;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * A key that the hospital handed out, with its id: contents travel encrypted with AES-256-GCM
 * (docs/integrator/encryption.md).
 *
 * <p>Java 8 before 8u161 needs the unlimited policy files for keys of 256 bits.
 */
public final class ContentKey {
    private static final SecureRandom CHANCE = new SecureRandom();
    private static final int NONCE_OCTETS = 12;

    private final String id;
    private final byte[] octets;

    public ContentKey(String id, byte[] octets) {
        if (octets.length != 32) {
            throw new IllegalArgumentException("a key for aes-256-gcm has 32 octets");
        }
        this.id = id;
        this.octets = octets.clone();
    }

    /** As the hospital writes it. */
    public static ContentKey fromBase64(String id, String written) {
        return new ContentKey(id, Base64.getDecoder().decode(written.trim()));
    }

    /**
     * The encryptedContent of a request. It fits this account, reference and these mobiles, as they
     * stand in the request, and no others.
     */
    public String seal(String content, String account, String clientRef, List<String> mobiles) {
        byte[] nonce = new byte[NONCE_OCTETS];
        CHANCE.nextBytes(nonce);
        return seal(content, account, clientRef, mobiles, nonce);
    }

    /**
     * The same for one recipient and with texts alone, for PL/SQL: Oracle runs this class inside the
     * database.
     */
    public static String seal(String keyId, String key, String content, String account,
            String clientRef, String mobile) {
        return fromBase64(keyId, key).seal(
                content, account, clientRef, Collections.singletonList(mobile));
    }

    /** With a nonce of one's own: for test vectors, since a nonce must never be used twice. */
    String seal(
            String content, String account, String clientRef, List<String> mobiles, byte[] nonce) {
        List<String> lines = new ArrayList<>(Arrays.asList("his-sms content 1", account, clientRef));
        lines.addAll(mobiles);
        StringBuilder bound = new StringBuilder();
        for (String line : lines) {
            if (line.indexOf('\n') >= 0) {
                throw new IllegalArgumentException(
                        "account, clientRef and mobiles must not hold line feeds");
            }
            bound.append(line).append('\n');
        }
        try {
            Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
            SecretKeySpec key = new SecretKeySpec(octets, "AES");
            cipher.init(Cipher.ENCRYPT_MODE, key, new GCMParameterSpec(128, nonce));
            cipher.updateAAD(bound.toString().getBytes(UTF_8));
            byte[] sealed = cipher.doFinal(content.getBytes(UTF_8));
            byte[] whole = Arrays.copyOf(nonce, nonce.length + sealed.length);
            System.arraycopy(sealed, 0, whole, nonce.length, sealed.length);
            return "v1:" + id + ":" + Base64.getEncoder().encodeToString(whole);
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("this Java has no AES-256-GCM", error);
        }
    }
}
