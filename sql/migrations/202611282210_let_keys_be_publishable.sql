-- Keys that may stand in web pages and apps. They have no scopes: code of the version before, which does not look at the
-- kind, lets them do nothing.
-- needs: 202611281840_give_keys_networks_and_makers
ALTER TABLE api_keys ADD COLUMN kind text NOT NULL DEFAULT 'secret' CHECK (kind IN ('secret', 'publishable'));
