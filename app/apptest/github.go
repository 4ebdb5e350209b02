package apptest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/provider"
)

// GitHub stands for a GitHub Enterprise Server, at which one person is signed in.
type GitHub struct {
	URL    string
	User   map[string]any   // the answer to who it is
	Emails []map[string]any // and to which addresses they have

	mu    sync.Mutex
	codes map[string]string // challenges, by code
	token string
}

// NewGitHub serves it until the test ends. Anna is signed in there.
func NewGitHub(t testing.TB) *GitHub {
	t.Helper()
	g := &GitHub{codes: map[string]string{}, token: rand.Text(), User: map[string]any{"id": 38, "login": "anna-smith", "name": "Anna Smith"}}
	g.Emails = []map[string]any{
		{"email": "other@example.com", "primary": false, "verified": true},
		{"email": Anna.Email, "primary": true, "verified": true},
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /login/oauth/authorize", g.authorize)
	routes.HandleFunc("POST /login/oauth/access_token", g.exchange)
	routes.HandleFunc("GET /api/v3/user", func(w http.ResponseWriter, r *http.Request) { g.answer(w, r, g.User) })
	routes.HandleFunc("GET /api/v3/user/emails", func(w http.ResponseWriter, r *http.Request) { g.answer(w, r, g.Emails) })
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// Use is a change for NewSite: people sign in by it.
func (g *GitHub) Use(c *app.Config) {
	c.Providers = append(c.Providers, provider.Config{Name: "github", Issuer: g.URL, ClientID: clientID, ClientSecret: ClientSecret, Timeout: time.Minute})
}

func (g *GitHub) authorize(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	if asked.Get("client_id") != clientID || asked.Get("scope") != "user:email" || asked.Get("code_challenge_method") != "S256" || asked.Has("nonce") {
		http.Error(w, "this isn't how to ask GitHub", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	g.mu.Lock()
	g.codes[code] = asked.Get("code_challenge")
	g.mu.Unlock()
	answer := url.Values{"code": {code}, "state": {asked.Get("state")}}
	http.Redirect(w, r, asked.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (g *GitHub) exchange(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	challenge := g.codes[r.FormValue("code")]
	delete(g.codes, r.FormValue("code"))
	g.mu.Unlock()
	verifier := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("client_secret") != ClientSecret || challenge != base64.RawURLEncoding.EncodeToString(verifier[:]) {
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "bad_verification_code"}) // with status 200
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": g.token, "token_type": "bearer", "scope": "user:email"})
}

func (g *GitHub) answer(w http.ResponseWriter, r *http.Request, value any) {
	if r.Header.Get("Authorization") != "Bearer "+g.token {
		http.Error(w, "bad credentials", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
