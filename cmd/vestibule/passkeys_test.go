//go:build linux || darwin || freebsd

package main_test

import (
	"net"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// serveByName starts a site on localhost: passkeys need a name.
func serveByName(t *testing.T, settings ...string) *site {
	t.Helper()
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, program, addr, nil, append([]string{"BASE_URL=http://localhost:" + port}, settings...)...)
	s.waits()
	s.url = "http://localhost:" + port
	return s
}

// authenticator is a device of the visitor that keeps passkeys.
type authenticator struct {
	v  *visitor
	id webauthn.AuthenticatorID
}

// plugsIn gives the visitor an authenticator, whose PIN is right and whose button is
// pressed at once.
func (v *visitor) plugsIn(transport webauthn.AuthenticatorTransport, change func(*webauthn.VirtualAuthenticatorOptions)) authenticator {
	v.Helper()
	options := &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: transport,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}
	if change != nil {
		change(options)
	}
	added, err := chromedp.Call(v.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: options})
	if err != nil {
		v.Fatalf("no authenticator: %v", err)
	}
	return authenticator{v, added.AuthenticatorID}
}

// unplugs takes the authenticator away.
func (a authenticator) unplugs() {
	a.v.Helper()
	call(a.v, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: a.id})
}

// passkeys returns what the authenticator keeps.
func (a authenticator) passkeys() []*webauthn.Credential {
	a.v.Helper()
	kept, err := chromedp.Call(a.v.ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	if err != nil {
		a.v.Fatalf("the passkeys of the authenticator: %v", err)
	}
	return kept.Credentials
}

// wantsKept waits until the authenticator keeps that many passkeys.
func (a authenticator) wantsKept(n int) {
	a.v.Helper()
	if !waitFor(func() bool { return len(a.passkeys()) == n }) {
		a.v.Fatalf("the authenticator keeps %d passkeys, want %d", len(a.passkeys()), n)
	}
}

// confirms says whether the next PINs are right.
func (a authenticator) confirms(right bool) {
	a.v.Helper()
	call(a.v, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: right})
}

// touched says whether the button of the authenticator is pressed at once, or never.
func (a authenticator) touched(touched bool) {
	a.v.Helper()
	call(a.v, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: touched})
}

const (
	cancelled = "The request was canceled or took too long. Try again when you're ready."
	unknown   = "We don't know this passkey. It may have been removed. Sign in another way."
)

// TestPasskeyOfADevice has an account without a password, on a device that keeps its
// passkey.
func TestPasskeyOfADevice(t *testing.T) {
	eachBrowser(t, true, func(t *testing.T, database string) {
		s := serveByName(t, "DATABASE_URL="+database)
		db := modelstest.Open(t, database)
		v := s.visitor(t, true)
		call(v, webauthn.Enable, webauthn.EnableParams{})
		device := v.plugsIn(webauthn.AuthenticatorTransportInternal, nil)

		v.opens("/sign-up")
		v.fills("username", apptest.Anna.Username)
		v.fills("first_name", apptest.Anna.First)
		v.fills("last_name", apptest.Anna.Last)
		v.presses("Sign up with a passkey instead")
		v.wantsErrors(sentences{"email": "Enter your email."})
		device.wantsKept(0) // what is wrong is said before
		v.fills("email", apptest.Anna.Email)
		device.confirms(false)
		v.presses("Sign up with a passkey instead")
		v.wantsText(cancelled)
		device.confirms(true)
		v.presses("Sign up with a passkey instead")
		v.wantsPage("/dashboard", "Dashboard")
		if kept := device.passkeys(); len(kept) != 1 || !kept[0].IsResidentCredential || len(kept[0].UserHandle) != 64 || kept[0].RpID != "localhost" || kept[0].UserName != apptest.Anna.Username {
			t.Fatalf("the authenticator keeps %+v", kept)
		}
		v.opens("/account/passkeys")
		v.presses("Add a passkey")
		v.wantsText("This device or password manager already has a passkey for your account.")

		// The browser offers it by itself, or at the press of a button.
		v.signsOut()
		v.wantsToasts("Signed out")
		v.opens("/sign-in?next=%2Faccount")
		v.wantsPage("/account", "Profile")
		device.touched(false)
		v.signsOut()
		v.wantsToasts("Signed out")
		v.opens("/sign-in")
		device.confirms(false)
		device.touched(true)
		v.presses("Sign in with a passkey")
		v.wantsText(cancelled)
		device.confirms(true)
		v.holds("/sign-in")
		v.presses("Sign in with a passkey")
		if !waitFor(func() bool { return v.requests("/sign-in") == 1 }) {
			t.Fatal("no request goes out")
		}
		// A second press would send the same answer, which the site takes once.
		v.wants(`document.querySelectorAll("#sign-in .submit:not(:disabled)").length`, 0)
		v.wants(`[...document.querySelectorAll("#sign-in .submit")].map(e => e.querySelector(".spinner").checkVisibility()).join()`, "false,true")
		v.releases()
		v.wantsPage("/dashboard", "Dashboard")

		// A dialog asks for it when the session has ended, above a page without the script.
		v.opens("/organizations")
		if _, err := db.Bun().ExecContext(t.Context(), "DELETE FROM sessions"); err != nil {
			t.Fatal(err)
		}
		v.fills("name", "Acme")
		v.presses("Create organization")
		v.wantsText("Your session has ended. What you typed is still here.")
		v.presses("Continue with a passkey")
		v.wantsPage("/o/acme", "Acme")

		// The password manager learns of another name.
		v.opens("/account")
		v.fills("username", "annette")
		v.presses("Save changes")
		v.wantsToasts("Changes saved")
		if !waitFor(func() bool { return device.passkeys()[0].UserName == "annette" }) {
			t.Errorf("the authenticator keeps %+v", device.passkeys()[0])
		}

		// Confirming who one is.
		if _, err := db.Bun().ExecContext(t.Context(), "UPDATE sessions SET authenticated_at = ?", "2026-01-01 00:00:00+00:00"); err != nil {
			t.Fatal(err)
		}
		v.expects("status of 403")
		v.opens("/account/email")
		v.wantsHeading("Confirm it's you")
		v.presses("Use a passkey")
		v.wantsPage("/account/email", "Email")
		v.fills("email", "annette@example.com")
		v.presses("Send confirmation link")
		v.wantsText("We sent a link to annette@example.com.")

		// A password, and the passkey goes from the password manager, too.
		v.opens("/account/password")
		v.fills("password", apptest.AnotherPassword)
		v.fills("confirm_password", apptest.AnotherPassword)
		v.presses("Set password")
		v.wantsToasts("Password changed, other devices signed out")
		v.opens("/account/passkeys")
		v.clicks(`document.querySelector("#passkeys a")`)
		v.presses("Remove passkey")
		v.agrees("Remove Headless Chrome on Linux?", "Remove passkey")
		v.wantsToasts("Passkey removed")
		device.wantsKept(0)

		// Sign-in by password offers another one, once.
		v.signsOut()
		v.wantsToasts("Signed out")
		v.opens("/sign-in")
		v.wants(`document.querySelector("[data-passkey-able]").value`, "1")
		v.signsIn("annette", apptest.AnotherPassword)
		v.wantsPage("/account/passkeys/offer?next=%2Fdashboard", "Sign in faster next time")
		v.presses("Add a passkey")
		v.wantsPage("/dashboard", "Dashboard")
		v.wantsToasts("Passkey added")

		// The site forgets it, and the password manager is told so.
		if _, err := db.Bun().ExecContext(t.Context(), "DELETE FROM passkeys"); err != nil {
			t.Fatal(err)
		}
		v.signsOut()
		v.wantsToasts("Signed out")
		v.opens("/sign-in") // where the browser offers it by itself
		v.wantsText(unknown)
		device.wantsKept(0)
	})
}

