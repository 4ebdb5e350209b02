package components

import "github.com/a-h/templ"

// Kind is the kind of news in a Message.
type Kind int

const (
	Good    Kind = iota // what the user asked for is done
	Note                // the user should know
	Problem             // what the user asked for isn't done; it stays until dismissed
)

// Message is what a Toast says.
type Message struct {
	Kind Kind
	Text string
	On   templ.Component // leads on from a Problem; nil if nothing does
}

// class returns the class of a toast.
func (k Kind) class() string { return [...]string{"good", "note", "problem"}[k] }

func (k Kind) icon() string { return [...]string{"circle-check", "info", "circle-alert"}[k] }

// region returns the live region that announces the kind: a problem interrupts.
func (k Kind) region() string { return [...]string{"#notices", "#notices", "#alerts"}[k] }
