-- lock --
-- Each check continues from the one before, so checks are serialised.
SELECT pg_advisory_xact_lock(hashtextextended('ogel alerts', 0))

-- all --
SELECT name, subject, level, raised, is_over, streak, since, value, threshold, checked_by FROM alerts

-- write --
INSERT INTO alerts AS a (name, subject, level, raised, is_over, streak, since, value, threshold, checked_by)
SELECT name, subject, level, raised, is_over, streak, since, value, threshold, checked_by
FROM json_to_recordset(%(rows)s::json) AS r (
  name text, subject text, level text, raised boolean, is_over boolean, streak integer, since timestamptz,
  value float8, threshold float8, checked_by text
)
ON CONFLICT (name, subject) DO UPDATE SET level = excluded.level, raised = excluded.raised, is_over = excluded.is_over,
  streak = excluded.streak, since = excluded.since, value = excluded.value, threshold = excluded.threshold,
  checked_by = excluded.checked_by

-- forget --
DELETE FROM alerts AS a USING json_to_recordset(%(rows)s::json) AS r (name text, subject text)
WHERE a.name = r.name AND a.subject = r.subject
