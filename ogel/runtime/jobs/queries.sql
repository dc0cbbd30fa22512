-- enqueue --
-- Writes jobs; one whose dedupe key is already waiting is skipped. Returns what was written. A condition may stand before
-- its order: which events cause them.
-- One that a runner has a place for is written as claimed by it, where `claim_few` would take it, too. Its lease begins when
-- it is written: the transaction may be older than a lease is long.
INSERT INTO job_queue
  (id, queue_name, kind, payload, priority, key, order_key, max_attempts, scheduled_at, dedupe_key, keep_result_seconds,
   status, attempts, lease_id, leased_until, claimed_at)
SELECT id, queue_name, kind, payload, priority, key, order_key, max_attempts, coalesce(scheduled_at, now()), dedupe_key,
       keep_result_seconds, CASE WHEN is_taken THEN 'running' ELSE 'pending' END, is_taken::int,
       CASE WHEN is_taken THEN lease_id END,
       CASE WHEN is_taken THEN clock_timestamp() + make_interval(secs => lease_seconds) END,
       CASE WHEN is_taken THEN now() END
FROM ROWS FROM (json_to_recordset(%%(jobs)s::json) AS (
  event_id text, id text, queue_name text, kind text, payload jsonb, priority smallint, key text, order_key text,
  max_attempts int, scheduled_at timestamptz, dedupe_key text, keep_result_seconds float8, lease_id text,
  lease_seconds float8, place int
)) WITH ORDINALITY AS new (
  event_id, id, queue_name, kind, payload, priority, key, order_key, max_attempts, scheduled_at, dedupe_key,
  keep_result_seconds, lease_id, lease_seconds, place, position
)
CROSS JOIN LATERAL (
  SELECT lease_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM job_keys AS k WHERE k.key = new.key AND (
      k.held OR coalesce(k.resume_at > now(), false) OR coalesce(k.ramp_until > now(), false)
      OR k.probe_at IS NOT NULL OR k.rate_per_second IS NOT NULL
      OR place > coalesce(k.key_limit, %%(default_key_limit)s)
    )
  ) AND NOT EXISTS (SELECT FROM paused_queues WHERE name = queue_name) AS is_taken
) AS t%b
ORDER BY position
ON CONFLICT DO NOTHING
RETURNING id, queue_name, lease_id

-- enqueued_in --
SELECT DISTINCT 'queue', queue_name FROM enqueued WHERE lease_id IS NULL
UNION ALL
SELECT 'taken', id FROM enqueued WHERE lease_id IS NOT NULL

-- enqueue_made --
-- Each row of the piece `made` is a job.
INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts)
SELECT id, %(made_queue)s, %(made_kind)s, payload, %(made_attempts)s FROM made
RETURNING queue_name

-- enqueued_made_in --
SELECT DISTINCT 'queue', queue_name FROM enqueued_made

-- enqueue_dead --
INSERT INTO job_queue (id, queue_name, kind, payload, status, max_attempts, dedupe_key, last_error, processed_at)
VALUES (%(id)s, %(queue)s, %(kind)s, %(payload)s::jsonb, 'dead', 8, %(dedupe_key)s, %(error)s, now())

