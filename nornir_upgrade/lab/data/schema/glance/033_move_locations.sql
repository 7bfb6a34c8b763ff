INSERT IGNORE INTO image_locations (image_id, value, status)
  SELECT id, location, IF(status = 'deleted', 'deleted', 'active') FROM images;
UPDATE images SET virtual_size = size WHERE disk_format = 'raw';
