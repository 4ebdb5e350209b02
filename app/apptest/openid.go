package apptest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"vestibule/app"
	"vestibule/app/provider"
)

// OpenID is a real OpenID provider, at which one person is signed in. A test changes what
// it says.
type OpenID struct {
	Name string // in the settings of a site
	URL  string // its issuer

	Person   OpenIDPerson
	Error    string // what it answers in place of a code
	Userinfo bool   // the ID token leaves out the address, which the userinfo endpoint has

	Posted url.Values // what else it sends if it answers in the body of a form

	// Answers changes the parameters of what the browser brings back, if not nil.
	Answers func(url.Values)
	// Discovery changes what it says about itself, if not nil.
	Discovery func(map[string]any)
	// Claims changes the ID token before it is signed, if not nil.
	Claims func(map[string]any)
	// Sign signs the ID token in place of the provider, if not nil.
	Sign func(claims []byte) string
	// Intercept answers a request in place of the provider, if not nil. It reports whether it did.
	Intercept func(http.ResponseWriter, *http.Request) bool

	serving   sync.RWMutex // held while a request is answered
	provider  *op.Provider
	storage   *openIDStorage
	callbacks []string
	homes     []string // to which signing out leads
}

// OpenIDPerson is who is signed in at the provider.
type OpenIDPerson struct {
	Subject, First, Last, Username string
	Email                          string
	Verified                       bool
}

// AnnaElsewhere is Anna at a provider.
var AnnaElsewhere = OpenIDPerson{Subject: "subject-of-anna", First: Anna.First, Last: Anna.Last, Username: Anna.Username, Email: Anna.Email, Verified: true}

// ClientSecret is the site's secret at each provider.
const ClientSecret = "the secret of the site at a provider" // #nosec G101 -- of tests alone

const clientID = "vestibule"

