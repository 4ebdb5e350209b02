//go:build linux || darwin || freebsd

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/oauth2"

	"vestibule/app/apptest"
	"vestibule/models"
)

// openID is a provider that knows the users 1 to sample. It does as little as it can, so
// that the case measures the site: a code says for whom it is and with which nonce.
type openID struct {
	db     *models.DB
	issuer string
	key    apptest.Key
	server *http.Server
}

const (
	openIDName   = "bench"
	openIDClient = "vestibule"
	openIDPath   = "/auth/" + openIDName + "/callback"
)

// providerCookie holds the secret of the browser that a provider answers to.
const providerCookie = "provider-8080"

// newOpenID stores the connections of the users, and serves the provider until it is closed.
func newOpenID(ctx context.Context, db *models.DB) (*openID, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	o := &openID{db: db, issuer: "http://localhost:" + port, key: apptest.NewKey("1")}
	o.server = &http.Server{Handler: o, ReadHeaderTimeout: startTimeout}
	go func() { _ = o.server.Serve(listener) }()
	rows := make([]models.Identity, 0, sample)
	for n := int64(1); n <= sample; n++ {
		user, err := db.UserByLogin(ctx, login(n))
		if err != nil {
			return nil, errors.Join(err, o.server.Close())
		}
		rows = append(rows, models.Identity{ID: uuid.Must(uuid.NewV7()), UserID: user.ID, Provider: openIDName, Issuer: o.issuer, Subject: login(n), Name: user.Email, CreatedAt: time.Now().UTC()})
	}
	if _, err := db.Bun().NewInsert().Model(&rows).Exec(ctx); err != nil {
		return nil, errors.Join(err, o.server.Close())
	}
	return o, nil
}

// env are the settings of a site that uses the provider.
func (o *openID) env() []string {
	prefix := "OIDC_" + strings.ToUpper(openIDName)
	return []string{prefix + "_ISSUER=" + o.issuer, prefix + "_CLIENT_ID=" + openIDClient, prefix + "_CLIENT_SECRET=" + secret}
}

// ServeHTTP answers as OpenID Connect Discovery 1.0 and Core 1.0, 3.1.3 say.
func (o *openID) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": o.issuer, "authorization_endpoint": o.issuer + "/authorize", "token_endpoint": o.issuer + "/token",
			"jwks_uri": o.issuer + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}}
	case "/keys":
		answer = o.key.Public()
	case "/token":
		subject, nonce, _ := strings.Cut(r.PostFormValue("code"), ".")
		now := time.Now()
		claims, err := json.Marshal(map[string]any{"iss": o.issuer, "aud": openIDClient, "sub": subject, "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
			"email": subject + "@example.com", "email_verified": true})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer = map[string]any{"access_token": nonce, "token_type": "Bearer", "id_token": o.key.Sign(claims)}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// signIns brings the answer of the provider for each of the users, so each request works once.
func (o *openID) signIns(ctx context.Context, users []int64, s *site) ([]vegeta.Target, error) {
	targets := make([]vegeta.Target, len(users))
	err := o.db.InTx(ctx, func(tx *models.DB) error {
		for i, n := range users {
			a := &models.Authorization{Provider: openIDName, Kind: models.AuthorizeSignIn, Nonce: uuid.NewString(), Verifier: oauth2.GenerateVerifier(), Next: "/dashboard"}
			state, secret, err := tx.StartAuthorization(ctx, "", a)
			if err != nil {
				return err
			}
			answer := url.Values{"state": {state}, "code": {login(n) + "." + a.Nonce}}
			targets[i] = vegeta.Target{Method: http.MethodGet, URL: s.url + openIDPath + "?" + answer.Encode(),
				Header: http.Header{"Accept-Encoding": {encodings}, "Cookie": {providerCookie + "=" + secret}}}
		}
		return nil
	})
	return targets, err
}
