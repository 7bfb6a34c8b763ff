ALTER TABLE instances
  ADD COLUMN IF NOT EXISTS locked_by ENUM('owner', 'admin'),
  ADD COLUMN IF NOT EXISTS ephemeral_key_uuid CHAR(36);
