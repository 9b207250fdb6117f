"""Addresses that are never mailed, the audit log, and the accounts of operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import DigestError
from digest.model import Role
from digest.pipeline import operators as accounts
from digest.store import desk as queries
from digest.store import operators, suppressions
from digest.web.desk.router import Desk, who_of


def add_routes(desk: Desk) -> None:
    """``/operator/suppressions``, ``/operator/audit`` and ``/operator/operators``."""
    hall = desk.site.hall

    @desk.get("/suppressions")
    def suppressed(request: Request, address: str = "") -> Response:
        """The newest, and whether one address is among them: the list itself tells no address."""
        with hall.database.read() as connection:
            newest = suppressions.newest(connection, most=queries.PAGE)
            counts = suppressions.count_by_reason(connection)
            reason, wrong = None, ""
            try:
                if address.strip():
                    reason = suppressions.is_suppressed(connection, address.strip(), key=hall.suppression_key)
            except DigestError as error:
                wrong = str(error)
        return desk.page(
            request,
            "suppressions.html",
            newest=newest,
            counts=counts,
            address=address.strip(),
            reason=reason,
            wrong=wrong,
        )

    @desk.post("/suppressions/lift", role=Role.ADMIN)
    def lift(
        request: Request, address: Annotated[str, Form()] = "", why: Annotated[str, Form()] = ""
    ) -> Response:
        """Let an address subscribe again after a new consent; the audit keeps why."""
        if not why.strip():
            return desk.back("/suppressions", "Say why: the audit keeps it as the reader's new consent.")
        try:
            with hall.database.write() as connection:
                done = suppressions.lift(
                    connection,
                    address.strip(),
                    key=hall.suppression_key,
                    evidence=why.strip(),
                    now=hall.clock(),
                    actor=who_of(request).name,
                )
        except DigestError as error:
            return desk.back("/suppressions", str(error))
        return desk.back("/suppressions", _lifted(done, is_sendgrid=hall.settings.sender == "sendgrid"))

    @desk.get("/audit")
    def audit_log(request: Request, subject: str = "", before: int | None = None) -> Response:
        """Who did what, newest first."""
        with hall.database.read() as connection:
            lines = queries.audit_lines(connection, subject=subject, before=before)
        more = lines[-1].id if len(lines) == queries.PAGE else None
        return desk.page(request, "audit.html", lines=lines, subject=subject, more=more)

    @desk.get("/operators", role=Role.ADMIN)
    def people(request: Request) -> Response:
        """Every account."""
        with hall.database.read() as connection:
            found = operators.all_operators(connection)
        return desk.page(request, "operators.html", found=found, roles=list(Role))

    @desk.post("/operators", role=Role.ADMIN)
    def add(
        request: Request,
        name: Annotated[str, Form()],
        password: Annotated[str, Form()],
        role: Annotated[Role, Form()] = Role.VIEWER,
    ) -> Response:
        """A new account."""
        try:
            accounts.add(
                hall.database,
                name.strip(),
                role=role,
                password=password,
                actor=who_of(request).name,
                now=hall.clock(),
            )
        except DigestError as error:
            return desk.back("/operators", str(error))
        return desk.back("/operators", f"{name.strip()} may sign in as {role.value}.")

    @desk.post("/operators/{name}", role=Role.ADMIN)
    def change(
        request: Request,
        name: str,
        role: Annotated[Role, Form()],
        disabled: Annotated[bool, Form()] = False,
    ) -> Response:
        """Another role, shut out, or let in again; their browsers are signed out."""
        if name == who_of(request).name:
            return desk.back("/operators", "Nobody changes their own account: ask another admin.")
        accounts.change(
            hall.database,
            name,
            role=role,
            is_disabled=disabled,
            actor=who_of(request).name,
            now=hall.clock(),
        )
        return desk.back("/operators", f"{name} is changed and signed out everywhere.")


def _lifted(is_done: bool, *, is_sendgrid: bool) -> str:
    if not is_done:
        return "Nothing stands against that address."
    also = " Take it off SendGrid's own lists too: they drop letters to it." if is_sendgrid else ""
    return f"The address may subscribe again.{also}"
