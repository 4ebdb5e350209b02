DROP INDEX IF EXISTS events_by_operators;
--bun:split
DROP INDEX IF EXISTS events_actor_id;
--bun:split
DROP INDEX IF EXISTS events_kind;
