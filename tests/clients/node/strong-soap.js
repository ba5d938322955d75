"use strict";
// npm's `strong-soap`.  node strong-soap.js WSDL ACCOUNT PASSWORD

const { QName, soap } = require("strong-soap");
const steps = require("./steps");

const [wsdl, account, password] = process.argv.slice(2);
const NS = "urn:his-sms:exchange:1";

soap.createClient(wsdl, {}, (failure, client) => {
  if (failure) throw failure;

  async function call(operation, argument, secret) {
    client.clearSoapHeaders();
    client.addSoapHeader({ account, password: secret }, new QName(NS, "Credentials"));
    const { result } = await client[operation](argument);
    return result[`${operation}Result`];
  }

  function refusal(error) {
    const fault = error.root.Envelope.Body.Fault;
    return (fault.detail ?? fault.Detail).ExchangeFault;
  }

  steps(call, refusal, account, password);
});
