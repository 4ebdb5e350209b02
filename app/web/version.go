package web

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// Version describes a build by its module version and commit. Both are "unknown" if
// the build does not record them, as with -buildvcs=false or outside a Git clone.
func Version(info *debug.BuildInfo) string {
	module, commit, note := "", "", ""
	if info != nil {
		if info.Main.Version != "(devel)" {
			module = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				note = ", modified"
			}
		}
	}
	return fmt.Sprintf("vestibule %s (commit %s%s)", cmp.Or(module, "unknown"), cmp.Or(commit, "unknown"), note)
}
