package provider

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
)

// gitHub is the protocol of GitHub, which has OAuth 2 and questions of its own in place of
// an ID token.
type gitHub struct {
	issuer string
	api    string // the URL of its questions
	config oauth2.Config
	http   *http.Client
}

func newGitHub(config Config, client oauth2.Config) *gitHub {
	g := &gitHub{issuer: config.Issuer, api: config.Issuer + "/api/v3", config: client, http: newHTTP(config.Timeout)}
	if config.Issuer == gitHubIssuer {
		g.api = "https://api.github.com"
	}
	g.config.Endpoint = oauth2.Endpoint{
		AuthURL:   config.Issuer + "/login/oauth/authorize",
		TokenURL:  config.Issuer + "/login/oauth/access_token",
		AuthStyle: oauth2.AuthStyleInParams,
	}
	return g
}

func (g *gitHub) client(context.Context) (*oauth2.Config, error) {
	config := g.config
	return &config, nil
}

// checkIssuer accepts every answer. Each provider has a callback of its own, which tells
// whose answer it is; GitHub doesn't document that it names itself.
func (g *gitHub) checkIssuer(context.Context, url.Values) error { return nil }

func (g *gitHub) person(ctx context.Context, token *oauth2.Token, _ Request) (*Person, error) {
	var user struct {
		ID          int64
		Login, Name string
	}
	if err := getJSON(ctx, g.http, g.api+"/user", token, &user); err != nil {
		return nil, err
	}
	var emails []struct {
		Email             string
		Primary, Verified bool
	}
	if err := getJSON(ctx, g.http, g.api+"/user/emails", token, &emails); err != nil {
		return nil, err
	}
	person := &Person{Issuer: g.issuer, Username: user.Login}
	if user.ID > 0 {
		person.Subject = strconv.FormatInt(user.ID, 10) // the login can change, and become another's
	}
	person.FirstName, person.LastName = splitName(user.Name)
	for _, e := range emails {
		if e.Primary {
			person.Email, person.EmailVerified = e.Email, e.Verified
		}
	}
	return person, nil
}

// splitName splits a name before its last word.
func splitName(name string) (first, last string) {
	words := strings.Fields(name)
	if len(words) < 2 {
		return strings.Join(words, ""), ""
	}
	return strings.Join(words[:len(words)-1], " "), words[len(words)-1]
}
