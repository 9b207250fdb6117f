"""The preview studio as a server of this machine: started, shown, ended with Ctrl-C."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from digest.cli.entrance import Entrance, say
from digest.errors import UsageError


def open_studio(entrance: Entrance, *, port: int, watched: tuple[Path, ...], opens_browser: bool) -> None:
    """Serve the studio on the loopback until somebody ends it. Raises: UsageError."""
    import uvicorn

    from digest.web.app import create_preview_app
    from digest.web.listening import listening

    for folder in watched:
        if not folder.is_dir():
            raise UsageError(f"--watch {folder}: there is no such folder")
    with listening("127.0.0.1", port) as listener, entrance.hall(runs_on=True) as hall:
        hall.database.require_current()
        app = create_preview_app(hall, watched=watched)
        address = (
            f"http://localhost:{listener.getsockname()[1]}{_root(hall.publication.base_url)}/operator/studio"
        )
        say(f"The studio: {address}   (Ctrl-C ends it)")
        if opens_browser:
            webbrowser.open(address)
        config = uvicorn.Config(
            app, log_level="warning", proxy_headers=False, timeout_graceful_shutdown=2, ws="none"
        )
        uvicorn.Server(config).run(sockets=[listener])


def _root(base_url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(base_url).path.rstrip("/")
