"""What Alembic runs: the migrations, in the transaction that `migrate` has begun."""

from alembic import context

from seatrial.adapters.metadata.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
