package masterconf

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func names(entries []Entry) string {
	var ns []string
	for _, e := range entries {
		ns = append(ns, e.Name)
	}
	return strings.Join(ns, " ")
}

// TestSections is about which lines belong to a section, the grammar that
// Cyrus 3.6.1 was seen to have.
func TestSections(t *testing.T) {
	const a = "a cmd=\"x\" listen=\"1\"\n"
	b := strings.Replace(a, "a", "b", 1)
	for _, tc := range []struct{ name, text, want string }{
		{"plain", "SERVICES {\n" + a + b + "}\n", "a b"},
		{"no blank before the brace", "SERVICES{\n" + a + "}\n", "a"},
		{"any case after the first letter", "Services {\n" + a + "}\n", "a"},
		{"first letter counts", "services {\n" + a + "}\n", ""},
		{"another word", "SERVICESX {\n" + a + "}\n", ""},
		{"brace on the next line", "SERVICES\n{\n" + a + "}\n", ""},
		{"what follows the brace is dropped", "SERVICES { c cmd=x listen=1\n" + a + "}\n", "a"},
		{"only the first counts", "SERVICES {\n" + a + "}\nSERVICES {\n" + b + "}\n", "a"},
		{"empty on one line does not count", "SERVICES {}\nSERVICES {\n" + b + "}\n", "b"},
		{"unknown section before", "FOO {\nx\n}\nSERVICES {\n" + a + "}\n", "a"},
		{"inside another", "FOO {\nSERVICES {\n" + a + "}\n}\n", ""},
		{"comments", "# SERVICES {\nSERVICES { # }\n#b\n" + a + " # x\n}\n", "a"},
		{"not closed", "SERVICES {\n" + a, "a"},
		{"line that is no entry", "SERVICES {\n=x\n" + a + "}\n", "a"},
		{"line that is no entry closes it", "SERVICES {\n=x }\n" + a + "}\n", ""},
		{"CRLF", "SERVICES {\r\na cmd=x listen=1\r\n}\r\n", "a"},
		{"name alone", "SERVICES {\na\n" + b + "}\n", "a b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := Parse([]byte(tc.text), "cyrus.conf")
			if f.Errs != [4]error{} {
				t.Fatalf("errors %v", f.Errs)
			}
			if got := names(f.Services); got != tc.want {
				t.Errorf("entries %q, want %q", got, tc.want)
			}
		})
	}
}

// TestBad holds mistakes to master's words; entries before one are kept.
func TestBad(t *testing.T) {
	many := "b" + strings.Repeat(" k=v", maxAttributes+1)
	for _, tc := range []struct{ name, line, want string }{
		{"name", `sync_client cmd="x"`, `configuration file cyrus.conf: bad character '_' in name on line 3`},
		{"key without =", `b cmd`, `configuration file cyrus.conf: bad character '' in argument on line 3`},
		{"blank around =", `b cmd ="x"`, `configuration file cyrus.conf: bad character ' ' in argument on line 3`},
		{"brace at the end", `b cmd="x" listen="1" }`, `configuration file cyrus.conf: bad character '}' in argument on line 3`},
		{"quote", `b cmd="x`, `configuration file cyrus.conf: missing " on line 3`},
		{"comment in quotes", `b cmd="foo #1"`, `configuration file cyrus.conf: missing " on line 3`},
		{"too many", many, `configuration file cyrus.conf: too many arguments on line 3`},
		{"no command", `b listen="1"`, `unable to find command or port for service 'b'`},
		{"blank command", `b cmd="  " listen="1"`, `unable to find command or port for service 'b'`},
		{"no port", `b cmd="x"`, `unable to find command or port for service 'b'`},
		{"twice", `a cmd="x" listen="2"`, `multiple entries for service 'a'`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := Parse([]byte("SERVICES {\na cmd=x listen=1\n"+tc.line+"\n}\n"), "cyrus.conf")
			err := f.Err()
			var e *Error
			if !errors.As(err, &e) || e.Text != tc.want || e.Line != 3 || e.ExitCode() != 78 {
				t.Errorf("error %v, want %s", err, tc.want)
			}
			if len(f.Services) == 0 || f.Services[0].Name != "a" || f.Services[0].Err != nil {
				t.Errorf("entries %+v, want a first, and good", f.Services)
			}
		})
	}
}

