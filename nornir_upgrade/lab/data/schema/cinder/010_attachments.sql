CREATE TABLE IF NOT EXISTS volume_attachment (
  volume_id CHAR(36) PRIMARY KEY,
  instance_uuid CHAR(36) NOT NULL
);
ALTER TABLE volumes ADD COLUMN IF NOT EXISTS replication_status VARCHAR(255) NOT NULL DEFAULT 'unknown';
