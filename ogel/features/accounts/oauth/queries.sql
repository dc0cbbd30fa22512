-- take_flow --
-- Of any number of browsers that come back with a state, one gets it.
DELETE FROM flow_states
WHERE id = %(id)s AND method = 'oauth' AND code_hash IS NULL AND expires_at > now()
RETURNING id, provider, user_id, code_challenge AS challenge, redirect_to, sealed, linking

-- owners --
-- Whose the addresses are: as the one that they are known by, or as one that another provider has verified. `proven`
-- says that a provider has.
SELECT id, email, bool_or(proven) AS proven FROM (
  SELECT u.id, u.email, i.id IS NOT NULL AS proven FROM users AS u
  LEFT JOIN identities AS i
    ON i.user_id = u.id AND i.provider <> 'email' AND i.email = u.email
    AND i.identity_data -> 'email_verified' = 'true'
  WHERE u.email = ANY (%(emails)s)
  UNION ALL
  SELECT u.id, i.email, true FROM identities AS i JOIN users AS u ON u.id = i.user_id
  WHERE i.email = ANY (%(emails)s) AND i.provider <> 'email' AND i.identity_data -> 'email_verified' = 'true'
) AS owners
GROUP BY id, email
ORDER BY array_position(%(emails)s, email), id
LIMIT 20

-- drop_identities --
-- All but one.
DELETE FROM identities WHERE user_id = %(user_id)s AND id <> %(kept)s

-- may_link --
-- No row: the session has ended. False: the user has a second factor, which the session has not shown.
SELECT aal = 'aal2'
       OR NOT EXISTS (SELECT FROM mfa_factors AS f WHERE f.user_id = s.user_id AND f.status = 'verified')
FROM sessions AS s WHERE id = %(session_id)s AND user_id = %(user_id)s AND not_after > now()