-- claim --
-- Leases up to `limit` due jobs of one queue: lower priorities first, and of one key and priority the oldest first. It steps
-- from key to key (and, among ordered jobs, from order to order) down the index, `most_steps` at a time, beginning
-- after where the last claim stopped: a backlog that may not run costs one step, whatever its length. The rows of keys
-- under a rate limit, a ramp or an open breaker are locked, so that all workers together keep to them.
-- Of a paused queue it sees nothing. The first row is about the claim itself.
WITH RECURSIVE walk AS (
  SELECT key, order_key, 1 AS step, order_key AS after_order FROM (
    (SELECT key, order_key FROM job_queue
     WHERE queue_name = %(queue)s AND status IN ('pending', 'running') AND %(after_key)s::text IS NULL
     ORDER BY key, order_key LIMIT 1)
    UNION ALL
    (SELECT key, order_key FROM job_queue
     WHERE queue_name = %(queue)s AND status IN ('pending', 'running')
       AND (key, order_key) > (%(after_key)s::text, %(after_order)s::text)
     ORDER BY key, order_key LIMIT 1)
  ) AS start
  WHERE NOT EXISTS (SELECT FROM paused_queues WHERE name = %(queue)s)
  UNION ALL
  SELECT next.key, next.order_key, walk.step + 1,
         -- Of an ordered key that may not run at all, one order is enough: the next step is past all of them.
         CASE WHEN next.order_key <> '' AND EXISTS (
           SELECT FROM job_keys AS k
           WHERE k.key = next.key AND (k.held OR k.resume_at > now() OR k.probe_at > now())
         ) THEN chr(1114111) ELSE next.order_key END
  FROM walk CROSS JOIN LATERAL (
    SELECT key, order_key
    FROM job_queue
    WHERE queue_name = %(queue)s AND status IN ('pending', 'running')
      AND (key, order_key) > (walk.key, walk.after_order)
    ORDER BY key, order_key LIMIT 1
  ) AS next
  WHERE walk.step < %(most_steps)s
),
metered AS MATERIALIZED (
  SELECT key, probe_at, probe_seconds, greatest(spent_until, now()) AS spent_until,
         nullif(least(ramp, rate_per_second), 'infinity') AS rate,
         CASE WHEN ramp < coalesce(rate_per_second, 'infinity') THEN greatest(1, ramp / 4) ELSE rate_burst END AS burst
  FROM job_keys CROSS JOIN LATERAL (
    -- A recovered key starts at 20 a second and doubles every 2 s up to 500, so that its backlog leaves the others
    -- their share of the machine.
    SELECT CASE WHEN ramp_until > now()
                THEN least(500, 20 * 2 ^ (extract(epoch FROM now() - ramp_from)::float8 / 2))
                ELSE 'infinity' END AS ramp
  ) AS r
  WHERE key IN (SELECT key FROM walk) AND NOT held AND coalesce(resume_at, now()) <= now()
    AND (probe_at IS NOT NULL OR rate_per_second IS NOT NULL OR ramp < 'infinity')
  FOR UPDATE OF job_keys SKIP LOCKED
),
rooms AS MATERIALIZED (
  SELECT key, k.key_limit, key <> '' AND known.key IS NULL AS is_new, is_contended,
         CASE WHEN NOT k.held THEN greatest(k.resume_at, probing.probe_at) END AS opens_at,
         CASE WHEN key = '' THEN %(limit)s
              WHEN k.held OR k.resume_at > now() OR probing.probe_at > now() THEN 0
              WHEN is_contended THEN 0
              WHEN probing.probe_at IS NOT NULL THEN 1
              ELSE least(
                least(coalesce(known.cap, %(new_key_share)s), coalesce(k.key_limit, %(default_limit)s))
                  - coalesce(known.busy, 0),
                floor(m.burst - extract(epoch FROM m.spent_until - now())::float8 * m.rate)::int
              )
         END AS room,
         -- A probe need not be due: the breaker made it wait, not the retry schedule.
         CASE WHEN probing.probe_at IS NOT NULL THEN timestamptz 'infinity' ELSE now() END AS due_before
  FROM (SELECT DISTINCT key FROM walk) AS seen
  LEFT JOIN job_keys AS k USING (key)
  LEFT JOIN metered AS m USING (key)
  LEFT JOIN unnest(%(known_keys)s::text[], %(caps)s::int[], %(busy)s::int[]) AS known (key, cap, busy) USING (key)
  CROSS JOIN LATERAL (
    -- It may run and is metered, and yet its row was not ours to lock: another worker is claiming of it.
    SELECT coalesce(
      m.key IS NULL AND NOT k.held AND coalesce(k.resume_at, now()) <= now()
        AND (coalesce(k.probe_at <= now(), false) OR k.rate_per_second IS NOT NULL OR k.ramp_until > now()),
      false
    ) AS is_contended
  ) AS c
  CROSS JOIN LATERAL (
    -- What the locked row says counts: another worker may have probed since we began to look.
    SELECT CASE WHEN m.key IS NULL THEN k.probe_at ELSE m.probe_at END AS probe_at
  ) AS probing
),
open AS MATERIALIZED (
  SELECT key, order_key, room, is_new, due_before FROM walk JOIN rooms USING (key) WHERE room > 0 ORDER BY step
),
unordered AS MATERIALIZED (
  SELECT due.* FROM unnest('{-1,0,1,2,3}'::smallint[]) AS priorities (priority) CROSS JOIN LATERAL (
    SELECT job.*, open.room, open.is_new FROM open CROSS JOIN LATERAL (
      SELECT id, key, order_key, priority
      FROM job_queue
      WHERE queue_name = %(queue)s AND key = open.key AND order_key = '' AND priority = priorities.priority
        AND status IN ('pending', 'running') AND coalesce(leased_until, scheduled_at) <= open.due_before
        AND (status = 'pending' OR leased_until <= now()) AND id <> ALL (%(not_ids)s::text[])
      ORDER BY coalesce(leased_until, scheduled_at)
      LIMIT open.room
      FOR UPDATE SKIP LOCKED
    ) AS job
    WHERE open.order_key = ''
    LIMIT %(limit)s
  ) AS due
  LIMIT %(limit)s
),
ordered AS MATERIALIZED (
  SELECT job.*, open.room, open.is_new FROM open CROSS JOIN LATERAL (
    -- The first that is unfinished; the lock is asked for afterwards, or a locked first would be passed over.
    SELECT id FROM job_queue
    WHERE queue_name = %(queue)s AND key = open.key AND order_key = open.order_key AND order_key <> ''
      AND status IN ('pending', 'running')
    ORDER BY seq LIMIT 1
  ) AS first CROSS JOIN LATERAL (
    SELECT id, key, order_key, priority
    FROM job_queue
    WHERE id = first.id AND status IN ('pending', 'running') AND coalesce(leased_until, scheduled_at) <= open.due_before
      AND (status = 'pending' OR leased_until <= now()) AND id <> ALL (%(not_ids)s::text[])
    FOR UPDATE SKIP LOCKED
  ) AS job
  WHERE open.order_key <> ''
  LIMIT %(limit)s
),
candidates AS MATERIALIZED (
  SELECT *, row_number() OVER (PARTITION BY key ORDER BY priority) AS place_in_key
  FROM (SELECT * FROM unordered UNION ALL SELECT * FROM ordered) AS due
  ORDER BY priority
  LIMIT %(limit)s
),
chosen AS MATERIALIZED (
  -- New keys have so many places together, and their firsts come before their seconds.
  SELECT id, key FROM (
    SELECT *, row_number() OVER (PARTITION BY is_new ORDER BY place_in_key) AS place_among_new FROM candidates
  ) AS placed
  WHERE place_in_key <= room AND (NOT is_new OR place_in_key = 1 OR place_among_new <= %(new_keys_together)s)
),
used AS MATERIALIZED (SELECT key, count(*)::float8 AS jobs FROM chosen GROUP BY key),
claimed AS (
  UPDATE job_queue AS j
  SET status = 'running', attempts = j.attempts + 1, lease_id = %(lease)s, claimed_at = now(),
      lost_claims = CASE WHEN j.status = 'running' THEN array_append(j.lost_claims, j.claimed_at) ELSE j.lost_claims END,
      leased_until = now() + make_interval(secs => %(lease_seconds)s)
  FROM chosen
  WHERE j.id = chosen.id
  RETURNING j.id, j.kind, j.payload, j.priority, j.key, j.order_key, j.attempts, j.max_attempts, j.lease_id, j.scheduled_at,
            j.claimed_at, j.lost_claims, j.cancelled_at IS NOT NULL AS is_cancelled
),
spent AS (
  UPDATE job_keys AS k
  SET probe_at = CASE WHEN k.probe_at IS NOT NULL THEN now() + make_interval(secs => k.probe_seconds) END,
      spent_until = m.spent_until + make_interval(secs => coalesce(used.jobs / m.rate, 0))
  FROM metered AS m JOIN used USING (key)
  WHERE k.key = m.key
)
SELECT NULL AS id, NULL AS kind, NULL AS payload, NULL AS priority, NULL AS key, NULL AS order_key, NULL AS attempts,
       NULL AS max_attempts, NULL AS lease_id, NULL AS scheduled_at, NULL AS claimed_at, NULL AS lost_claims,
       NULL AS is_cancelled, NULL AS key_limit,
       json_build_object(
         'seen', (SELECT count(*) FROM candidates),
         'filled_one', (SELECT count(*) FROM chosen) < (SELECT count(*) FROM candidates)
           OR coalesce((SELECT bool_or(used.jobs >= rooms.room) FROM used JOIN rooms USING (key)), false),
         'steps', (SELECT count(*) FROM walk),
         'last_step', (SELECT array[key, after_order] FROM walk ORDER BY step DESC LIMIT 1),
         'last_served', (SELECT array[key, order_key] FROM candidates ORDER BY key DESC, order_key DESC LIMIT 1),
         -- Rows that were another's while we looked are free in a moment.
         'was_contended', (SELECT coalesce(bool_or(is_contended), false) FROM rooms),
         'opens_in', (SELECT extract(epoch FROM min(opens_at) - now())::float8 FROM (
            SELECT opens_at FROM rooms
            UNION ALL
            SELECT m.spent_until + make_interval(secs => (coalesce(used.jobs, 0) - m.burst + 1) / m.rate)
            FROM metered AS m LEFT JOIN used USING (key)
          ) AS later WHERE opens_at > now())
       ) AS about
