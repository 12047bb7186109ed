#!/usr/bin/env python3
"""Puts a plan into one comment of a pull request (GitHub) or a merge request (GitLab), and updates it later.

roomctl plan --base DIR -o markdown | comment.py github|gitlab

Reads Markdown from stdin. Its first line, an HTML comment, marks the comment that is replaced. It needs what
the services' runners set: for GitHub GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN and PULL_REQUEST; for
GitLab CI_API_V4_URL, CI_PROJECT_ID, GITLAB_TOKEN and CI_MERGE_REQUEST_IID. And nothing but Python.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

MARKER: Final = "<!-- roomctl-plan"
"""How each plan begins: nothing else is written, so no comment of somebody else is replaced."""
PER_PAGE: Final = 100
TIMEOUT_SECONDS: Final = 30.0


class Service(NamedTuple):
    """Where comments are, how they are changed, and how a caller is known; names in braces are variables."""

    comments: str
    comment: str
    update: str
    header: str
    credential: str


SERVICES: Final[Mapping[str, Service]] = {
    "github": Service(
        comments="{GITHUB_API_URL}/repos/{GITHUB_REPOSITORY}/issues/{PULL_REQUEST}/comments",
        comment="{GITHUB_API_URL}/repos/{GITHUB_REPOSITORY}/issues/comments",
        update="PATCH",
        header="Authorization",
        credential="Bearer {GITHUB_TOKEN}",
    ),
    "gitlab": Service(
        comments="{CI_API_V4_URL}/projects/{CI_PROJECT_ID}/merge_requests/{CI_MERGE_REQUEST_IID}/notes",
        comment="{CI_API_V4_URL}/projects/{CI_PROJECT_ID}/merge_requests/{CI_MERGE_REQUEST_IID}/notes",
        update="PUT",
        header="PRIVATE-TOKEN",
        credential="{GITLAB_TOKEN}",
    ),
}


def put(service: Service, env: Mapping[str, str], body: str) -> str:
    """Create the comment, or update it; which of both. KeyError names a variable that is missing."""
    marker = body.split("\n", 1)[0]
    for comment in _comments(service, env):
        if str(comment["body"]).startswith(marker):
            url = f"{service.comment.format_map(env)}/{comment['id']}"
            _call(service, env, service.update, url, {"body": body})
            return "updated"
    _call(service, env, "POST", service.comments.format_map(env), {"body": body})
    return "created"


def _comments(service: Service, env: Mapping[str, str]) -> Iterator[Any]:
    """All comments, page by page."""
    page = 1
    while True:
        url = f"{service.comments.format_map(env)}?per_page={PER_PAGE}&page={page}"
        found = _call(service, env, "GET", url)
        yield from found
        if len(found) < PER_PAGE:
            return
        page += 1


def _call(service: Service, env: Mapping[str, str], method: str, url: str, content: Any = None) -> Any:
    headers = {service.header: service.credential.format_map(env), "Content-Type": "application/json"}
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the runner's own URL
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in SERVICES:
        _say(f"usage: comment.py {'|'.join(SERVICES)} < FILE")
        return 64
    body = sys.stdin.read()
    if not body.startswith(MARKER):
        _say("error: no plan on stdin; use roomctl plan -o markdown")
        return 1
    try:
        _say(f"comment {put(SERVICES[arguments[0]], os.environ, body)}")
    except KeyError as missing:
        _say(f"error: {missing.args[0]} is not set; run this in a pipeline")
        return 1
    except urllib.error.HTTPError as error:
        _say(f"error: {arguments[0]} answered {error.code}; check the token's permissions")
        return 1
    except (OSError, ValueError) as error:
        _say(f"error: {arguments[0]} did not answer: {type(error).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
