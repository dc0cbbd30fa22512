-- A key with `events:write` could read events, too, and so for every area; now a scope allows what it says. Keys that
-- exist keep what they can do: it is written down. To the version before it says nothing new.
UPDATE api_keys SET scopes = ARRAY(
  SELECT scope FROM unnest(scopes) AS scope
  UNION
  SELECT split_part(scope, ':', 1) || ':read' FROM unnest(scopes) AS scope WHERE scope LIKE '%:write'
  ORDER BY scope
)
WHERE EXISTS (SELECT FROM unnest(scopes) AS scope WHERE scope LIKE '%:write');