// NewOpenID serves a provider until the test ends. Anna is signed in there.
func NewOpenID(t testing.TB, name string) *OpenID {
	t.Helper()
	o := &OpenID{Name: name, Person: AnnaElsewhere}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.URL = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // another site than 127.0.0.1
	o.storage = &openIDStorage{openID: o, key: NewKey("1"), requests: map[string]*openIDRequest{}, codes: map[string]string{}}
	var err error
	o.provider, err = op.NewProvider(&op.Config{CodeMethodS256: true}, o.storage, op.StaticIssuer(o.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Use is a change for NewSite: people sign in by the provider.
func (o *OpenID) Use(c *app.Config) {
	c.Providers = append(c.Providers, provider.Config{Name: o.Name, Issuer: o.URL, ClientID: clientID, ClientSecret: ClientSecret, Timeout: time.Minute})
	o.register(cmp.Or(c.BaseURL, "http://"+c.Addr))
}

func (o *OpenID) register(baseURL string) {
	o.callbacks = append(o.callbacks, baseURL+"/auth/"+o.Name+"/callback")
	o.homes = append(o.homes, baseURL+"/")
}

// Env are the settings of a site at baseURL that uses the provider.
func (o *OpenID) Env(baseURL string) []string {
	o.register(baseURL)
	prefix := "OIDC_" + strings.ToUpper(o.Name)
	return []string{prefix + "_ISSUER=" + o.URL, prefix + "_CLIENT_ID=" + clientID, prefix + "_CLIENT_SECRET=" + ClientSecret}
}

// Mend makes the provider right again, with Anna signed in there.
func (o *OpenID) Mend() {
	o.serving.Lock() // a request whose answer nobody read may be under way
	defer o.serving.Unlock()
	o.Person, o.Error, o.Userinfo, o.Posted = AnnaElsewhere, "", false, nil
	o.Answers, o.Discovery, o.Claims, o.Sign, o.Intercept = nil, nil, nil, nil, nil
}

// SignedBy returns an ID token that the provider has signed.
func (o *OpenID) SignedBy(claims []byte) string { return o.storage.key.Sign(claims) }

// SignOut returns the token by which the provider says that Anna has signed out there.
// Change changes its claims, if not nil.
func (o *OpenID) SignOut(kind string, change func(map[string]any)) string {
	claims := map[string]any{
		"iss": o.URL, "aud": clientID, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text(), "sub": o.Person.Subject,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if change != nil {
		change(claims)
	}
	text, _ := json.Marshal(claims)
	return o.storage.key.SignAs(kind, text)
}

// NewKey gives the provider another key to sign with.
func (o *OpenID) NewKey(id string) {
	o.storage.mu.Lock()
	defer o.storage.mu.Unlock()
	o.storage.key = NewKey(id)
}

func (o *OpenID) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.serving.RLock()
	defer o.serving.RUnlock()
	if r.URL.Path == "/favicon.ico" { // browsers ask for it
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if o.Intercept != nil && o.Intercept(w, r) {
		return
	}
	recorded := httptest.NewRecorder()
	if r.URL.Path == "/login" {
		o.login(recorded, r)
	} else {
		o.provider.ServeHTTP(recorded, r)
	}
	switch {
	case r.URL.Path == oidc.DiscoveryEndpoint && o.Discovery != nil:
		changeJSON(recorded, o.Discovery)
	case r.URL.Path == "/oauth/token" && recorded.Code == http.StatusOK:
		changeJSON(recorded, o.changeToken)
	case r.URL.Path == "/authorize/callback" && o.Answers != nil:
		back, err := url.Parse(recorded.Header().Get("Location"))
		if err == nil {
			answer := back.Query()
			o.Answers(answer)
			back.RawQuery = answer.Encode()
			recorded.Header().Set("Location", back.String())
		}
	}
	for name, values := range o.Posted {
		field := `<input name="` + name + `" value="` + html.EscapeString(values[0]) + `"></form>`
		recorded.Body = bytes.NewBufferString(strings.Replace(recorded.Body.String(), "</form>", field, 1))
	}
	for name, values := range recorded.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(recorded.Body.Bytes())
}

// login stands for the pages on which the person signs in and agrees.
func (o *OpenID) login(w http.ResponseWriter, r *http.Request) {
	request, err := o.storage.AuthRequestByID(r.Context(), r.URL.Query().Get("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if o.Error != "" {
		answer := url.Values{"error": {o.Error}, "state": {request.GetState()}}
		http.Redirect(w, r, request.GetRedirectURI()+"?"+answer.Encode(), http.StatusFound)
		return
	}
	request.(*openIDRequest).person = o.Person
	request.(*openIDRequest).at = time.Now()
	http.Redirect(w, r, o.URL+"/authorize/callback?id="+url.QueryEscape(request.GetID()), http.StatusFound)
}

// changeToken changes the ID token in an answer of the token endpoint.
func (o *OpenID) changeToken(answer map[string]any) {
	if o.Claims == nil && o.Sign == nil {
		return
	}
	parts := strings.Split(answer["id_token"].(string), ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	_ = json.Unmarshal(payload, &claims)
	if o.Claims != nil {
		o.Claims(claims)
	}
	payload, _ = json.Marshal(claims)
	sign := o.Sign
	if sign == nil {
		sign = o.storage.key.Sign
	}
	answer["id_token"] = sign(payload)
}

func changeJSON(recorded *httptest.ResponseRecorder, change func(map[string]any)) {
	var value map[string]any
	if json.Unmarshal(recorded.Body.Bytes(), &value) != nil {
		return
	}
	change(value)
	text, _ := json.Marshal(value)
	recorded.Body = bytes.NewBuffer(text)
}

// GoesTo opens the page of a provider to which the site leads, signs in there, and returns
// the path of the site that the provider leads back to.
func (v *Visitor) GoesTo(a *Answer) string {
	v.T.Helper()
	address, leads := strings.CutPrefix(a.Wants(http.StatusOK).Header.Get("Refresh"), "0; url=")
	if !leads {
		address = a.Header.Get("HX-Redirect")
	}
	for range 10 {
		r, err := http.NewRequestWithContext(v.T.Context(), http.MethodGet, address, nil)
		if err != nil {
			v.T.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			v.T.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			v.T.Fatal(err)
		}
		if page := NewAnswer(v.T, response, string(body)); page.Find("form[method='post']").Length() == 1 {
			return v.postedFrom(page)
		}
		next, err := response.Location()
		if err != nil {
			v.T.Fatalf("the provider answers %s at %s", response.Status, address)
		}
		address = next.String()
		if path, back := strings.CutPrefix(address, v.Site.BaseURL); back {
			for _, name := range []string{"state", "code"} {
				v.Site.Log.Hide(next.Query().Get(name))
			}
			return path
		}
	}
	v.T.Fatal("the provider never leads back")
	return ""
}

// postedFrom sends the form on a provider's page, as its script does, and returns the path to
// which the site leads then.
func (v *Visitor) postedFrom(page *Answer) string {
	v.T.Helper()
	form, values := page.Find("form"), url.Values{}
	form.Find("input").Each(func(_ int, e Selection) { values.Set(e.AttrOr("name", ""), e.AttrOr("value", "")) })
	path := strings.TrimPrefix(form.AttrOr("action", ""), v.Site.BaseURL)
	a := v.Site.VisitWithoutCookies(v.T).Post(path, values, Header("Origin", "https://provider.example"), Header("Sec-Fetch-Site", "cross-site")).Wants(http.StatusSeeOther)
	return a.Header.Get("Location")
}

// GetsConnected connects the account at a provider of the one who is signed in.
func (v *Visitor) GetsConnected(o *OpenID) {
	v.T.Helper()
	v.Get(v.GoesTo(v.Post("/account/connections", Fill("provider", o.Name)))).LeadsTo("/account/connections")
}

// ComesBy signs in or up by a provider, and returns the answer to what it says.
func (v *Visitor) ComesBy(o *OpenID, options ...Option) *Answer {
	v.T.Helper()
	return v.Get(v.GoesTo(v.Post("/auth/"+o.Name, nil, options...)))
}

// Key is a key that signs ID tokens.
type Key struct {
	id      string
	private *ecdsa.PrivateKey
}

// NewKey returns a key with that id.
func NewKey(id string) Key {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return Key{id, key}
}

// Sign returns an ID token with these claims.
func (k Key) Sign(claims []byte) string { return k.SignAs("JWT", claims) }

// SignAs returns a token of another type.
func (k Key) SignAs(kind string, claims []byte) string {
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// Public returns the key set (RFC 7517) that shows what the key signs.
func (k Key) Public() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.private.Public(), KeyID: k.id, Algorithm: string(jose.ES256), Use: "sig"}}}
}

func (k Key) ID() string                                  { return k.id }
func (k Key) Key() any                                    { return k.private }
func (k Key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }

type publicKey struct{ signer Key }

func (k publicKey) ID() string                         { return k.signer.id }
func (k publicKey) Key() any                           { return k.signer.private.Public() }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }

// openIDStorage keeps what the provider must remember. What no test asks for, it lacks.
type openIDStorage struct {
	op.Storage
	openID *OpenID

	mu       sync.Mutex
	key      Key
	requests map[string]*openIDRequest
	codes    map[string]string // ids of requests, by code
}

var errUnknown = errors.New("unknown")

func (s *openIDStorage) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request := &openIDRequest{AuthRequest: r, id: rand.Text()}
	s.requests[request.id] = request
	return request, nil
}

func (s *openIDStorage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.requests[id]; ok {
		return r, nil
	}
	return nil, errUnknown
}

func (s *openIDStorage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id := s.codes[code]
	s.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

func (s *openIDStorage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

func (s *openIDStorage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

func (s *openIDStorage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(time.Hour), nil
}

func (s *openIDStorage) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key, nil
}

func (s *openIDStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *openIDStorage) KeySet(context.Context) ([]op.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []op.Key{publicKey{s.key}}, nil
}

func (s *openIDStorage) TerminateSession(context.Context, string, string) error { return nil }

func (s *openIDStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != clientID {
		return nil, errUnknown
	}
	return openIDClient{s.openID}, nil
}

func (s *openIDStorage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != clientID || secret != ClientSecret {
		return errUnknown
	}
	return nil
}

func (s *openIDStorage) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, _, _ string, scopes []string) error {
	s.fill(info, scopes)
	return nil
}

func (s *openIDStorage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, _, _, _ string) error {
	s.fill(info, []string{oidc.ScopeProfile, oidc.ScopeEmail})
	return nil
}

func (s *openIDStorage) fill(info *oidc.UserInfo, scopes []string) {
	p := s.openID.Person
	info.Subject = p.Subject
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.GivenName, info.FamilyName, info.PreferredUsername = p.First, p.Last, p.Username
	}
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email, info.EmailVerified = p.Email, oidc.Bool(p.Verified)
	}
}

