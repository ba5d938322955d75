"use strict";
// npm's `soap`.  node soap.js WSDL ACCOUNT PASSWORD

const soap = require("soap");
const steps = require("./steps");

const [wsdl, account, password] = process.argv.slice(2);

async function main() {
  const client = await soap.createClientAsync(wsdl);

  async function call(operation, argument, secret) {
    client.clearSoapHeaders();
    const header = { Credentials: { account, password: secret } };
    client.addSoapHeader(header, "", "tns", "urn:his-sms:exchange:1");
    const [answer] = await client[`${operation}Async`](argument);
    return answer[`${operation}Result`];
  }

  function refusal(error) {
    const fault = error.root.Envelope.Body.Fault;
    return (fault.detail ?? fault.Detail).ExchangeFault;
  }

  await steps(call, refusal, account, password);
}

main();