// The mistake master would meet first comes first: START is run before
// SERVICES is read, wherever they stand.
func TestOrder(t *testing.T) {
	const text = "DAEMON {\nd listen=x\n}\nSERVICES {\ns_ cmd=x\n}\nSTART {\na cmd=x\nb\nc cmd=x\nd-\n}\n"
	f := Parse([]byte(text), "f")
	if got := names(f.Start); got != "a b c" {
		t.Errorf("START has %q", got)
	}
	for i, want := range []string{
		"unable to find command for b",
		"configuration file f: bad character '-' in name on line 11",
		"configuration file f: bad character '_' in name on line 5",
		"unable to find command or port for service 'd'",
	} {
		if got := f.Err(); got == nil || got.Error() != want {
			t.Fatalf("mistake %d is %v, want %s", i, got, want)
		}
		switch i {
		case 0:
			f.Start[1].Err = nil
		case 1:
			f.Errs[Start] = nil
		case 2:
			f.Errs[Services] = nil
		case 3:
			f.Daemons[0].Err = nil
		}
	}
	if err := f.Err(); err != nil {
		t.Errorf("one too many: %v", err)
	}
}

func TestTwiceInDaemon(t *testing.T) {
	f := Parse([]byte("SERVICES {\na cmd=x listen=1\nb cmd=x listen=1\n}\nDAEMON {\na cmd=x\nb cmd=x wait=y\nc cmd=x\n}\n"), "f")
	for i, want := range []string{"multiple entries for service 'a'", "multiple entries for waitdaemon 'b'", ""} {
		if got := f.Daemons[i].Err; want == "" && got != nil || want != "" && (got == nil || got.Error() != want) {
			t.Errorf("daemon %d: %v, want %q", i, got, want)
		}
	}
}

// A line longer than Cyrus's buffer goes on as the next line.
func TestLongLine(t *testing.T) {
	start := "SERVICES {\na listen=1 cmd=x" + strings.Repeat("y", 20) + " z="
	fill := strings.Repeat("z", maxLine-len(start)+len("SERVICES {\n"))
	f := Parse([]byte(start+fill+"b cmd=x listen=2\n}\n"), "f")
	if got := names(f.Services); got != "a b" || f.Services[1].Line != 3 {
		t.Errorf("entries %q", got)
	}
}

func TestLoad(t *testing.T) {
	var e *Error
	if _, err := Load("testdata/none.conf"); !errors.As(err, &e) ||
		e.Text != "can't open configuration file testdata/none.conf: No such file or directory" {
		t.Errorf("missing file: %v", err)
	}
	dir := t.TempDir()
	t.Setenv("CYRUS_PREFIX", dir)
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, DefaultPath), []byte("START {\na cmd=x\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load("")
	if err != nil || names(f.Start) != "a" {
		t.Errorf("below CYRUS_PREFIX: %v, %v", f, err)
	}
}

// The samples that Debian and upstream ship are free of mistakes.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/upstream/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, name := range append(files, "testdata/debian.conf") {
		f, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := f.Err(); err != nil || len(f.Services) == 0 {
			t.Errorf("%s: %v, %d services", name, err, len(f.Services))
		}
	}
}

func TestDebian(t *testing.T) {
	f, err := Load("testdata/debian.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		entries []Entry
		want    string
	}{
		{f.Start, "recover delprune tlsprune"},
		{f.Services, "imap pop3 nntp http lmtpunix sieve notify"},
		{f.Events, "checkpoint delprune tlsprune deleteprune expungeprune"},
		{f.Daemons, ""},
	} {
		if got := names(tc.entries); got != tc.want {
			t.Errorf("entries %q, want %q", got, tc.want)
		}
	}
	imap := f.Services[0]
	if imap.Listen != "imap" || imap.Maxchild != 100 || imap.Prefork != 0 || !slices.Equal(imap.Args, []string{"imapd", "-U", "30"}) {
		t.Errorf("imap is %+v", imap)
	}
	if e := f.Events[0]; e.Period != 30 || e.At != -1 {
		t.Errorf("checkpoint is %+v", e)
	}
	if e := f.Events[1]; e.At != 4*60+1 {
		t.Errorf("delprune is %+v", e)
	}
}
