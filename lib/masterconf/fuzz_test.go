package masterconf

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse checks that every entry is sound, whatever the file: a name of
// letters and digits, a line of the file, a command unless it has an error.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/upstream/*.conf")
	for _, name := range append(files, "testdata/debian.conf") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"SERVICES {\n=x }\n", "START {{\n}\na", "DAEMON {\na cmd=\"", "EVENTS {\na cmd=x at=9999999999999999999\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Parse(data, "f")
		lines := len(splitLines(data))
		for s := Start; s <= Daemon; s++ {
			for _, e := range *file.entries(s) {
				if e.Section != s || e.Line < 1 || e.Line > lines || e.Name == "" || (len(e.Args) == 0) && e.Err == nil {
					t.Errorf("%v: entry %+v", s, e)
				}
				for i := range e.Name {
					if !isAlnum(e.Name[i]) {
						t.Errorf("%v: name %q", s, e.Name)
					}
				}
			}
		}
	})
}
