-- The instances of rooms: `incarnations` was their old name.
ALTER TABLE incarnations RENAME TO room_instances;
DROP INDEX incarnations_room;
CREATE INDEX room_instances_room ON room_instances (room);
