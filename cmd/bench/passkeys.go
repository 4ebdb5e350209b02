//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"vestibule/app/apptest"
	"vestibule/app/passkey"
	"vestibule/models"
)

// passkeys are one passkey for each of the users 1 to sample. They share a private key,
// which no answer shows.
type passkeys struct {
	db      *models.DB
	site    *passkey.RelyingParty
	asked   virtualwebauthn.RelyingParty
	key     virtualwebauthn.Credential
	handles [][]byte
	ids     [][]byte
}

// passkeyCookie holds the secret of the browser that a challenge is for.
const passkeyCookie = "passkey-8080"

// newPasskeys stores the passkeys.
func newPasskeys(ctx context.Context, databaseURL string) (p *passkeys, err error) {
	p = &passkeys{key: apptest.NewCredential()}
	if p.site, err = passkey.NewRelyingParty(baseURL, nil); err != nil {
		return nil, err
	}
	p.asked = virtualwebauthn.RelyingParty{ID: p.site.ID(), Origin: baseURL}
	if p.db, err = models.Open(ctx, databaseURL, 2); err != nil {
		return nil, err
	}
	var accounts []models.PasskeyAccount
	var rows []models.Passkey
	for n := int64(1); n <= sample; n++ {
		user, err := p.db.UserByLogin(ctx, login(n))
		if err != nil {
			return nil, errors.Join(err, p.db.Close())
		}
		id := uuid.Must(uuid.NewV7())
		p.handles, p.ids = append(p.handles, models.NewPasskeyHandle()), append(p.ids, id[:])
		accounts = append(accounts, models.PasskeyAccount{UserID: user.ID, Handle: p.handles[n-1], OfferedAt: time.Now().UTC()})
		rows = append(rows, models.Passkey{ID: id, UserID: user.ID, CredentialID: id[:], PublicKey: p.key.Key.AttestationData(), Name: "Passkey", CreatedAt: time.Now().UTC()})
	}
	_, err = p.db.Bun().NewInsert().Model(&accounts).Exec(ctx)
	if err == nil {
		_, err = p.db.Bun().NewInsert().Model(&rows).Exec(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return p, nil
}

// signIns answers a new challenge for each of the users, so each request works once.
func (p *passkeys) signIns(ctx context.Context, users []int64, s *site) ([]vegeta.Target, error) {
	targets := make([]vegeta.Target, len(users))
	err := p.db.InTx(ctx, func(tx *models.DB) error {
		for i, n := range users {
			begun, err := p.site.BeginSignIn()
			if err != nil {
				return err
			}
			secret, err := tx.StartCeremony(ctx, "", &models.PasskeyCeremony{Challenge: begun.Challenge, Kind: models.CeremonySignIn, State: begun.State})
			if err != nil {
				return err
			}
			options, err := virtualwebauthn.ParseAssertionOptions(string(begun.Options))
			if err != nil {
				return err
			}
			key := p.key
			key.ID = p.ids[n-1]
			answer := virtualwebauthn.CreateAssertionResponse(p.asked,
				virtualwebauthn.Authenticator{Options: virtualwebauthn.AuthenticatorOptions{UserHandle: p.handles[n-1]}}, key, *options)
			targets[i] = vegeta.Target{Method: http.MethodPost, URL: s.url + "/sign-in", Body: []byte(url.Values{"credential": {answer}}.Encode()),
				Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept-Encoding": {encodings}, "Cookie": {passkeyCookie + "=" + secret}}}
		}
		return nil
	})
	return targets, err
}
