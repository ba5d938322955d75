package hissms;

import java.util.List;

/** Receipts or inbound texts not yet acknowledged, oldest first. */
public final class Page<T> {
    public final List<T> items;
    /** For the acknowledgement of just these, or to fetch what comes behind them. */
    public final String cursor;
    /** Whether others are waiting. */
    public final boolean more;

    Page(List<T> items, String cursor, boolean more) {
        this.items = items;
        this.cursor = cursor;
        this.more = more;
    }
}
