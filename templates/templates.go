// Package templates holds the pages, as html/template files.
package templates

import "embed"

// FS has layouts/base.html, the frame of every page; pages/NAME.html, which
// defines "title", "main" and "fragment"; and fragments/ that pages share.
//
//go:embed layouts pages fragments
var FS embed.FS
