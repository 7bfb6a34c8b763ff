CREATE TABLE IF NOT EXISTS image_locations (
  image_id CHAR(36) PRIMARY KEY,
  value TEXT NOT NULL,
  status VARCHAR(30) NOT NULL DEFAULT 'active'
);
ALTER TABLE images ADD COLUMN IF NOT EXISTS virtual_size BIGINT;
