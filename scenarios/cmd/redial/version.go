package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"redial/steps/lessons"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of redial and of the software that its verdicts depend on",
		Example: "  redial version\n  go version -m $(command -v redial)   every module that it was built from",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return fmt.Errorf("this program was built without its versions: build it in module mode")
			}
			fmt.Print(versions(info))
			return nil
		},
	}
}

// versions lists the versions of the program, of Go, and of the modules that its servers and
// pages are built from.
func versions(info *debug.BuildInfo) string {
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = " " + s.Value
		}
		if s.Key == "vcs.modified" && s.Value == "true" {
			revision += " with changes"
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "redial %s%s\n%s\n", cmp.Or(info.Main.Version, "(devel)"), revision, info.GoVersion)
	for _, m := range info.Deps {
		for _, part := range []string{"zishang520/socket.io", "mattn/go-sqlite3", "dop251/goja"} {
			if strings.Contains(m.Path, part) {
				fmt.Fprintf(&b, "%s %s\n", m.Path, m.Version)
			}
		}
	}
	fmt.Fprintf(&b, "socket.io-client %s\n", lessons.ClientVersion)
	return b.String()
}
