-- Links that open accounts are good for an hour: mail with one is not sent after that. The version before sends it whenever
-- it can.
-- needs: 202611282310_seal_words_of_mail
ALTER TABLE mail_requests ADD COLUMN lifetime_seconds integer;
COMMENT ON COLUMN mail_requests.lifetime_seconds IS
  'messages that are not sent so long after they were queued have failed; null: they are sent whenever that is possible';
