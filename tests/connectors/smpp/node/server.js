// An SMSC on node's smpp: takes every bind, answers submits with a hexadecimal id, sends the receipt
// with the decimal one and one text from the phone, asks if we live, and agrees to our leave. Each
// line printed is one JSON object; the first has the port.
'use strict';
const smpp = require('smpp');

const RECEIPT = 0x04;
const UDHI = 0x40;
const FIRST_ID = 0x38601fa;
const tell = (event, values) => console.log(JSON.stringify({ event, ...values }));
let taken = 0;

function receipt(pdu, id) {
  const words = `id:${String(id).padStart(10, '0')} sub:001 dlvrd:001 submit date:2603091523 `
    + 'done date:2603091524 stat:DELIVRD err:000 text:';
  return {
    esm_class: RECEIPT,
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    short_message: words,
  };
}

const server = smpp.createServer((session) => {
  session.on('error', (error) => tell('error', { reason: error.message }));
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(bind, (pdu) => {
      tell('bind', { bind, account: pdu.system_id, password: pdu.password });
      session.send(pdu.response({ system_id: 'node' }));
      session.enquire_link({}, (alive) => tell('alive', { status: alive.command_status }));
    });
  }
  session.on('submit_sm', (pdu) => {
    taken += 1;
    const body = pdu.short_message;
    tell('submit', {
      coding: pdu.data_coding,
      udhi: Boolean(pdu.esm_class & UDHI),
      udh: body.udh ? Buffer.concat(body.udh).toString('hex') : '',
      text: body.message.toString(),
      payload: pdu.message_payload ? pdu.message_payload.message.toString() : '',
      sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
    });
    const id = FIRST_ID + taken;
    session.send(pdu.response({ message_id: id.toString(16) }));
    session.deliver_sm(receipt(pdu, id), (taken) => tell('noted', { status: taken.command_status }));
    if (taken === 1) {
      session.deliver_sm({
        source_addr: pdu.destination_addr,
        destination_addr: pdu.source_addr,
        short_message: '退订',
        data_coding: 8,
      });
    }
  });
  session.on('enquire_link', (pdu) => {
    tell('asked', {});
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    tell('unbind', {});
    session.send(pdu.response());
    session.close();
  });
});
server.listen(0, '127.0.0.1', () => tell('listening', { port: server.address().port }));
