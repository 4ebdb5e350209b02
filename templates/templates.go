// Package templates holds the pages, as html/template files.
package templates

import "embed"

// FS has layouts/base.html, the frame of every page; pages/NAME.html, which
// defines "title", "main" and "fragment"; fragments/ that pages share; and
// mail/, where each kind of mail has a .txt and an .html.
//
//go:embed layouts pages fragments mail
var FS embed.FS
