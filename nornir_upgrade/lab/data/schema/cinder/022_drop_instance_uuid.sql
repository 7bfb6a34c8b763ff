ALTER TABLE volumes DROP COLUMN IF EXISTS instance_uuid;
