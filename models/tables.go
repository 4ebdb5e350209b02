package models

// Tables returns the tables of the site itself, for operators. A feature adds its own.
func Tables() []Table {
	return []Table{
		NewTable((*User)(nil), "id username username_key email email_key first_name last_name name_key verified_at disabled_at created_at updated_at unconfirmed_since mail_sign_in_at operator_role", "password_hash"),
		NewTable((*Session)(nil), "id user_id ip user_agent created_at authenticated_at last_seen_at expires_at identity_id replaced_at", "token_hash previous_token_hash second_factor provider_session"),
		NewTable((*Event)(nil), "id kind user_id actor_id ip user_agent request_id created_at organization_id detail email_key operator_role operator_id", ""),

		NewTable((*Organization)(nil), "id name name_key slug created_at second_factor_from no_trust", ""),
		NewTable((*Role)(nil), "id organization_id kind name name_key permissions", ""),
		NewTable((*Membership)(nil), "id organization_id user_id role_id created_at", ""),
		NewTable((*Invitation)(nil), "id organization_id role_id inviter_id email email_key created_at expires_at", "token_hash"),
		NewTable((*SiteInvitation)(nil), "id email email_key created_at expires_at", "token_hash"),

		NewTable((*Authenticator)(nil), "id user_id name key_id last_step created_at used_at", "secret"),
		NewTable((*RecoveryCode)(nil), "user_id created_at", "code_hash selector"),
		NewTable((*Passkey)(nil), "id user_id aaguid sign_count transports backup_eligible backed_up name created_at last_used_at", "credential_id public_key"),
		NewTable((*PasskeyAccount)(nil), "user_id offered_at", "handle"),
		NewTable((*Identity)(nil), "id user_id provider issuer subject name created_at last_used_at", ""),
		NewTable((*Browser)(nil), "user_id seen_at trusted_until user_agent", "token_hash"),

		// A path to go on to can hold the token of a link.
		NewTable((*SignIn)(nil), "id user_id created_at expires_at", "token_hash proofs"),
		NewTable((*Authorization)(nil), "provider kind user_id created_at expires_at", "state_hash browser_hash nonce verifier next claims"),
		NewTable((*PasskeyCeremony)(nil), "kind user_id expires_at", "challenge browser_hash state"),
		NewTable((*Token)(nil), "id user_id purpose email created_at expires_at detail", "token_hash"),
		NewTable((*Code)(nil), "id user_id purpose email created_at expires_at", "browser_hash code_hash next"),
		NewTable((*Impersonation)(nil), "session_id operator_id user_id writes created_at expires_at", ""),
		NewTable((*Recovery)(nil), "user_id created_at ready_at expires_at", ""),
		NewTable((*FormerEmail)(nil), "id user_id email email_key replaced_at", ""),

		NewTable((*Mail)(nil), "id kind recipient user_id name created_at attempts next_at priority domain", "detail"),
		NewTable((*RefusedMail)(nil), "id kind recipient user_id reason attempts created_at refused_at", ""),
		NewTable((*Throttle)(nil), "kind tries until forget_at noted_until", "key subject"),
		NewTable((*DailyCount)(nil), "day sign_ups sign_ins refused active sessions throttles counted_at", ""),
		NewTable((*readiness)(nil), "id at", "padding"),
	}
}
