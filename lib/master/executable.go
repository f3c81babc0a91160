package master

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
)

// LibexecDir and SbinDir are where programs of cyrus.conf are looked up; a
// build sets them by -ldflags. When LibexecDir does not exist, as in a build
// tree, the directory of the running program takes its place.
var (
	LibexecDir = "/usr/libexec/gocyrus"
	SbinDir    = "/usr/sbin"
)

// searchDirs are the two in order.
func searchDirs() []string {
	libexec := LibexecDir
	if st, err := os.Stat(libexec); err != nil || !st.IsDir() {
		if exe, err := os.Executable(); err == nil {
			libexec = filepath.Dir(exe)
		}
	}
	return []string{libexec, SbinDir}
}

// executable finds the program of an entry. When there is none it returns
// where it should have been, and false.
func (m *master) executable(word string) (path string, ok bool) {
	if filepath.IsAbs(word) {
		return word, runnable(word)
	}
	for _, dir := range m.dirs {
		if path = filepath.Join(dir, word); runnable(path) {
			return path, true
		}
	}
	return filepath.Join(m.dirs[0], word), false
}

func runnable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0
}

// modulePath names this program's module in the build information of its own
// services.
const modulePath = "gocyrus"

// servesMany says whether the program at path is one of ours, whose processes
// serve many sessions each. It stands in the file: the Go linker writes the
// module's name into every program, stripped or not.
func servesMany(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Main.Path == modulePath
}
