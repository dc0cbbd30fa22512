-- all_keys --
SELECT kid, algorithm, state, public_jwk, created_at, current_at, retired_at
FROM signing_keys ORDER BY created_at DESC, kid

-- lock_all --
SELECT kid FROM signing_keys ORDER BY kid FOR UPDATE

-- private_key --
SELECT private_key FROM signing_keys WHERE kid = %(kid)s

-- insert_key --
-- There is one current key: who comes second waits for the first, and has made none.
INSERT INTO signing_keys (kid, algorithm, state, public_jwk, private_key, current_at)
VALUES (%(kid)s, %(algorithm)s, %(state)s, %(public_jwk)s::jsonb, %(private_key)s,
        CASE WHEN %(state)s = 'current' THEN now() END)
ON CONFLICT DO NOTHING

-- retire --
UPDATE signing_keys SET state = %(state)s, retired_at = coalesce(retired_at, now()) WHERE kid = ANY (%(kids)s)

-- promote --
UPDATE signing_keys SET state = 'current', current_at = now() WHERE kid = %(kid)s

-- forget --
DELETE FROM signing_keys WHERE kid = ANY (%(kids)s)
