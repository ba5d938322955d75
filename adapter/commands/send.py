"""`sms-adapter send`: one text through a running node, by its SOAP service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from requests import ConnectionError as RequestConnectionError
from requests import RequestException
from zeep import Client
from zeep.exceptions import Error, Fault
from zeep.helpers import serialize_object

TIMEOUT_S = 30


class SendError(Exception):
    """The node refused the request, or there is none."""


def send(
    url: str,
    *,
    account: str,
    password: str,
    mobiles: Sequence[str],
    content: str,
    lane: str | None = None,
    client_ref: str | None = None,
) -> dict[str, Any]:
    """The SendReply as a dictionary. `url` is the node's, http://host:port. Raises SendError."""
    request = {
        "clientRef": client_ref,
        "content": content,
        "lane": lane,
        "recipients": {"Recipient": [{"mobile": mobile} for mobile in mobiles]},
    }
    try:
        client = Client(f"{url}/soap?wsdl")
        client.transport.operation_timeout = TIMEOUT_S
        reply = client.service.Send(
            request={name: value for name, value in request.items() if value is not None},
            _soapheaders={"Credentials": {"account": account, "password": password}},
        )
    except Fault as fault:
        raise SendError(fault.message) from fault
    except RequestConnectionError as error:
        raise SendError(f"no node answers at {url}; is it running?") from error
    except (Error, RequestException, ValueError) as error:
        raise SendError(f"{url} does not answer as a node does: {error}") from error
    answer: dict[str, Any] = serialize_object(reply, dict)
    answer["results"] = (answer.get("results") or {}).get("Result") or []
    return answer
