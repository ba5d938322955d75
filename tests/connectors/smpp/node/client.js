// An ESME on node's smpp: binds, submits short and long texts, waits for every receipt and for one
// text, asks if we live, and takes leave. Arguments: port, account, password, words for the long
// text. Each line printed is one JSON object.
'use strict';
const smpp = require('smpp');

const [port, account, password, words] = process.argv.slice(2);
const RECEIPT = 0x04;
const PER_PART = 67;
const tell = (event, values) => console.log(JSON.stringify({ event, ...values }));

function parts(text, reference) {
  const total = Math.ceil(text.length / PER_PART);
  return Array.from({ length: total }, (_, k) => ({
    udh: Buffer.from([5, 0, 3, reference, total, k + 1]),
    message: text.slice(k * PER_PART, (k + 1) * PER_PART),
  }));
}

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` });
const waiting = { answers: 0, receipts: 0, texts: 1 };

function done(kind) {
  waiting[kind] -= 1;
  if (Object.values(waiting).some((left) => left > 0)) return;
  session.enquire_link({}, (alive) => {
    tell('alive', { status: alive.command_status });
    session.unbind((left) => {
      tell('unbound', { status: left.command_status });
      session.close();
    });
  });
}

function submit(values) {
  waiting.answers += 1;
  waiting.receipts += 1;
  const common = { source_addr: '1069', destination_addr: '8613800138000', registered_delivery: 1 };
  session.submit_sm({ ...common, ...values }, (answer) => {
    tell('answer', { status: answer.command_status, id: answer.message_id });
    done('answers');
  });
}

session.on('error', (error) => tell('error', { reason: error.message }));
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  if (pdu.esm_class & RECEIPT) {
    tell('receipt', {
      id: pdu.receipted_message_id,
      state: pdu.message_state,
      text: pdu.short_message.message,
    });
    done('receipts');
  } else {
    tell('text', { text: pdu.short_message.message });
    done('texts');
  }
});
session.on('connect', () => {
  session.bind_transceiver({ system_id: account, password }, (bound) => {
    tell('bound', { status: bound.command_status, system: bound.system_id });
    if (bound.command_status) {
      session.close();
      return;
    }
    submit({ short_message: 'Hello @{}€' });
    submit({ short_message: '检查报告已出' });
    parts(words, 77).forEach((part) => submit({ short_message: part, data_coding: 8 }));
    submit({ message_payload: words, data_coding: 8 });
  });
});
