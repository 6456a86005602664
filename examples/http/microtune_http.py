"""The daemon's interface with Python's standard library: JSON, bytes, event streams; what the others here share."""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """The daemon's answer to a request that it does not carry out; docs/errors.md explains the codes."""

    def __init__(self, problem):
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.code = problem["code"]


def ask(url, method="GET", body=None, headers=None):
    """An open answer. `body`: bytes as they are, anything else as JSON."""
    sent = {} if headers is None else dict(headers)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent["content-type"] = "application/json"
    elif body is not None:
        sent["content-type"] = "application/octet-stream"
    token = os.environ.get("MICROTUNE_TOKEN")
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=body, headers=sent, method=method)
    try:
        return urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        raise Refused(json.load(error)) from None


def get_json(url, **query):
    """The body of a GET; what is None is left out of the query."""
    given = {k: v for k, v in query.items() if v is not None}
    with ask(f"{url}?{urllib.parse.urlencode(given)}" if given else url) as answer:
        return json.load(answer)


def post_json(url, body=None, headers=None):
    with ask(url, "POST", body, headers) as answer:
        return json.load(answer)


def pages(url, **query):
    """Every item of a list, over all its pages."""
    cursor = None
    while True:
        page = get_json(url, **query, cursor=cursor)
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def events(url, patience=60):
    """(type, data) of a job's events, from the first to the last; a connection that breaks is taken up where it broke."""
    last, lost_at = 0, None
    while True:
        try:
            with ask(url, headers={"last-event-id": str(last)}) as stream:
                if stream.status == 204:
                    return
                lost_at = None
                kind = "message"
                for line in stream:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name == "id":
                        last = int(value)
                    elif name == "event":
                        kind = value
                    elif name == "data":
                        yield kind, json.loads(value)
        except (OSError, urllib.error.URLError):
            lost_at = time.monotonic() if lost_at is None else lost_at
            if time.monotonic() - lost_at > patience:
                raise
            time.sleep(1)
