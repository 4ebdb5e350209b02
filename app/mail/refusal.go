package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Permanent reports whether err, from a Send, is final for this message: the server
// refused this very mailbox, or the message can't be sent at all. Any other refusal is
// about the site, such as its sign-in, its quota or a policy. Someone can mend that, so
// the message waits.
func Permanent(err error) bool {
	if errors.Is(err, errUnsendable) {
		return true
	}
	refusal, ok := errors.AsType[*gomail.SendError](err)
	if !ok || refusal.Reason != gomail.ErrSMTPRcptTo || refusal.ErrorCode()/100 != 5 {
		return false
	}
	code := enhancedCode(refusal)
	if code == "" || strings.HasSuffix(code, ".0.0") { // a server that says no more than 550
		return slices.Contains([]int{550, 551, 553}, refusal.ErrorCode()) && noSuchMailbox.MatchString(refusal.Error())
	}
	return slices.Contains(badMailbox, code)
}

// badMailbox are the enhanced status codes of a mailbox that doesn't exist or takes no
// mail (RFC 3463, sections 3.2 and 3.3; RFC 7505). The others of 5.1 are about the sender
// or unclear.
var badMailbox = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}

// noSuchMailbox matches how servers without enhanced status codes say so.
var noSuchMailbox = regexp.MustCompile(`(?i)(user|recipient|mailbox|account|address)( is)? (unknown|not found|does(n't| not) exist)|` +
	`(no such|unknown|invalid) (user|recipient|mailbox|account|address)`)

// enhancedCode returns the enhanced status code of a refusal, or "". Some servers send one
// without announcing it.
func enhancedCode(refusal *gomail.SendError) string {
	if code := refusal.EnhancedStatusCode(); code != "" {
		return code
	}
	return enhanced.FindString(refusal.Error())
}

var enhanced = regexp.MustCompile(`\b[45]\.\d{1,3}\.\d{1,3}\b`)

// Cause says what made a Send fail, so that failures can be compared.
type Cause struct {
	Name string // the same for failures that are alike
	// ByRecipient reports whether the server was fine until it heard the recipient, and
	// did not refuse for good. The fault may then be that of the recipient's server.
	ByRecipient bool
}

// CauseOf returns the cause of err, from a Send.
func CauseOf(err error) Cause {
	refusal, ok := errors.AsType[*gomail.SendError](err)
	late := errors.Is(err, context.DeadlineExceeded) || isTimeout(err)
	switch {
	case !ok && late:
		return Cause{Name: "no answer"}
	case !ok:
		return Cause{Name: "no connection"}
	}
	recipient := slices.Contains([]gomail.SendErrReason{gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrWriteContent}, refusal.Reason)
	name := refusal.Reason.String()
	if code := refusal.ErrorCode(); code != 0 {
		name = fmt.Sprint(name, code, enhancedCode(refusal))
	}
	return Cause{Name: name, ByRecipient: recipient && refusal.ErrorCode()/100 != 5}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
