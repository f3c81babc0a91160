package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readCall is a call of an accessor with the name of an option, or of a method
// of cli.Context with the name of a flag.
var readCall = regexp.MustCompile(`\b(\w+)\.(Str|IsSet|List|Bool|Int|Bytes|Duration|Enum|Bits|Has)\("([a-z0-9_]+)"`)

// accessors say which types each accessor is for.
var accessors = map[string][]Type{
	"Str": {String, StringList}, "List": {String, StringList},
	"IsSet": {String, StringList, Duration, ByteSize},
	"Bool":  {Switch}, "Int": {Int}, "Bytes": {ByteSize}, "Duration": {Duration},
	"Enum": {Enum, StringList}, "Bits": {Bitfield}, "Has": {Bitfield},
}

// TestHonouredAreRead holds the list of honoured options to what the code of
// the whole tree reads, and every such call to the option's type: a wrong one
// would panic when it is made.
func TestHonouredAreRead(t *testing.T) {
	read := readNames(t)
	for name := range strings.FieldsSeq(indirectNames) {
		read[name] = true
	}
	var want []string
	for name := range read {
		want = append(want, name)
	}
	slices.Sort(want)
	if *update {
		writeHonoured(t, want)
		return
	}
	if got := strings.Fields(honouredNames); !slices.Equal(got, want) {
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("%s is read but not listed as honoured", name)
			}
		}
		for _, name := range got {
			if !read[name] {
				t.Errorf("%s is listed as honoured but nobody reads it", name)
			}
		}
		t.Error("run go test ./lib/config -update, twice: the manual depends on the list")
	}
}

// readNames finds the options that the tree reads by name, tests left out.
func readNames(t *testing.T) map[string]bool {
	read := map[string]bool{"configdirectory": true} // Config.Dir
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.Contains(string(src), `"gocyrus/lib/config"`) && !strings.HasPrefix(string(src), "package config\n") {
			return nil // c.Str of something else
		}
		for _, m := range readCall.FindAllStringSubmatch(string(src), -1) {
			recv, method, name := m[1], m[2], m[3]
			o, ok := Lookup(name)
			if !ok {
				if recv == "cfg" || !slices.Contains([]string{"Bool", "Int", "Duration", "IsSet"}, method) {
					t.Errorf("%s: %s(%q): no such option", path, method, name)
				}
				continue
			}
			if !slices.Contains(accessors[method], o.Type) || o.Deprecated != "" {
				t.Errorf("%s: %s(%q), which is a %v, deprecated: %q", path, method, name, o.Type, o.Deprecated)
			}
			read[name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func writeHonoured(t *testing.T, names []string) {
	var b strings.Builder
	b.WriteString("package config\n\n// honouredNames are the options that this server acts on. An option that is\n" +
		"// missing here and set to something other than its default is named in\n// Warnings. " +
		"\"go test -update\" writes the list from the calls of the accessors in the\n// tree; what they cannot tell is in indirectNames.\n")
	fmt.Fprintf(&b, "const honouredNames = `\n")
	for _, n := range names {
		b.WriteString(n + "\n")
	}
	b.WriteString("`\n")
	if err := os.WriteFile("honoured.go", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