// TestPasskeyOfASecurityKey plugs in keys of several kinds.
func TestPasskeyOfASecurityKey(t *testing.T) {
	eachBrowser(t, true, func(t *testing.T, database string) {
		s := serveByName(t, "DATABASE_URL="+database)
		v := s.visitor(t, true)
		call(v, webauthn.Enable, webauthn.EnableParams{})
		v.signsUp(apptest.Anna)
		v.opens("/account/passkeys")
		for name, change := range map[string]func(*webauthn.VirtualAuthenticatorOptions){
			"without resident keys":     func(o *webauthn.VirtualAuthenticatorOptions) { o.HasResidentKey = false },
			"without user verification": func(o *webauthn.VirtualAuthenticatorOptions) { o.HasUserVerification = false },
			"of U2F": func(o *webauthn.VirtualAuthenticatorOptions) {
				o.Protocol, o.HasResidentKey, o.HasUserVerification = webauthn.AuthenticatorProtocolU2f, false, false
			},
			"with a wrong PIN": func(o *webauthn.VirtualAuthenticatorOptions) { o.IsUserVerified = false },
		} {
			key := v.plugsIn(webauthn.AuthenticatorTransportUsb, change)
			v.reloads()
			v.presses("Add a passkey")
			v.wantsText(cancelled)
			key.unplugs()
			t.Log("refused: a key " + name)
		}
		v.plugsIn(webauthn.AuthenticatorTransportUsb, nil)
		v.reloads()
		v.presses("Add a passkey")
		v.wantsToasts("Passkey added")
		v.wantsText("Security key On one device")

		// At another address of the same machine, the browser finds no passkey.
		v.signsOut()
		v.wantsToasts("Signed out")
		v.do(chromedp.Navigate(strings.Replace(s.url, "localhost", "127.0.0.1", 1) + "/sign-in"))
		v.presses("Sign in with a passkey")
		v.wantsText("This page's address isn't the one that passkeys of this site work on.")
		v.opens("/sign-in")
		v.presses("Sign in with a passkey")
		v.wantsPage("/dashboard", "Dashboard")
	})
}

func TestPasskeysWithoutJavaScript(t *testing.T) {
	eachBrowser(t, false, func(t *testing.T, database string) {
		v := serveByName(t, "DATABASE_URL="+database).visitor(t, false)
		v.signsUp(apptest.Anna)
		v.opens("/account/passkeys")
		v.wantsText("To add a passkey, turn on JavaScript. Until then, sign in with your password.")
		buttons := `[...document.querySelectorAll("[data-passkey]")].filter(e => e.checkVisibility()).length`
		v.wants(buttons, 0)
		v.signsOut()
		v.wantsToasts("Signed out")
		v.opens("/sign-in")
		v.wants(buttons, 0)
		v.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		v.wantsPage("/dashboard", "Dashboard")
	})
}
