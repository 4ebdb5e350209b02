package web

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// codeCookieLife is how long the browser waits for a mailed code: longer than the code
// lives, because mail can be late.
const codeCookieLife = time.Hour

// SetCodeCookie makes this the browser that has asked for a code to be sent to email.
func (k *Kit) SetCodeCookie(c *gin.Context, secret, email string) {
	k.setCookie(c, codeCookie, secret+"."+base64.RawURLEncoding.EncodeToString([]byte(email)), codeCookieLife)
}

// AskedForCode returns what SetCodeCookie has set. Both are empty if the browser has asked
// for no code.
func (k *Kit) AskedForCode(c *gin.Context) (secret, email string) {
	secret, encoded, _ := strings.Cut(k.cookie(c, codeCookie), ".")
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || secret == "" || len(decoded) == 0 {
		return "", ""
	}
	return secret, string(decoded)
}

// ClearCodeCookie removes what SetCodeCookie has set.
func (k *Kit) ClearCodeCookie(c *gin.Context) { k.clearCookie(c, codeCookie) }
