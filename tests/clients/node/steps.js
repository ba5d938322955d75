"use strict";
// Every operation, for both packages: `call(operation, argument, secret)` promises the answer
// without its wrapper. Prints what tests/clients/conftest.py asks for, one line a step.

const NS = "urn:his-sms:exchange:1";

function say(...words) {
  console.log(words.join("\t"));
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

module.exports = async function steps(call, refusal, account, password) {
  const ask = (operation, request, secret = password) => call(operation, { request }, secret);

  say("ping", (await call("Ping", {}, password)).state);
  say("account", (await call("GetAccount", {}, password)).account);

  const request = {
    clientRef: "NODE-1",
    content: "王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。",
    recipients: {
      Recipient: [
        { mobile: "13800138000", ref: "甲" },
        { mobile: "13900139000" },
        { mobile: "1380013800O" },
      ],
    },
    lane: "realtime",
    passThrough: "门诊",
  };
  const sent = await ask("Send", request);
  say("send", sent.code, sent.accepted, sent.refused, sent.passThrough);
  for (const each of sent.results.Result) say("result", each.mobile, each.ref ?? "", each.code);
  const again = await ask("Send", request);
  say("again", again.submissionId === sent.submissionId ? "same" : "other");

  const batch = await ask("SendBatch", {
    entries: {
      Entry: [
        { mobile: "13800138001", content: "报告已出" },
        { mobile: "13800138002", content: "请取药" },
      ],
    },
  });
  say("batch", batch.code, batch.accepted, batch.refused);

  const later = await ask("Send", {
    content: "明天见",
    recipients: { Recipient: [{ mobile: "13800138003" }] },
    // As a text: a Date goes out as an empty element.
    scheduleAt: new Date(Date.now() + 86400e3).toISOString(),
    receipt: false,
    businessKey: "A-7",
  });
  say("later", later.code);
  const cancelled = await ask("Cancel", { businessKey: "A-7" });
  say("cancel", cancelled.code, cancelled.cancelled);

  let page;
  let receipts;
  for (let tries = 0; tries < 300; tries++) {
    page = await ask("FetchReceipts", { max: 10 });
    receipts = [].concat(page.receipts?.Receipt ?? []);
    if (receipts.length >= 4) break;
    await pause(100);
  }
  for (const each of receipts) say("receipt", each.mobile, each.state);
  say("acknowledged", (await ask("AckReceipts", { cursor: page.cursor })).acknowledged);
  const left = await ask("FetchReceipts", {});
  say("left", [].concat(left.receipts?.Receipt ?? []).length, left.more ? "more" : "none");

  const found = await ask("Query", { submissionId: sent.submissionId });
  for (const each of found.messages.Message) {
    say("message", each.mobile, each.state, each.segmentCount);
  }

  const { inbound } = await ask("FetchInbound", {});
  const texts = [].concat(inbound.Inbound);
  for (const each of texts) say("inbound", each.mobile, each.content);
  const ids = { InboundId: [texts[0].inboundId] };
  say("noted", (await ask("AckInbound", { inboundIds: ids })).acknowledged);

  for (const secret of [password, "wrong"]) {
    const words = { account, password: secret, mobiles: "13800138004，13800138005" };
    const answer = await call("SendText", { ...words, content: "一串文字", extension: "" }, secret);
    const [code, id, text] = answer.split(";");
    say("text", code, code === "OK" ? text : id);
  }

  const xml =
    `<Send xmlns="${NS}"><request><content>文档 &amp; 一串</content><recipients><Recipient>` +
    "<mobile>13800138006</mobile></Recipient></recipients></request></Send>";
  const document = await call("Exchange", { account, password, xml }, password);
  const [, name, code] = document.match(/^<(\w+) .*?<code>(\w+)</);
  say("exchange", name, code);

  for (const secret of [password, "wrong"]) {
    try {
      await ask("Query", { clientRef: "a", submissionId: "1" }, secret);
    } catch (error) {
      const detail = refusal(error);
      say("fault", detail.code, detail.field ?? "");
    }
  }
};
