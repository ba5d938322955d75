// Every operation with a stub of Axis 1.4, made by WSDL2Java from the WSDL of SOAP 1.1.
//   java -cp ... Client ACCOUNT PASSWORD
// Prints what tests/clients/conftest.py asks for, one line a step.

import hospital.sms.*;
import java.io.PrintStream;
import java.util.Calendar;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.axis.client.Stub;
import org.apache.axis.message.SOAPHeaderElement;

public class Client {
    private static final String NS = "urn:his-sms:exchange:1";
    private static PrintStream out;

    private final String account;
    private final String password;
    private final SmsExchangePortType his;
    private final SmsExchangePortType wrong;

    Client(String account, String password) throws Exception {
        this.account = account;
        this.password = password;
        his = stub(account, password);
        wrong = stub(account, "wrong");
    }

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(System.out, true, "UTF-8");
        new Client(arguments[0], arguments[1]).steps();
    }

    private static SmsExchangePortType stub(String account, String password) throws Exception {
        SmsExchangePortType made = new SmsExchangeLocator().getSmsExchangePort();
        // WSDL2Java has no argument for the header of the WSDL.
        SOAPHeaderElement header = new SOAPHeaderElement(NS, "Credentials");
        header.setActor(null);
        header.addChildElement("account", "", NS).addTextNode(account);
        header.addChildElement("password", "", NS).addTextNode(password);
        ((Stub) made).setHeader(header);
        return made;
    }

    private static void say(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object each : words) {
            line.append(line.length() == 0 ? "" : "\t").append(each == null ? "" : each);
        }
        out.println(line);
    }

    private static Recipient recipient(String mobile, String ref) {
        Recipient made = new Recipient();
        made.setMobile(mobile);
        made.setRef(ref);
        return made;
    }

    private static Entry entry(String mobile, String content) {
        Entry made = new Entry();
        made.setMobile(mobile);
        made.setContent(content);
        return made;
    }

    void steps() throws Exception {
        say("ping", his.ping().getState());
        say("account", his.getAccount().getAccount());
        SendReply sent = send();
        batch();
        cancel();
        receipts();
        QueryRequest asked = new QueryRequest();
        asked.setSubmissionId(sent.getSubmissionId());
        for (Message each : his.query(asked).getMessages()) {
            say("message", each.getMobile(), each.getState(), each.getSegmentCount());
        }
        inbound();
        strings();
        refusal(his);
        refusal(wrong);
    }

    private SendReply send() throws Exception {
        SendRequest request = new SendRequest();
        request.setClientRef("AXIS-1");
        request.setContent("王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。");
        request.setRecipients(new Recipient[] {
            recipient("13800138000", "甲"),
            recipient("13900139000", null),
            recipient("1380013800O", null)});
        request.setLane(Lane.realtime);
        request.setPassThrough("门诊");
        SendReply sent = his.send(request);
        say("send", sent.getCode(), sent.getAccepted(), sent.getRefused(), sent.getPassThrough());
        for (Result each : sent.getResults()) {
            say("result", each.getMobile(), each.getRef(), each.getCode());
        }
        SendReply again = his.send(request);
        say("again", again.getSubmissionId().equals(sent.getSubmissionId()) ? "same" : "other");
        return sent;
    }

    private void batch() throws Exception {
        SendBatchRequest request = new SendBatchRequest();
        request.setEntries(
            new Entry[] {entry("13800138001", "报告已出"), entry("13800138002", "请取药")});
        SendReply sent = his.sendBatch(request);
        say("batch", sent.getCode(), sent.getAccepted(), sent.getRefused());
    }

    private void cancel() throws Exception {
        Calendar tomorrow = Calendar.getInstance();
        tomorrow.add(Calendar.DATE, 1);
        SendRequest later = new SendRequest();
        later.setContent("明天见");
        later.setRecipients(new Recipient[] {recipient("13800138003", null)});
        later.setScheduleAt(tomorrow);
        later.setReceipt(false);
        later.setBusinessKey("A-7");
        say("later", his.send(later).getCode());
        CancelRequest cancel = new CancelRequest();
        cancel.setBusinessKey("A-7");
        CancelReply cancelled = his.cancel(cancel);
        say("cancel", cancelled.getCode(), cancelled.getCancelled());
    }

    private void receipts() throws Exception {
        FetchReceiptsRequest request = new FetchReceiptsRequest();
        request.setMax(10);
        FetchReceiptsReply page = his.fetchReceipts(request);
        for (int tries = 0; tries < 300 && list(page).length < 4; tries++) {
            Thread.sleep(100);
            page = his.fetchReceipts(request);
        }
        for (Receipt each : list(page)) {
            say("receipt", each.getMobile(), each.getState());
        }
        AckReceiptsRequest done = new AckReceiptsRequest();
        done.setCursor(page.getCursor());
        say("acknowledged", his.ackReceipts(done).getAcknowledged());
        FetchReceiptsReply left = his.fetchReceipts(new FetchReceiptsRequest());
        say("left", list(left).length, left.isMore() ? "more" : "none");
    }

    private static Receipt[] list(FetchReceiptsReply page) {
        return page.getReceipts() == null ? new Receipt[0] : page.getReceipts();
    }

    private void inbound() throws Exception {
        Inbound[] texts = his.fetchInbound(new FetchInboundRequest()).getInbound();
        for (Inbound each : texts) {
            say("inbound", each.getMobile(), each.getContent());
        }
        AckInboundRequest noted = new AckInboundRequest();
        noted.setInboundIds(new String[] {texts[0].getInboundId()});
        say("noted", his.ackInbound(noted).getAcknowledged());
    }

    private void strings() throws Exception {
        for (String secret : new String[] {password, "wrong"}) {
            String numbers = "13800138004，13800138005";
            String[] words = his.sendText(account, secret, numbers, "一串文字", "").split(";", 3);
            say("text", words[0], words[0].equals("OK") ? words[2] : words[1]);
        }
        String document = "<Send xmlns='" + NS + "'><request><content>文档 &amp; 一串</content>"
            + "<recipients><Recipient><mobile>13800138006</mobile></Recipient></recipients>"
            + "</request></Send>";
        String response = his.exchange(account, password, document);
        Matcher found = Pattern.compile("^<(\\w+) .*?<code>(\\w+)<").matcher(response);
        say("exchange", found.find() ? found.group(1) : response, found.group(2));
    }

    private static void refusal(SmsExchangePortType his) throws Exception {
        QueryRequest both = new QueryRequest();
        both.setClientRef("a");
        both.setSubmissionId("1");
        try {
            his.query(both);
        } catch (ExchangeFault fault) {
            say("fault", fault.getCode(), fault.getField());
        }
    }
}
