CREATE INDEX invitations_email ON invitations (email_key);
