INSERT IGNORE INTO volume_attachment (volume_id, instance_uuid)
  SELECT id, instance_uuid FROM volumes WHERE instance_uuid IS NOT NULL;
UPDATE volumes SET replication_status = 'disabled';
