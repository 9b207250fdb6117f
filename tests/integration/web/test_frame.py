"""What every page has: safe headers, a language, an error that says what to do."""

from __future__ import annotations

import re

import httpx


def test_an_address_of_nothing_says_so_and_leads_on(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert 'href="/councils"' in answer.text


def test_welsh_is_spoken_to_who_asks_for_it_and_remembered(client: httpx.Client) -> None:
    asked = client.get("/nowhere", headers={"Accept-Language": "cy-GB,en;q=0.8"})
    assert '<html lang="cy">' in asked.text
    assert "Nid oes tudalen" in asked.text
    client.get("/nowhere?lang=cy")
    assert '<html lang="cy">' in client.get("/nowhere").text


def test_no_page_may_run_or_load_what_is_not_ours(client: httpx.Client) -> None:
    policy = client.get("/nowhere").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_personal_path_is_never_stored_indexed_or_told(client: httpx.Client) -> None:
    headers = client.get("/preferences/xyz").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in headers["X-Robots-Tag"]


def test_the_stylesheet_is_kept_for_ever_under_its_fingerprint(client: httpx.Client) -> None:
    page = client.get("/nowhere").text
    found = re.search(r'href="(/static/style\.css\?v=\w+)"', page)
    assert found
    sheet = client.get(found[1])
    assert "immutable" in sheet.headers["Cache-Control"]
    assert "[[" not in sheet.text
    assert client.get(found[1], headers={"If-None-Match": sheet.headers["ETag"]}).status_code == 304


def test_head_is_get_without_its_body(client: httpx.Client) -> None:
    got, head = client.get("/robots.txt"), client.head("/robots.txt")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


def test_programs_get_json(client: httpx.Client) -> None:
    assert client.get("/api/v1/nowhere").json()["status"] == 404
