-- all --
SELECT name, history_size, history_seconds, subscribe_roles, publish_roles, has_presence, changed_at
FROM realtime_namespaces ORDER BY name

-- put --
INSERT INTO realtime_namespaces
  (name, history_size, history_seconds, subscribe_roles, publish_roles, has_presence, changed_at)
VALUES (%(name)s, %(history_size)s, %(history_seconds)s, %(subscribe_roles)s, %(publish_roles)s, %(has_presence)s, now())
ON CONFLICT (name) DO UPDATE SET
  history_size = excluded.history_size, history_seconds = excluded.history_seconds,
  subscribe_roles = excluded.subscribe_roles, publish_roles = excluded.publish_roles,
  has_presence = excluded.has_presence, changed_at = excluded.changed_at
RETURNING name, history_size, history_seconds, subscribe_roles, publish_roles, has_presence, changed_at

-- delete --
DELETE FROM realtime_namespaces WHERE name = %(name)s

-- count --
SELECT count(*) FROM realtime_namespaces