UNION ALL
SELECT claimed.*, rooms.key_limit, NULL FROM claimed LEFT JOIN rooms USING (key)

-- claim_few --
-- What `claim` would take where all that is due is `few` jobs or fewer, none of them in an order or left by a worker that
-- disappeared, and no key of theirs is full or has anything but a limit said about it. Where more is to be weighed it takes
-- nothing: `is_little` is false. The one row without a job says that, and stands alone.
WITH due AS MATERIALIZED (
  SELECT j.id, j.key, k.key_limit,
         j.status <> 'pending' OR j.order_key <> ''
         OR coalesce(k.held OR k.resume_at > now() OR k.ramp_until > now(), false)
         OR k.probe_at IS NOT NULL OR k.rate_per_second IS NOT NULL
         OR (j.key <> '' AND coalesce(known.busy, 0) + count(*) OVER (PARTITION BY j.key)
             > least(coalesce(known.cap, %(new_key_share)s), coalesce(k.key_limit, %(default_limit)s))) AS is_special
  FROM (
    SELECT id, key, order_key, status FROM job_queue
    WHERE queue_name = %(queue)s AND status IN ('pending', 'running') AND greatest(leased_until, scheduled_at) <= now()
      AND NOT EXISTS (SELECT FROM paused_queues WHERE name = %(queue)s)
    ORDER BY greatest(leased_until, scheduled_at) LIMIT %(few)s::int + 1
  ) AS j
  LEFT JOIN job_keys AS k USING (key)
  LEFT JOIN unnest(%(known_keys)s::text[], %(caps)s::int[], %(busy)s::int[]) AS known (key, cap, busy) USING (key)
),
about AS MATERIALIZED (
  SELECT count(*) <= %(few)s::int AND NOT coalesce(bool_or(is_special), false) AS is_little FROM due
),
chosen AS MATERIALIZED (
  SELECT id FROM job_queue
  WHERE id = ANY (ARRAY (SELECT id FROM due WHERE (SELECT is_little FROM about)))
    AND status = 'pending' AND scheduled_at <= now()
  FOR UPDATE SKIP LOCKED
),
claimed AS (
  UPDATE job_queue AS j
  SET status = 'running', attempts = j.attempts + 1, lease_id = %(lease)s, claimed_at = now(),
      leased_until = now() + make_interval(secs => %(lease_seconds)s)
  FROM chosen
  WHERE j.id = chosen.id
  RETURNING j.id, j.kind, j.payload, j.priority, j.key, j.order_key, j.attempts, j.max_attempts, j.lease_id, j.scheduled_at,
            j.claimed_at, j.lost_claims, j.cancelled_at IS NOT NULL AS is_cancelled
)
SELECT claimed.*, due.key_limit, is_little
FROM about LEFT JOIN (claimed JOIN due USING (id)) ON true

