"""SendGrid's own client on our transport: its fluent surface, without its habits.

The client opens a connection per request, never times out and writes the key into debug logs. Here
requests go over one `Transport` (kept alive, with timeouts), which alone holds the key; its debug log is off.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from email.message import Message
from http.client import responses
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, Request

from python_http_client.client import Client
from python_http_client.exceptions import handle_error
from sendgrid import SendGridAPIClient

from digest.deliver.transport import Answer, Transport


class SendGridApi(SendGridAPIClient):  # type: ignore[misc]  # the package has no types
    """`SendGridAPIClient` over the given transport: ``api.client.suppression.bounces.get(...)`` and the like.

    Raises (from calls): ``python_http_client`` errors for refusals; NotSentError, UnansweredError.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(api_key="held by the transport", host=transport.base_url)
        self.client = _TransportClient(transport, self.useragent)


class _TransportClient(Client):  # type: ignore[misc]
    """The provider's client with its one network call replaced."""

    def __init__(self, transport: Transport, useragent: str, url_path: list[str] | None = None) -> None:
        headers = {"User-Agent": useragent, "Accept": "application/json"}
        super().__init__(transport.base_url, request_headers=headers, version=3, url_path=url_path)
        self._transport = transport
        self._useragent = useragent
        # It would log bodies, and so addresses.
        logging.getLogger("python_http_client.client").setLevel(logging.WARNING)

    def _build_client(self, name: str | None = None) -> _TransportClient:
        # Fresh headers: the original shares one dictionary between all clients and threads.
        path = [*self._url_path, str(name)] if name else self._url_path
        return _TransportClient(self._transport, self._useragent, path)

    def _make_request(
        self, opener: OpenerDirector, request: Request, timeout: float | None = None
    ) -> _Response:
        parts = urlsplit(request.full_url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {name: str(value) for name, value in request.header_items()}
        body = request.data if isinstance(request.data, bytes) else None
        answer = self._transport.request(request.get_method(), path, body, headers)
        if answer.status >= 400:
            raise handle_error(_as_http_error(request.full_url, answer)) from None
        return _Response(answer)


class _Response:
    """An answer in the form that the provider's client reads."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def getcode(self) -> int:
        return self._answer.status

    def read(self) -> bytes:
        return self._answer.body

    def info(self) -> Mapping[str, str]:
        return self._answer.headers


def _as_http_error(url: str, answer: Answer) -> HTTPError:
    headers: Any = Message()
    for name, value in answer.headers.items():
        headers[name] = value
    return HTTPError(url, answer.status, responses.get(answer.status, ""), headers, io.BytesIO(answer.body))
