//go:build linux || darwin || freebsd

package main

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"vestibule/models"
)

// codeCookie holds the secret of the browser that has asked for a code, and the address.
const codeCookie = "code-8080"

// codeSignIns stores a mailed code for each of the users, so each request works once. They
// share one code and its hash, which no answer shows.
func codeSignIns(ctx context.Context, db *models.DB, users []int64, s *site) ([]vegeta.Target, error) {
	code := models.NewCode()
	params := argon2id.Params{Memory: 19456, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	hash, err := argon2id.CreateHash(models.NormalizeCode(code), &params)
	if err != nil {
		return nil, err
	}
	targets := make([]vegeta.Target, len(users))
	rows := make([]models.Code, len(users))
	for i, n := range users {
		user, err := db.UserByLogin(ctx, login(n))
		if err != nil {
			return nil, err
		}
		secret, request := models.NewCodeRequest(user.Email, "/dashboard")
		t := time.Now().UTC()
		rows[i] = models.Code{ID: uuid.Must(uuid.NewV7()), UserID: user.ID, Purpose: models.SignInByCode, Email: user.Email,
			BrowserHash: request.Browser, CodeHash: hash, Next: request.Next, CreatedAt: t, ExpiresAt: t.Add(models.CodeLife)}
		cookie := codeCookie + "=" + secret + "." + base64.RawURLEncoding.EncodeToString([]byte(user.Email))
		targets[i] = vegeta.Target{Method: http.MethodPost, URL: s.url + "/sign-in/code", Body: []byte(url.Values{"code": {code}}.Encode()),
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept-Encoding": {encodings}, "Cookie": {cookie}}}
	}
	if _, err := db.Bun().NewDelete().Model((*models.Code)(nil)).Where("TRUE").Exec(ctx); err != nil {
		return nil, err
	}
	_, err = db.Bun().NewInsert().Model(&rows).Exec(ctx)
	return targets, err
}
