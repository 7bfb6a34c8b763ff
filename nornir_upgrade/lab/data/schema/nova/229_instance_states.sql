UPDATE instances SET locked_by = 'owner' WHERE locked;
UPDATE instances SET vm_state = 'stopped' WHERE vm_state = 'shutoff';
