package web_test

import (
	"runtime/debug"
	"testing"

	"vestibule/app/web"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	build := func(module string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: module}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123abc"}
	for want, info := range map[string]*debug.BuildInfo{
		"vestibule v1.2.3 (commit 0123abc)":            build("v1.2.3", revision, debug.BuildSetting{Key: "vcs.modified", Value: "false"}),
		"vestibule v1.2.3 (commit 0123abc, modified)":  build("v1.2.3", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
		"vestibule unknown (commit 0123abc)":           build("(devel)", revision),
		"vestibule v1.2.3 (commit unknown)":            build("v1.2.3"),
		"vestibule unknown (commit unknown)":           build(""),
		"vestibule unknown (commit unknown, modified)": build("(devel)", debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
	} {
		if got := web.Version(info); got != want {
			t.Errorf("version is %q, want %q", got, want)
		}
	}
	if got, want := web.Version(nil), "vestibule unknown (commit unknown)"; got != want {
		t.Errorf("version without build information is %q, want %q", got, want)
	}
}
