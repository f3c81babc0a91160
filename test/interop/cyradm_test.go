package interop

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// newer are the commands whose answer is another one since Cyrus 3.10, which our
// imapd goes by, than of the 3.6 that Debian has.
var newer = map[string]string{
	"info user/alice":             "noexpire_until and userrawquota are new; the value of the latter is not understood by cyradm's parser",
	"getmd user/alice specialuse": "an INBOX has no special use any more",
	"ver":                         "the libraries that the server is built with",
	"lm | x":                      "3.6 says DELETED, which does not match",
}

// Debian's cyradm on our imapd and ours on the real imapd do and print what
// Debian's does on the real imapd, command by command.
func TestCyradm(t *testing.T) {
	path, err := exec.LookPath("cyradm")
	if err != nil {
		t.Skip("cyradm is not installed")
	}
	text, err := os.ReadFile("../../lib/cyradm/testdata/all.cyradm")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(text), "\n") // a comment, which Cyrus has none of
	cmds := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	o := cyrustest.Options{
		Imapd: []string{"partition-p2: $dir/spool", "sasl_mech_list: PLAIN", "sasl_pwcheck_method: alwaystrue"},
		Args:  map[string]string{"pop3": "-", "pop3s": "-", "imaps": "-"},
	}
	ours := cyrustest.Start(t, o)
	want := cyradm(t, path, cyrustest.Real(t, o), script)
	for _, tc := range []struct {
		name, path string
		server     *cyrustest.Server
	}{
		{"Debian's cyradm, our imapd", path, ours},
		{"our cyradm, real imapd", ours.Tool("cyradm"), cyrustest.Real(t, o)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := cyradm(t, tc.path, tc.server, script)
			if len(got) != len(want) || len(want) != len(cmds)+1 {
				t.Fatalf("%d prompts, %d of Debian's with the real one, for %d commands", len(got), len(want), len(cmds))
			}
			for i, cmd := range cmds {
				if newer[cmd] != "" && tc.server == ours {
					continue
				}
				if g, w := alike(cmd, got[i]), alike(cmd, want[i]); g != w {
					t.Errorf("%s: printed\n%swant\n%s", cmd, g, w)
				}
			}
		})
	}
}

// cyradm runs a script and returns what each command printed, on standard output
// and, where the program sends it there, standard error.
func cyradm(t *testing.T, path string, s *cyrustest.Server, script string) []string {
	t.Helper()
	c := newClient(t, path, "--norc", "--user", cyrustest.Admin, "--password", cyrustest.Password, "--port", port(t, s.IMAP), "127.0.0.1")
	c.Env = append(c.Env, "COLUMNS=79", "HOME=/nowhere")
	c.Stdin = strings.NewReader(script)
	c.Stdout = &c.out
	out := c.must(t)
	parts := prompts.Split(out, -1)[1:]
	// Perl has a readline that echoes, or has not.
	for i, cmd := range strings.Split(strings.TrimSuffix(script, "\n"), "\n") {
		if i < len(parts) {
			parts[i] = strings.TrimPrefix(parts[i], cmd+"\n")
		}
	}
	return parts
}

var prompts = regexp.MustCompile(`(?:127\.0\.0\.1|cyradm)> `)

// What no two runs have in common.
var changing = []*regexp.Regexp{
	regexp.MustCompile(`(lastupdate|uniqueid|freespace|most|total|version): .*`),
	regexp.MustCompile(`()/[0-9A-F]{8} `),
	regexp.MustCompile(`(name\s*: Cyrus IMAPD).*`),
	regexp.MustCompile(`(version\s*: ).*`),
}

// alike leaves out what changes, the order of a Perl hash, and the blank that
// Cyrus's leaves after a NIL from the midst of an answer.
func alike(cmd, out string) string {
	for _, re := range changing {
		out = re.ReplaceAllString(out, "$1")
	}
	lines := strings.SplitAfter(out, "\n")
	switch word, _, _ := strings.Cut(cmd, " "); word {
	case "lam", "listacl":
		slices.Sort(lines)
	case "info", "getmd", "getmetadata":
		for i, l := range lines {
			lines[i] = strings.ReplaceAll(l, "NIL \n", "NIL\n")
		}
	}
	return strings.Join(lines, "")
}
