DROP INDEX IF EXISTS sessions_provider_session;
