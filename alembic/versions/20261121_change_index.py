"""change index."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The words of each document, already cut and in small letters. The one thing that both kinds of database need to
# do by themselves is to forget the words of a document that is gone, for rows also go with their organization.
WORDS = {
    "sqlite": (
        "CREATE VIRTUAL TABLE change_words USING fts5"
        "(organization, title, near, body, prefix='2 3', tokenize='unicode61 remove_diacritics 0')",
        "CREATE TRIGGER change_document_gone AFTER DELETE ON change_document "
        "BEGIN DELETE FROM change_words WHERE rowid = old.id; END",
    ),
    "postgresql": (
        "CREATE TABLE change_words (id BIGINT PRIMARY KEY REFERENCES change_document ON DELETE CASCADE, words TSVECTOR NOT NULL)",
        "CREATE INDEX ix_change_words_words ON change_words USING gin (words)",
    ),
}


def upgrade() -> None:
    op.create_table(
        "watched_repository",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host_url", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.Column("known_since", sa.BigInteger(), nullable=True),
        sa.Column("poll_at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column("webhook_at", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_watched_repository_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched_repository")),
        sa.UniqueConstraint("organization_id", "host_url", "path", name="uq_watched_repository_path"),
    )
    with op.batch_alter_table("watched_repository", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_watched_repository_poll_at"), ["poll_at"], unique=False)
    op.create_table(
        "webhook_delivery",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_webhook_delivery_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("organization_id", "kind", "delivery_id", name="uq_webhook_delivery_id"),
    )
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_delivery_received", ["organization_id", "received_at"], unique=False)
    op.create_table(
        "webhook_secret",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("secret_sealed", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_webhook_secret_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secret")),
    )
    with op.batch_alter_table("webhook_secret", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_secret_kind"), ["kind"], unique=False)

    op.create_table(
        "change_document",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pull_request_id", sa.Uuid(), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=False),
        sa.Column("host_url", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("labels", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_change_document_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_request.id"],
            name=op.f("fk_change_document_pull_request_id_pull_request"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_document")),
        sa.UniqueConstraint("pull_request_id", name=op.f("uq_change_document_pull_request_id")),
    )
    with op.batch_alter_table("change_document", schema=None) as batch_op:
        batch_op.create_index("ix_change_document_merged", ["organization_id", "merged_at", "pull_request_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        columns = ["pull_request_id", "path", "old_path", "organization_id"]
        op.create_index("ix_pull_request_file_path", "pull_request_file", columns, unique=False)
    for statement in WORDS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE change_words")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_pull_request_file_path", table_name="pull_request_file")
    op.drop_table("change_document")
    op.drop_table("webhook_secret")
    op.drop_table("webhook_delivery")
    op.drop_table("watched_repository")
