CREATE TABLE IF NOT EXISTS volumes (
  id CHAR(36) PRIMARY KEY,
  display_name VARCHAR(255) NOT NULL,
  size INT NOT NULL,
  status VARCHAR(255) NOT NULL,
  instance_uuid CHAR(36)
);
