ALTER TABLE networks CHANGE COLUMN IF EXISTS admin_state_up admin_state VARCHAR(8) NOT NULL;
UPDATE networks SET admin_state = IF(admin_state = '1', 'UP', 'DOWN') WHERE admin_state IN ('0', '1');
ALTER TABLE ports ADD COLUMN IF NOT EXISTS vif_type VARCHAR(64) NOT NULL DEFAULT 'unbound';
UPDATE ports SET vif_type = 'ovs' WHERE device_owner LIKE 'compute:%';
