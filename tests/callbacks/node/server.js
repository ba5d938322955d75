// A client's callback service, made by node's `soap` from wsdl/callback.wsdl:
//     node server.js WSDL
// Prints {"event": "listening", "port"}, then one line for each event that it was told.
'use strict'
const fs = require('fs')
const http = require('http')
const soap = require('soap')

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const all = (found) => (found === undefined || found === null ? [] : [].concat(found))

let asked = 0
const Notify = ({ request }) => {
  asked += 1
  if (asked === 1) {
    throw { Fault: { faultcode: 'soap:Server', faultstring: 'not yet' } }
  }
  if (asked === 2) {
    return { NotifyResult: { code: 'LATER', description: 'once more' } }
  }
  for (const each of all(request.receipts && request.receipts.Receipt)) {
    say({ event: 'receipt', ...each })
  }
  for (const each of all(request.inbound && request.inbound.Inbound)) {
    say({ event: 'inbound', ...each })
  }
  return { NotifyResult: { code: 'OK' } }
}

const server = http.createServer((_, response) => response.writeHead(404).end())
server.listen(0, '127.0.0.1', () => {
  soap.listen(server, {
    path: '/sms/events',
    services: { SmsCallback: { SmsCallbackPort: { Notify } } },
    xml: fs.readFileSync(process.argv[2], 'utf8'),
    callback: () => say({ event: 'listening', port: server.address().port })
  })
})
