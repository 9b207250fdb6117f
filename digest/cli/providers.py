"""`digest serve`, where providers post, and `digest fake-sendgrid`, a provider on this machine."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from digest.cli.entrance import FAILED, Entrance, say
from digest.errors import UsageError


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.command("fake-sendgrid")(fake_sendgrid)
    app.command("serve")(serve)


def fake_sendgrid(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes any free one.")
    ] = 8025,
    faults: Annotated[
        float, typer.Option(help="Share of requests that go wrong at random, each in one of many ways.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed, the same faults.")] = 0,
    webhook: Annotated[
        str | None,
        typer.Option(help="Where to post signed events, as http://127.0.0.1:8000/webhooks/sendgrid"),
    ] = None,
) -> None:
    """Answer like SendGrid and mail nobody; stop it with Ctrl-C.

    Example: digest fake-sendgrid --port 8025 --faults 0.2
    """
    if not 0 <= faults <= 1:
        raise UsageError(f"--faults {faults} is no share: write 0.2 for every fifth request")
    from digest.deliver.fake_sendgrid import Account, serve
    from digest.settings.values import web_address

    if webhook is not None:
        try:
            web_address(webhook)
        except ValueError as error:
            raise UsageError(
                f"--webhook {webhook!r} is no http or https address: "
                "write it as http://127.0.0.1:8000/webhooks/sendgrid"
            ) from error

    account = Account(seed=seed)
    account.faults.probability = faults
    try:
        fake = serve(port, account=account, webhook_url=webhook)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used ({error.strerror}): give another --port") from error
    with fake:
        typer.echo(fake.url)
        say("point your settings at it: ")
        say('  sender = "sendgrid"')
        say("  [sendgrid]")
        say(f'  base_url = "{fake.url}"')
        say('  api_key = "SG.fake"')
        say(f'  webhook_public_key = "{account.key.public}"')
        say(f"what it would have mailed: {fake.url}/__fake/outbox; Ctrl-C ends it")
        fake.wait()


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Answer over HTTP: pages, API, webhook and desk; letters that pages ask for leave at once.

    Example: digest serve --port 8000
    """
    import uvicorn

    from digest.web.app import create_app
    from digest.web.listening import listening

    entrance: Entrance = context.obj
    with entrance.hall(runs_on=True) as hall, listening(host, port) as listener:
        hall.database.require_current()
        # A studio that is open listens for changes and would never let go by itself.
        config = uvicorn.Config(create_app(hall), log_level="warning", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        shown = f"[{host}]" if ":" in host else host
        say(f"Pages, API and desk: http://{shown}:{listener.getsockname()[1]}   (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        if not server.started:
            raise SystemExit(FAILED)
