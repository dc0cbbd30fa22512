-- put_code --
-- A user has one code of a purpose: the newest.
INSERT INTO one_time_codes (id, user_id, purpose, hash, address, flow_id, expires_at)
VALUES (%(id)s, %(user_id)s, %(purpose)s, %(hash)s, %(address)s, %(flow_id)s,
        now() + %(seconds)s * interval '1 second')
ON CONFLICT (user_id, purpose) DO UPDATE
SET id = excluded.id, hash = excluded.hash, address = excluded.address, flow_id = excluded.flow_id, tries = 0,
    created_at = now(), expires_at = excluded.expires_at

-- count_try --
-- Counts a try of digits before they are judged: those that come at once are counted, too. Returns the codes meant.
UPDATE one_time_codes SET tries = tries + 1
WHERE address = %(address)s AND purpose = ANY (%(purposes)s) AND tries < %(most)s AND expires_at > now()
RETURNING id, user_id, flow_id IS NOT NULL

-- whose_code --
-- Without a lock; `use_code` says whether it is still there.
SELECT user_id FROM one_time_codes
WHERE hash = ANY (%(hashes)s) AND purpose = ANY (%(purposes)s) AND expires_at > now()
LIMIT 1

-- use_code --
DELETE FROM one_time_codes
WHERE hash = ANY (%(hashes)s) AND purpose = ANY (%(purposes)s) AND user_id = %(user_id)s AND expires_at > now()
RETURNING user_id, purpose, address, flow_id

-- drop_codes --
DELETE FROM one_time_codes WHERE user_id = %(user_id)s AND purpose = ANY (%(purposes)s)

-- count_expired_codes --
SELECT count(*) FROM (SELECT FROM one_time_codes WHERE expires_at < %(before)s LIMIT %(most)s) AS expired

-- purge_expired_codes --
DELETE FROM one_time_codes WHERE id IN (
  SELECT id FROM one_time_codes WHERE expires_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)

-- begin_flow --
INSERT INTO flow_states (
  id, user_id, provider, method, code_challenge, code_challenge_method, redirect_to, sealed, linking, expires_at
)
VALUES (
  %(id)s, %(user_id)s, %(provider)s, %(method)s, %(challenge)s,
  CASE WHEN %(challenge)s::text IS NOT NULL THEN 's256' END, %(redirect_to)s, %(sealed)s, %(linking)s,
  now() + %(seconds)s * interval '1 second'
)

-- give_code --
-- Once a flow has given a code, it gives no other.
UPDATE flow_states
SET user_id = %(user_id)s, code_hash = %(code_hash)s, sealed = coalesce(%(sealed)s, sealed),
    expires_at = now() + %(seconds)s * interval '1 second'
WHERE id = %(id)s AND code_hash IS NULL
RETURNING id

-- exchange_code --
-- With a wrong verifier it stays.
DELETE FROM flow_states
WHERE code_hash = %(code_hash)s AND code_challenge = %(challenge)s AND expires_at > now() AND user_id IS NOT NULL
RETURNING id, user_id, method, sealed

-- is_given_out --
SELECT expires_at > now() FROM flow_states WHERE code_hash = %(code_hash)s

-- count_expired_flows --
SELECT count(*) FROM (SELECT FROM flow_states WHERE expires_at < %(before)s LIMIT %(most)s) AS expired

-- purge_expired_flows --
DELETE FROM flow_states WHERE id IN (
  SELECT id FROM flow_states WHERE expires_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