// openIDRequest is what a site has asked for.
type openIDRequest struct {
	*oidc.AuthRequest
	id     string
	person OpenIDPerson
	at     time.Time // when the person signed in
}

func (r *openIDRequest) GetID() string                      { return r.id }
func (r *openIDRequest) GetACR() string                     { return "" }
func (r *openIDRequest) GetAMR() []string                   { return nil }
func (r *openIDRequest) GetAudience() []string              { return []string{r.ClientID} }
func (r *openIDRequest) GetAuthTime() time.Time             { return r.at }
func (r *openIDRequest) GetClientID() string                { return r.ClientID }
func (r *openIDRequest) GetNonce() string                   { return r.Nonce }
func (r *openIDRequest) GetRedirectURI() string             { return r.RedirectURI }
func (r *openIDRequest) GetResponseType() oidc.ResponseType { return r.ResponseType }
func (r *openIDRequest) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }
func (r *openIDRequest) GetScopes() []string                { return r.Scopes }
func (r *openIDRequest) GetState() string                   { return r.State }
func (r *openIDRequest) GetSubject() string                 { return r.person.Subject }
func (r *openIDRequest) Done() bool                         { return !r.at.IsZero() }
func (r *openIDRequest) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// openIDClient is the site, as the provider knows it.
type openIDClient struct{ openID *OpenID }

func (c openIDClient) GetID() string                       { return clientID }
func (c openIDClient) RedirectURIs() []string              { return c.openID.callbacks }
func (c openIDClient) PostLogoutRedirectURIs() []string    { return c.openID.homes }
func (c openIDClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c openIDClient) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c openIDClient) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c openIDClient) GrantTypes() []oidc.GrantType         { return []oidc.GrantType{oidc.GrantTypeCode} }
func (c openIDClient) LoginURL(id string) string            { return c.openID.URL + "/login?id=" + id }
func (c openIDClient) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (c openIDClient) IDTokenLifetime() time.Duration       { return time.Hour }
func (c openIDClient) DevMode() bool                        { return true }
func (c openIDClient) IsScopeAllowed(string) bool           { return true }
func (c openIDClient) IDTokenUserinfoClaimsAssertion() bool { return !c.openID.Userinfo }
func (c openIDClient) ClockSkew() time.Duration             { return 0 }
func (c openIDClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (c openIDClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
