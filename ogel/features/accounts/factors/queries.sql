-- factors --
-- The oldest first.
SELECT {factor} FROM mfa_factors WHERE user_id = %(user_id)s ORDER BY created_at, id

-- factors_of_all --
SELECT {factor} FROM mfa_factors WHERE user_id = ANY (%(user_ids)s) ORDER BY created_at, id

-- has_verified --
SELECT EXISTS (SELECT FROM mfa_factors WHERE user_id = %(user_id)s AND status = 'verified')

-- session_level --
SELECT aal FROM sessions WHERE id = %(session_id)s

-- insert_factor --
INSERT INTO mfa_factors (id, user_id, friendly_name, factor_type, status, secret)
VALUES (%(id)s, %(user_id)s, %(friendly_name)s, %(factor_type)s, %(status)s, %(secret)s)
RETURNING {factor}

-- rename --
UPDATE mfa_factors SET friendly_name = %(friendly_name)s, updated_at = now()
WHERE id = %(id)s AND user_id = %(user_id)s
RETURNING {factor}

-- delete_factor --
DELETE FROM mfa_factors WHERE id = %(id)s AND user_id = %(user_id)s RETURNING {factor}

-- delete_all --
DELETE FROM mfa_factors WHERE user_id = %(user_id)s

-- delete_abandoned --
-- Those whose enrolment nobody has completed for a while.
DELETE FROM mfa_factors
WHERE user_id = %(user_id)s AND status = 'unverified' AND created_at < now() - make_interval(secs => %(seconds)s)

-- delete_unverified --
DELETE FROM mfa_factors WHERE user_id = %(user_id)s AND status = 'unverified'

-- hold --
-- Locks a factor to try a code on it.
SELECT id, user_id, factor_type, status, secret, last_step, wrong_tries,
       coalesce(extract(epoch FROM locked_until - now()), 0)::float8
FROM mfa_factors
WHERE user_id = %(user_id)s AND (id = %(id)s OR (%(id)s::uuid IS NULL AND factor_type = 'recovery_code'))
FOR UPDATE

-- take_step --
-- No row when a code of that step or a later one has been taken: none is good twice.
UPDATE mfa_factors
SET last_step = %(step)s, status = 'verified', updated_at = now()
WHERE id = %(id)s AND (last_step IS NULL OR last_step < %(step)s)

-- was_right --
UPDATE mfa_factors SET wrong_tries = 0, locked_until = NULL WHERE id = %(id)s AND wrong_tries > 0

-- was_wrong --
UPDATE mfa_factors
SET wrong_tries = %(wrong_tries)s,
    locked_until = CASE WHEN %(seconds)s > 0 THEN now() + make_interval(secs => %(seconds)s) END
WHERE id = %(id)s

-- forget_challenges --
-- Those that are over, and all but the newest ones.
DELETE FROM mfa_challenges
WHERE factor_id = %(factor_id)s AND (
  expires_at < now() OR id IN (
    SELECT id FROM mfa_challenges WHERE factor_id = %(factor_id)s ORDER BY created_at DESC, id OFFSET %(most)s
  )
)

-- insert_challenge --
WITH challenged AS (
  UPDATE mfa_factors SET last_challenged_at = now() WHERE id = %(factor_id)s
)
INSERT INTO mfa_challenges (factor_id, session_id, expires_at)
VALUES (%(factor_id)s, %(session_id)s, now() + make_interval(secs => %(seconds)s))
RETURNING id, expires_at

-- challenge --
SELECT verified_at IS NOT NULL, expires_at < now() FROM mfa_challenges
WHERE id = %(id)s AND factor_id = %(factor_id)s

-- use_challenge --
-- No row when somebody else was faster.
UPDATE mfa_challenges SET verified_at = now() WHERE id = %(id)s AND verified_at IS NULL

-- insert_codes --
INSERT INTO mfa_recovery_codes (factor_id, hash) SELECT %(factor_id)s, unnest(%(hashes)s::bytea[])

-- delete_codes --
DELETE FROM mfa_recovery_codes WHERE factor_id = %(factor_id)s

-- count_codes --
SELECT count(*), count(*) FILTER (WHERE used_at IS NULL) FROM mfa_recovery_codes WHERE factor_id = %(factor_id)s

-- use_code --
-- No row for a code that is none, or has been used.
UPDATE mfa_recovery_codes SET used_at = now()
WHERE factor_id = %(factor_id)s AND hash = %(hash)s AND used_at IS NULL