-- seconds_to_next --
-- How long until something more of this queue is due; null when nothing is. What is due already may not run yet.
SELECT extract(epoch FROM min(greatest(leased_until, scheduled_at)) - now())::float8
FROM job_queue
WHERE queue_name = %(queue)s AND status IN ('pending', 'running') AND greatest(leased_until, scheduled_at) > now()

-- renew --
-- Keeps the leases of claims that still have jobs in flight. A job that is locked is being finished, in an order of its
-- own: to wait for it would end in a deadlock.
UPDATE job_queue SET leased_until = now() + make_interval(secs => %(lease_seconds)s)
WHERE id IN (
  SELECT id FROM job_queue WHERE status = 'running' AND id = ANY (%(ids)s) AND lease_id = ANY (%(leases)s)
  FOR UPDATE SKIP LOCKED
)

-- lost_leases --
-- Jobs that another claim, or nobody, holds now.
SELECT id FROM unnest(%(ids)s::text[]) AS mine (id)
WHERE NOT EXISTS (SELECT FROM job_queue AS j WHERE j.id = mine.id AND j.lease_id = ANY (%(leases)s))

-- end --
-- The piece `ended`: jobs that are over leave; only the claim that holds a job may finish it.
DELETE FROM job_queue AS j
USING json_to_recordset(%(ended)s::json) AS r (id text, lease_id text, status text, result json)
WHERE j.id = r.id AND j.lease_id = r.lease_id
RETURNING j.id, j.lease_id, j.queue_name, j.kind, j.payload, r.status, j.attempts, r.result, j.created_at,
          j.keep_result_seconds

