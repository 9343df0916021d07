-- The instances of rooms: `incarnations` was their old name.
ALTER TABLE incarnations RENAME TO room_instances;
ALTER INDEX incarnations_room RENAME TO room_instances_room;
