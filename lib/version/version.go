// Package version says which Cyrus this server speaks and stores like, and
// which release of its own it is.
package version

import "runtime/debug"

// Base is the release of Cyrus whose behaviour this server has.
const Base = "3.10.3"

// Release is the version of this server; a build sets it with
// -ldflags "-X gocyrus/lib/version.Release=...".
var Release = "devel"

// String is the version that banners and tools print, such as
// "3.10.3-gocyrus-1.2".
func String() string { return Base + "-gocyrus-" + Release }

// Product is the line that "cyr_info version" and "master -V" print.
func Product() string { return "cyrus-imapd " + String() }

// Module is one part of the binary.
type Module struct {
	Path    string
	Version string
}

// Go is the Go release that built the binary, Modules the modules in it. Both
// are empty in a binary built without that information.
func Go() string {
	if bi, ok := debug.ReadBuildInfo(); ok {
		return bi.GoVersion
	}
	return ""
}

// Modules are the modules in the binary, its own left out.
func Modules() []Module {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var ms []Module
	for _, m := range bi.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		ms = append(ms, Module{m.Path, m.Version})
	}
	return ms
}
