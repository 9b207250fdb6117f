"""One table of options, and the settings read from digest.toml and the environment.

Enters: the path or text of a digest.toml and a mapping of variables, both given by the entrance. Leaves:
frozen `Settings`, the table of options, a commented default file. Must never: look for files or variables by
itself, guess at an unknown key, or show a secret.

Every option is also ``DIGEST_<SECTION>__<NAME>`` (top-level ones
``DIGEST_<NAME>``), which wins over the file.
"""

from digest.settings.options import Settings
from digest.settings.reading import load_settings
from digest.settings.table import Row, settings_table, settings_toml

__all__ = ["Row", "Settings", "load_settings", "settings_table", "settings_toml"]
