CREATE INDEX IF NOT EXISTS ix_user_domain ON users (domain_id);