-- keep --
-- A piece: what somebody asked to keep of those that `ended` is kept.
INSERT INTO job_results (id, queue_name, kind, status, attempts, result, created_at, expires_at)
SELECT id, queue_name, kind, coalesce(status, 'done'), attempts, result, created_at,
       now() + make_interval(secs => keep_result_seconds)
FROM ended WHERE keep_result_seconds IS NOT NULL
ON CONFLICT (id) DO NOTHING

-- which_ended --
SELECT id, lease_id FROM ended

-- give_back --
-- Jobs to be tried again, released unfinished, or dead; same fence as `end`.
UPDATE job_queue AS j
SET status = r.status, scheduled_at = coalesce(r.scheduled_at, j.scheduled_at), priority = r.priority,
    attempts = j.attempts - r.refund, last_error = coalesce(r.error, j.last_error),
    lease_id = NULL, leased_until = NULL, lost_claims = NULL,
    processed_at = CASE WHEN r.status = 'dead' THEN now() END
FROM json_to_recordset(%(rows)s::json) AS r (
  id text, lease_id text, status text, scheduled_at timestamptz, priority smallint, refund int, error text
)
WHERE j.id = r.id AND j.lease_id = r.lease_id
RETURNING j.id, r.lease_id

-- note_progress --
-- Past jobs that are being finished, as `renew` does.
UPDATE job_queue AS j SET progress = r.progress
FROM json_to_recordset(%(rows)s::json) AS r (id text, lease_id text, progress json)
WHERE j.id = r.id AND j.lease_id = r.lease_id AND j.id IN (
  SELECT id FROM job_queue WHERE id = ANY (%(ids)s) FOR UPDATE SKIP LOCKED
)

-- cancelled_among --
SELECT id FROM job_queue WHERE cancelled_at IS NOT NULL AND lease_id = ANY (%(leases)s) AND status = 'running'

-- cancel_running --
-- Not one whose worker is gone: that one can be discarded.
UPDATE job_queue SET cancelled_at = coalesce(cancelled_at, now())
WHERE id = %(id)s AND status = 'running' AND leased_until > now()
RETURNING id

-- pause_queue --
INSERT INTO paused_queues (name) VALUES (%(queue)s) ON CONFLICT (name) DO NOTHING

-- resume_queue --
DELETE FROM paused_queues WHERE name = %(queue)s

-- count_results --
SELECT count(*) FROM (SELECT FROM job_results WHERE expires_at < %(before)s LIMIT %(most)s) AS old

