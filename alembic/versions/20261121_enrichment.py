"""enrichment."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pull_request",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host_url", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("labels", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("base_branch", sa.String(), nullable=False),
        sa.Column("head_sha", sa.String(), nullable=False),
        sa.Column("merge_sha", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=True),
        sa.Column("learned_at", sa.BigInteger(), nullable=False),
        sa.Column("has_files", sa.Boolean(), nullable=False),
        sa.Column("has_all_files", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_pull_request_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pull_request")),
        sa.UniqueConstraint("organization_id", "host_url", "repository", "number", name="uq_pull_request_number"),
    )
    with op.batch_alter_table("pull_request", schema=None) as batch_op:
        batch_op.create_index("ix_pull_request_merged", ["organization_id", "merged_at", "id"], unique=False)
    op.create_table(
        "pull_request_file",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("pull_request_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("old_path", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("relevance", sa.Float(), nullable=False),
        sa.Column("patch", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_pull_request_file_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_request.id"],
            name=op.f("fk_pull_request_file_pull_request_id_pull_request"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pull_request_id", "position", name=op.f("pk_pull_request_file")),
    )
    op.create_table(
        "enriched_commit",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("deploy_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("authored_at", sa.BigInteger(), nullable=True),
        sa.Column("committed_at", sa.BigInteger(), nullable=True),
        sa.Column("is_merge", sa.Boolean(), nullable=False),
        sa.Column("is_taken_out", sa.Boolean(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("pull_request_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["deploy_id"], ["deploy.id"], name=op.f("fk_enriched_commit_deploy_id_deploy"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_enriched_commit_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_request.id"],
            name=op.f("fk_enriched_commit_pull_request_id_pull_request"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("deploy_id", "position", name=op.f("pk_enriched_commit")),
    )
    with op.batch_alter_table("enriched_commit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enriched_commit_pull_request_id"), ["pull_request_id"], unique=False)
        batch_op.create_index("ix_enriched_commit_sha", ["organization_id", "sha"], unique=False)
    op.create_table(
        "enriched_file",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("deploy_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("old_path", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("relevance", sa.Float(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.Column("patch", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["deploy_id"], ["deploy.id"], name=op.f("fk_enriched_file_deploy_id_deploy"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_enriched_file_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deploy_id", "position", name=op.f("pk_enriched_file")),
    )
    op.create_table(
        "enriched_pull_request",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("deploy_id", sa.Uuid(), nullable=False),
        sa.Column("pull_request_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deploy_id"], ["deploy.id"], name=op.f("fk_enriched_pull_request_deploy_id_deploy"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_enriched_pull_request_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pull_request_id"],
            ["pull_request.id"],
            name=op.f("fk_enriched_pull_request_pull_request_id_pull_request"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deploy_id", "pull_request_id", name=op.f("pk_enriched_pull_request")),
    )
    with op.batch_alter_table("enriched_pull_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enriched_pull_request_pull_request_id"), ["pull_request_id"], unique=False)
    op.create_table(
        "enrichment",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("deploy_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("host_url", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("base_sha", sa.String(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("total_commits", sa.Integer(), nullable=False),
        sa.Column("has_all_files", sa.Boolean(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("again_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["deploy_id"], ["deploy.id"], name=op.f("fk_enrichment_deploy_id_deploy"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("fk_enrichment_organization_id_organization"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deploy_id", name=op.f("pk_enrichment")),
    )
    with op.batch_alter_table("enrichment", schema=None) as batch_op:
        batch_op.create_index("ix_enrichment_state", ["organization_id", "state", "tried_at"], unique=False)


def downgrade() -> None:
    op.drop_table("enrichment")
    op.drop_table("enriched_pull_request")
    op.drop_table("enriched_file")
    op.drop_table("enriched_commit")
    op.drop_table("pull_request_file")
    op.drop_table("pull_request")
