// Every operation with a JAX-WS proxy made by wsimport, SOAP 1.1 or 1.2 as the WSDL it was made of.
//   java -cp ... Client ACCOUNT PASSWORD
// Prints what tests/clients/conftest.py asks for, one line a step.

import hospital.sms.*;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.GregorianCalendar;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.datatype.XMLGregorianCalendar;

public class Client {
    private static PrintStream out;

    private final SmsExchangePortType his =
        new SmsExchange().getPort(SmsExchangePortType.class);
    private final Credentials credentials;
    private final Credentials wrong;

    Client(String account, String password) {
        credentials = credentials(account, password);
        wrong = credentials(account, "wrong");
    }

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(System.out, true, "UTF-8");
        new Client(arguments[0], arguments[1]).steps();
    }

    private static void say(Object... words) {
        String[] shown = Arrays.stream(words).map(w -> Objects.toString(w, "")).toArray(String[]::new);
        out.println(String.join("\t", shown));
    }

    private static Credentials credentials(String account, String password) {
        Credentials made = new Credentials();
        made.setAccount(account);
        made.setPassword(password);
        return made;
    }

    private static Recipient recipient(String mobile, String ref) {
        Recipient made = new Recipient();
        made.setMobile(mobile);
        made.setRef(ref);
        return made;
    }

    private static ArrayOfRecipient recipients(Recipient... each) {
        ArrayOfRecipient made = new ArrayOfRecipient();
        made.getRecipient().addAll(Arrays.asList(each));
        return made;
    }

    private static Entry entry(String mobile, String content) {
        Entry made = new Entry();
        made.setMobile(mobile);
        made.setContent(content);
        return made;
    }

    private static XMLGregorianCalendar tomorrow() throws Exception {
        GregorianCalendar calendar = new GregorianCalendar();
        calendar.add(GregorianCalendar.DATE, 1);
        return DatatypeFactory.newInstance().newXMLGregorianCalendar(calendar);
    }

    void steps() throws Exception {
        // Ping needs no credentials.
        say("ping", his.ping(null).getState());
        say("account", his.getAccount(credentials).getAccount());
        SendReply sent = send();
        batch();
        cancel();
        receipts();
        QueryRequest asked = new QueryRequest();
        asked.setSubmissionId(sent.getSubmissionId());
        for (Message each : his.query(asked, credentials).getMessages().getMessage()) {
            say("message", each.getMobile(), each.getState(), each.getSegmentCount());
        }
        inbound();
        strings();
        refusal(credentials);
        refusal(wrong);
    }

    private SendReply send() throws Exception {
        SendRequest request = new SendRequest();
        request.setClientRef("JAX-1");
        request.setContent("王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。");
        request.setRecipients(recipients(
            recipient("13800138000", "甲"),
            recipient("13900139000", null),
            recipient("1380013800O", null)));
        request.setLane(Lane.REALTIME);
        request.setPassThrough("门诊");
        SendReply sent = his.send(request, credentials);
        say("send", sent.getCode(), sent.getAccepted(), sent.getRefused(), sent.getPassThrough());
        for (Result each : sent.getResults().getResult()) {
            say("result", each.getMobile(), each.getRef(), each.getCode());
        }
        SendReply again = his.send(request, credentials);
        say("again", again.getSubmissionId().equals(sent.getSubmissionId()) ? "same" : "other");
        return sent;
    }

    private void batch() throws Exception {
        SendBatchRequest request = new SendBatchRequest();
        request.setEntries(new ArrayOfEntry());
        request.getEntries().getEntry().add(entry("13800138001", "报告已出"));
        request.getEntries().getEntry().add(entry("13800138002", "请取药"));
        SendReply sent = his.sendBatch(request, credentials);
        say("batch", sent.getCode(), sent.getAccepted(), sent.getRefused());
    }

    private void cancel() throws Exception {
        SendRequest later = new SendRequest();
        later.setContent("明天见");
        later.setRecipients(recipients(recipient("13800138003", null)));
        later.setScheduleAt(tomorrow());
        later.setReceipt(false);
        later.setBusinessKey("A-7");
        say("later", his.send(later, credentials).getCode());
        CancelRequest cancel = new CancelRequest();
        cancel.setBusinessKey("A-7");
        CancelReply cancelled = his.cancel(cancel, credentials);
        say("cancel", cancelled.getCode(), cancelled.getCancelled());
    }

    private void receipts() throws Exception {
        FetchReceiptsRequest request = new FetchReceiptsRequest();
        request.setMax(10);
        FetchReceiptsReply page = his.fetchReceipts(request, credentials);
        for (int tries = 0; tries < 300 && list(page).size() < 4; tries++) {
            Thread.sleep(100);
            page = his.fetchReceipts(request, credentials);
        }
        for (Receipt each : list(page)) {
            say("receipt", each.getMobile(), each.getState());
        }
        AckReceiptsRequest done = new AckReceiptsRequest();
        done.setCursor(page.getCursor());
        say("acknowledged", his.ackReceipts(done, credentials).getAcknowledged());
        FetchReceiptsReply left = his.fetchReceipts(new FetchReceiptsRequest(), credentials);
        say("left", list(left).size(), left.isMore() ? "more" : "none");
    }

    private static List<Receipt> list(FetchReceiptsReply page) {
        return page.getReceipts() == null ? List.of() : page.getReceipts().getReceipt();
    }

    private void inbound() throws Exception {
        List<Inbound> texts =
            his.fetchInbound(new FetchInboundRequest(), credentials).getInbound().getInbound();
        for (Inbound each : texts) {
            say("inbound", each.getMobile(), each.getContent());
        }
        AckInboundRequest noted = new AckInboundRequest();
        noted.setInboundIds(new ArrayOfInboundId());
        noted.getInboundIds().getInboundId().add(texts.get(0).getInboundId());
        say("noted", his.ackInbound(noted, credentials).getAcknowledged());
    }

    private void strings() throws Exception {
        String account = credentials.getAccount();
        for (Credentials each : List.of(credentials, wrong)) {
            String numbers = "13800138004，13800138005";
            String answer = his.sendText(account, each.getPassword(), numbers, "一串文字", "");
            String[] words = answer.split(";", 3);
            say("text", words[0], words[0].equals("OK") ? words[2] : words[1]);
        }
        String document = "<Send xmlns='urn:his-sms:exchange:1'><request><content>文档 &amp; 一串</content>"
            + "<recipients><Recipient><mobile>13800138006</mobile></Recipient></recipients>"
            + "</request></Send>";
        String response = his.exchange(account, credentials.getPassword(), document);
        Matcher found = Pattern.compile("^<(\\w+) .*?<code>(\\w+)<").matcher(response);
        say("exchange", found.find() ? found.group(1) : response, found.group(2));
    }

    private void refusal(Credentials credentials) {
        QueryRequest both = new QueryRequest();
        both.setClientRef("a");
        both.setSubmissionId("1");
        try {
            his.query(both, credentials);
        } catch (ExchangeFault_Exception fault) {
            say("fault", fault.getFaultInfo().getCode(), fault.getFaultInfo().getField());
        }
    }
}
