package hissms;

import java.time.OffsetDateTime;

/** A sign of life; state is running or stopping. */
public final class Pong {
    public final OffsetDateTime time;
    public final String version;
    public final String state;

    Pong(Members from) {
        time = from.moment("time");
        version = from.needed("version");
        state = from.needed("state");
    }
}
