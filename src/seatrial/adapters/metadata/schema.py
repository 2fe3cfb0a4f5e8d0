"""The tables of the metadata store. Times are ISO 8601 text in UTC, which sorts and reads back exactly."""

import sqlalchemy as sa

# SQLite counts only an INTEGER primary key up by itself.
_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

METADATA = sa.MetaData()

RECORDS = sa.Table(
    "records",
    METADATA,
    sa.Column("seq", _COUNTED, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("first_at", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "product", "id", name="records_address"),
    sa.Index("records_order", "kind", "product", "seq"),
)

LOGBOOK = sa.Table(
    "logbook",
    METADATA,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Index("logbook_product", "product", "seq"),
)

LEASES = sa.Table(
    "leases",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
)
