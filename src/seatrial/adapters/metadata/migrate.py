"""Bring a store to the schema that this version of Seatrial uses."""

import sqlalchemy as sa

from seatrial.errors import SettingsInvalid

SCHEMA = "0001"
_HERE = "seatrial.adapters.metadata:migrations"


def migrate(engine: sa.Engine) -> None:
    """The store at schema `SCHEMA`, afterwards. Raises SettingsInvalid for one made by a newer version."""
    if stored_schema(engine) != SCHEMA:
        # The transaction serialises processes that start together; the second one finds nothing to do.
        with engine.begin() as connection:
            _upgrade(connection)


def stored_schema(engine: sa.Engine) -> str | None:
    """The schema version of a store, by two quick queries; None when it is new."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return str(connection.scalar(sa.text("SELECT version_num FROM alembic_version")))


def _upgrade(connection: sa.Connection) -> None:
    # Alembic takes half a second to import, which only a store that is not up to date has to pay.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _HERE)
    config.set_main_option("path_separator", "os")
    try:
        command.upgrade(config, SCHEMA)
    except CommandError as error:
        url = connection.engine.url.render_as_string(hide_password=True)
        problem = (
            f"{url} has a newer schema than {SCHEMA}: {error}; install the version of Seatrial that made it"
        )
        raise SettingsInvalid([problem], name="metadata store") from error
