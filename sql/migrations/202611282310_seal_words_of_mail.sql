-- Mail that opens an account has its words sealed, and they are forgotten once a provider has taken it: whoever reads
-- this table, a backup of it included, signs in as nobody. The version before sends no such mail.
-- needs: 202611281830_move_tables_to_schema_ogel
ALTER TABLE mail_requests ADD COLUMN sealed bytea;
COMMENT ON COLUMN mail_requests.sealed IS
  'subject and bodies, sealed, of mail that nobody else may read; null again once it is sent';
-- It holds of mail whose words are not sealed.
ALTER TABLE mail_requests DROP CONSTRAINT mail_requests_check;