-- purge_results --
DELETE FROM job_results WHERE id IN (
  SELECT id FROM job_results WHERE expires_at < %(before)s ORDER BY expires_at LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- wake_jobs --
-- Waiting jobs of a key are due now, a batch at a time.
UPDATE job_queue SET scheduled_at = now() WHERE id IN (
  SELECT id FROM job_queue
  WHERE queue_name = %(queue)s AND key = %(key)s AND status = 'pending' AND scheduled_at > now()
  LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)

-- discard_of_key --
-- What waits for a key, and what died under it, a batch at a time.
DELETE FROM job_queue WHERE id IN (
  (SELECT id FROM job_queue
   WHERE queue_name = %(queue)s AND key = %(key)s AND status IN ('pending', 'running')
     AND (status = 'pending' OR leased_until <= now())
   LIMIT %(limit)s)
  UNION ALL
  (SELECT id FROM job_queue WHERE key = %(key)s AND status = 'dead' LIMIT %(limit)s)
) AND (status <> 'running' OR leased_until <= now())
RETURNING kind, payload

-- count_dead --
SELECT count(*) FROM (
  SELECT FROM job_queue
  WHERE status = 'dead' AND coalesce(processed_at, created_at) < %(before)s AND kind <> ALL (%(kept)s::text[])
  LIMIT %(most)s
) AS old

-- purge_dead --
-- The next dead jobs, without those that are kept for what they belong to. The first row is about the batch itself.
WITH seen AS MATERIALIZED (
  SELECT id, kind, coalesce(processed_at, created_at) AS died_at FROM job_queue
  WHERE status = 'dead' AND coalesce(processed_at, created_at) < %(before)s
    AND (coalesce(processed_at, created_at), id) > (%(after_at)s::timestamptz, %(after_id)s::text)
  ORDER BY coalesce(processed_at, created_at), id LIMIT %(limit)s
), old AS MATERIALIZED (
  SELECT id FROM job_queue
  WHERE id = ANY (ARRAY (SELECT id FROM seen WHERE kind <> ALL (%(kept)s::text[]))) AND status = 'dead'
  FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM job_queue WHERE id = ANY (ARRAY (SELECT id FROM old)) RETURNING kind, payload
)
(SELECT (SELECT count(*) FROM seen) AS seen, last.died_at::text AS at, last.id, NULL AS kind, NULL AS payload
 FROM (SELECT) AS one LEFT JOIN seen AS last ON true ORDER BY last.died_at DESC, last.id DESC LIMIT 1)
UNION ALL
SELECT NULL, NULL, NULL, kind, payload FROM gone

-- has_jobs --
SELECT EXISTS (SELECT FROM job_queue WHERE queue_name = %(queue)s AND key = %(key)s AND status IN ('pending', 'running'))

-- count_unfinished --
-- Of a key, waiting for whatever it may be or running; no further than `most`.
SELECT count(*) FROM (
  SELECT FROM job_queue
  WHERE queue_name = %(queue)s AND key = %(key)s AND status IN ('pending', 'running') LIMIT %(most)s
) AS unfinished

-- count_due --
-- Of a key, from the index of claims, and no further than `most`; running ones whose lease is over are due, too.
SELECT count(*) FROM (
  SELECT FROM unnest('{-1,0,1,2,3}'::smallint[]) AS priorities (priority) CROSS JOIN LATERAL (
    SELECT FROM job_queue
    WHERE queue_name = %(queue)s AND key = %(key)s AND order_key = '' AND priority = priorities.priority
      AND status IN ('pending', 'running') AND coalesce(leased_until, scheduled_at) <= now()
    LIMIT %(most)s
  ) AS unordered
  UNION ALL
  (SELECT FROM job_queue
   WHERE queue_name = %(queue)s AND key = %(key)s AND order_key <> ''
     AND status IN ('pending', 'running') AND coalesce(leased_until, scheduled_at) <= now()
   LIMIT %(most)s)
  LIMIT %(most)s
) AS due

-- drop_dead --
DELETE FROM job_queue WHERE id = ANY (%(ids)s) AND status = 'dead'

-- set_key --
INSERT INTO job_keys (key, key_limit, rate_per_second, rate_burst)
VALUES (%(key)s, %(limit)s, %(per_second)s, %(burst)s)
ON CONFLICT (key) DO UPDATE
SET key_limit = excluded.key_limit, rate_per_second = excluded.rate_per_second, rate_burst = excluded.rate_burst

-- release_jobs --
-- Unfinished jobs of a worker that stops: the claim is over now, and as its end is not known, the next one is told so.
UPDATE job_queue SET leased_until = now(), attempts = attempts - 1
WHERE id = ANY (%(ids)s) AND lease_id = ANY (%(leases)s) AND status = 'running'

-- hold --
INSERT INTO job_keys (key, held) VALUES (%(key)s, true) ON CONFLICT (key) DO UPDATE SET held = true

-- release --
UPDATE job_keys SET held = false WHERE key = %(key)s

-- slow --
UPDATE job_keys SET resume_at = greatest(resume_at, now() + make_interval(secs => %(seconds)s)) WHERE key = %(key)s

-- trip --
-- The breaker opens; one that is open already keeps its time.
UPDATE job_keys
SET probe_at = coalesce(probe_at, now() + make_interval(secs => %(probe_seconds)s)), probe_seconds = %(probe_seconds)s,
    ramp_from = NULL, ramp_until = NULL
WHERE key = %(key)s

-- recover --
-- After half a minute nothing holds it back.
UPDATE job_keys
SET probe_at = NULL, probe_seconds = NULL, resume_at = NULL, spent_until = NULL, ramp_from = now(),
    ramp_until = now() + interval '30 seconds'
WHERE key = %(key)s

-- wake_key --
UPDATE job_keys SET probe_at = CASE WHEN probe_at > now() THEN now() ELSE probe_at END, resume_at = NULL
WHERE key = %(key)s AND (probe_at > now() OR resume_at > now())

-- forget_key --
DELETE FROM job_keys WHERE key = %(key)s

-- revive --
-- A dead or waiting job runs now, with all its attempts before it; a running one is left alone, unless its worker is
-- gone, and a dead one while an unfinished one has its key: that one does the same.
UPDATE job_queue AS j
SET status = 'pending', attempts = 0, scheduled_at = now(), processed_at = NULL, lease_id = NULL, leased_until = NULL,
    cancelled_at = NULL,
    lost_claims = CASE WHEN status = 'running' THEN array_append(lost_claims, claimed_at) ELSE lost_claims END
WHERE id = %(id)s AND (status <> 'running' OR leased_until <= now())
  AND (status <> 'dead' OR dedupe_key IS NULL OR NOT EXISTS (
    SELECT FROM job_queue AS other WHERE other.dedupe_key = j.dedupe_key AND other.status <> 'dead'
  ))
RETURNING queue_name, kind, payload

-- revive_dead --
-- A batch of the dead jobs of a queue, the oldest first. Of those that are unique by one key, one, and none while an
-- unfinished job has the key: that one does the same.
UPDATE job_queue
SET status = 'pending', attempts = 0, scheduled_at = now(), processed_at = NULL, cancelled_at = NULL
WHERE id IN (
  SELECT id FROM job_queue AS dead
  WHERE queue_name = %(queue)s AND status = 'dead' AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (dedupe_key IS NULL OR NOT EXISTS (
      SELECT FROM job_queue AS other
      WHERE other.dedupe_key = dead.dedupe_key AND (other.status <> 'dead' OR other.id < dead.id)
    ))
  ORDER BY id LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)
RETURNING queue_name, kind, payload

-- discard --
DELETE FROM job_queue WHERE id = %(id)s AND (status <> 'running' OR leased_until <= now()) RETURNING kind, payload

-- discard_many --
-- A batch of the jobs of a queue that stand so, the oldest first; `pending` and `dead` only.
DELETE FROM job_queue WHERE id IN (
  SELECT id FROM job_queue
  WHERE queue_name = %(queue)s AND status = %(status)s AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  ORDER BY id LIMIT %(limit)s
  FOR UPDATE SKIP LOCKED
)
RETURNING kind, payload

-- stuck --
-- By queue, how long the oldest job has been due that a worker should have taken: its key, if it has one, is not paused,
-- slowed, limited to a rate, behind a breaker or coming back from one, and the queue is not paused. Of a backlog of
-- others it passes over so many.
SELECT q.queue_name, coalesce(extract(epoch FROM now() - oldest.due_at), 0)::float8
FROM unnest(%(queues)s::text[]) AS q (queue_name)
LEFT JOIN LATERAL (
  SELECT min(due_at) AS due_at FROM (
    SELECT greatest(leased_until, scheduled_at) AS due_at, key FROM job_queue AS j
    WHERE j.queue_name = q.queue_name AND status IN ('pending', 'running')
      AND greatest(leased_until, scheduled_at) <= now()
    ORDER BY greatest(leased_until, scheduled_at) LIMIT %(most)s
  ) AS due
  WHERE q.queue_name NOT IN (SELECT name FROM paused_queues) AND key NOT IN (
    SELECT key FROM job_keys
    WHERE held OR resume_at > now() OR probe_at IS NOT NULL OR ramp_until > now() OR rate_per_second IS NOT NULL
  )
) AS oldest ON true

-- claims_of --
-- When a job that is running was claimed: those that were lost, in their order, and the present one.
SELECT open.claimed_at, open.place
FROM job_queue AS j CROSS JOIN LATERAL
  unnest(array_append(j.lost_claims, j.claimed_at)) WITH ORDINALITY AS open (claimed_at, place)
WHERE j.id = %(job_id)s AND j.status = 'running'

-- dead_of_seen --
SELECT id FROM job_queue WHERE id = ANY (ARRAY (SELECT 'job_' || substr(id, 5) FROM seen)) AND status = 'dead'

-- locked_dead --
SELECT id FROM job_queue WHERE id = ANY (ARRAY (SELECT id FROM dead)) AND status = 'dead' FOR UPDATE SKIP LOCKED

-- busy --
SELECT id FROM seen WHERE 'job_' || substr(id, 5) IN (SELECT id FROM dead EXCEPT SELECT id FROM locked)

-- forget_dead --
DELETE FROM job_queue WHERE id = ANY (ARRAY (SELECT 'job_' || substr(id, 5) FROM old)) AND status = 'dead'

-- breakers_of --
SELECT key, probe_at, ramp_until FROM job_keys WHERE key = ANY (%(keys)s)

-- ramping --
SELECT key FROM job_keys WHERE probe_at IS NULL AND ramp_until > now()

-- queue_stats --
-- One row per queue that has rows, whose size costs nothing: what waits (held or not), runs, is held and is dead, each
-- counted up to `most`, and how long the oldest has waited of what is due and not held. That is found in the order of
-- becoming due: passing over a held backlog that is older than everything else is the one thing here that takes time.
WITH RECURSIVE queues AS (
  (SELECT queue_name FROM job_queue ORDER BY queue_name LIMIT 1)
  UNION ALL
  SELECT (SELECT queue_name FROM job_queue WHERE queue_name > q.queue_name ORDER BY queue_name LIMIT 1)
  FROM queues AS q WHERE q.queue_name IS NOT NULL
)
SELECT q.queue_name, pending.count AS waiting, running.count AS running, held.count AS held, dead.count AS dead,
       coalesce(extract(epoch FROM now() - oldest.scheduled_at), 0)::float8 AS oldest_seconds
FROM queues AS q
CROSS JOIN LATERAL (SELECT count(*) FROM (
  SELECT FROM job_queue WHERE queue_name = q.queue_name AND status = 'pending' LIMIT %(most)s
) AS found) AS pending
CROSS JOIN LATERAL (SELECT count(*) FROM (
  SELECT FROM job_queue WHERE queue_name = q.queue_name AND status = 'running' LIMIT %(most)s
) AS found) AS running
CROSS JOIN LATERAL (SELECT count(*) FROM (
  SELECT FROM job_queue WHERE queue_name = q.queue_name AND status = 'dead' LIMIT %(most)s
) AS found) AS dead
CROSS JOIN LATERAL (SELECT count(*) FROM (
  SELECT FROM job_keys AS k CROSS JOIN LATERAL (
    SELECT FROM job_queue AS j
    WHERE j.queue_name = q.queue_name AND j.key = k.key AND status IN ('pending', 'running') AND status <> 'running'
    LIMIT %(most)s
  ) AS waiting
  WHERE k.held LIMIT %(most)s
) AS found) AS held
LEFT JOIN LATERAL (
  SELECT scheduled_at FROM job_queue AS j
  WHERE j.queue_name = q.queue_name AND status IN ('pending', 'running')
    AND greatest(leased_until, scheduled_at) <= now() AND key NOT IN (SELECT key FROM job_keys WHERE held)
  ORDER BY greatest(leased_until, scheduled_at) LIMIT 1
) AS oldest ON true
WHERE q.queue_name IS NOT NULL

-- job_queue_pages --
SELECT (pg_relation_size('job_queue') / current_setting('block_size')::int)::int

-- sample --
-- What stands in a part of the table's pages, chosen at random.
SELECT queue_name, CASE WHEN held AND status = 'pending' THEN 'held' ELSE status END, count(*)
FROM (
  SELECT queue_name, status, key IN (SELECT key FROM job_keys WHERE held) AS held
  FROM job_queue TABLESAMPLE SYSTEM (%(percent)s::real)
) AS jobs
GROUP BY 1, 2
