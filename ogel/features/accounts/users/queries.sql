-- get_user --
SELECT {user} FROM users WHERE id = %(id)s

-- by_email --
SELECT {user} FROM users WHERE email = %(email)s

-- lock_user --
SELECT {user} FROM users WHERE id = %(id)s FOR NO KEY UPDATE

-- insert_user --
-- No row when the address is taken: whoever came first counts.
INSERT INTO users (
  id, aud, role, email, email_confirmed_at, phone, phone_confirmed_at, encrypted_password, invited_at,
  raw_app_meta_data, raw_user_meta_data, labels, banned_until, is_anonymous, is_sso_user
)
SELECT
  id, aud, role, email, email_confirmed_at, phone, phone_confirmed_at, encrypted_password, invited_at,
  raw_app_meta_data, raw_user_meta_data, labels, banned_until, is_anonymous, is_sso_user
FROM jsonb_populate_record(NULL::users, %(row)s::jsonb)
ON CONFLICT DO NOTHING
RETURNING {user}

-- update_user --
-- Columns that `changes` does not name keep their values.
UPDATE users AS u
SET (
  aud, role, email, email_confirmed_at, email_change, email_change_confirm_status, phone, phone_confirmed_at,
  encrypted_password, invited_at, confirmation_sent_at, recovery_sent_at, email_change_sent_at,
  reauthentication_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, labels, banned_until,
  is_anonymous, is_sso_user, deleted_at, updated_at
) = (
  SELECT
    aud, role, email, email_confirmed_at, email_change, email_change_confirm_status, phone, phone_confirmed_at,
    encrypted_password, invited_at, confirmation_sent_at, recovery_sent_at, email_change_sent_at,
    reauthentication_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, labels, banned_until,
    is_anonymous, is_sso_user, deleted_at, now()
  FROM jsonb_populate_record(u, %(changes)s::jsonb)
)
WHERE id = %(id)s
RETURNING {user}

-- delete_user --
DELETE FROM users WHERE id = %(id)s

-- identities --
SELECT {identity} FROM identities WHERE user_id = %(user_id)s ORDER BY created_at, id

-- identities_of_all --
SELECT {identity} FROM identities WHERE user_id = ANY (%(user_ids)s) ORDER BY created_at, id

-- identity --
SELECT {identity} FROM identities WHERE provider = %(provider)s AND provider_id = %(provider_id)s

-- insert_identity --
-- No row when it belongs to somebody already.
INSERT INTO identities (user_id, provider, provider_id, identity_data, last_sign_in_at)
VALUES (%(user_id)s, %(provider)s, %(provider_id)s, %(identity_data)s::jsonb, %(last_sign_in_at)s)
ON CONFLICT DO NOTHING
RETURNING {identity}

-- update_identity --
UPDATE identities AS i
SET (provider_id, identity_data, last_sign_in_at, updated_at) = (
  SELECT provider_id, identity_data, last_sign_in_at, now() FROM jsonb_populate_record(i, %(changes)s::jsonb)
)
WHERE id = %(id)s
RETURNING {identity}

-- delete_identity --
DELETE FROM identities WHERE id = %(id)s
