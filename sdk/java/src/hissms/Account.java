package hissms;

import java.util.List;

/** The client as it is configured; a limit that is null is none. */
public final class Account {
    public final String account;
    public final String title;
    public final String signature;
    public final String extension;
    public final String business;
    public final String lane;
    public final List<String> lanes;
    public final Integer ratePerMinute;
    public final Integer dailyQuota;
    public final Integer quotaLeft;
    public final Integer monthlyQuota;
    public final Integer maxRecipients;
    public final List<String> businesses;
    public final List<String> hours;
    public final int maxSegments;
    public final int validitySeconds;

    Account(Members from) {
        account = from.needed("account");
        title = from.text("title");
        signature = from.text("signature");
        extension = from.text("extension");
        business = from.text("business");
        lane = from.text("lane");
        lanes = from.texts("lanes");
        ratePerMinute = from.number("ratePerMinute");
        dailyQuota = from.number("dailyQuota");
        quotaLeft = from.number("quotaLeft");
        monthlyQuota = from.number("monthlyQuota");
        maxRecipients = from.number("maxRecipients");
        businesses = from.texts("businesses");
        hours = from.texts("hours");
        maxSegments = from.neededNumber("maxSegments");
        validitySeconds = from.neededNumber("validitySeconds");
    }
}
