package main

import (
	"runtime/debug"

	"vestibule/app/web"
)

// version describes a build, as --version prints it.
func version(info *debug.BuildInfo) string { return web.Version(info) }
